"""Sentinel-2 products in their own layout."""
