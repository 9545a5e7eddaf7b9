"""Facts: bands, sensors, places and times. No torch, no files."""
