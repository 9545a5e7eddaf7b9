"""Pixels in memory, always together with their place and time."""
