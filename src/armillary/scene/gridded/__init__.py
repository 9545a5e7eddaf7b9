"""Imagery that already lies on a map grid: rasters, folders of bands, cubes, and the rules for their numbers."""
