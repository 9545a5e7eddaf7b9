"""Labelled sets, and what models score on them."""
