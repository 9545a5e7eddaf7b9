"""Sentinel-1 products in their own layout."""
