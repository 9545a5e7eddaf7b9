"""Recipes: what `armillary train NAME` runs. Python values that a YAML file and overrides change."""
