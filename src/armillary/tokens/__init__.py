"""Pixels to tokens and back, for any sensor, any patch size, any rectangle."""
