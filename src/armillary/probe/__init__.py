"""Frozen features, computed once, and the small models that say what they hold."""
