"""A synthetic world whose physics is known: terrain, land cover, optics, air and radar. Nothing of it was measured."""
