"""Sentinel-5P products in their own layout."""
