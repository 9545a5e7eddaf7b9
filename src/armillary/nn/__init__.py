"""Pure layers: no Earth, no sensors, no files."""
