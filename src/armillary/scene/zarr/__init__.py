"""Zarr: the products of EOPF and ordinary georeferenced arrays."""
