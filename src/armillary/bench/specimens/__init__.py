"""Specimens: tiny synthetic files in the exact layout of every archive."""
