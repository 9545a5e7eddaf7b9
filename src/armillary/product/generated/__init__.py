"""A scene in, scenes of other sensors out: how a joint model is asked, and what becomes of its answers."""
