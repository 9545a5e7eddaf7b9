"""Sentinel-3 OLCI products in their own layout."""
