"""From swath to map: grids, nearest pixels, overlap weights, geolocation."""
