"""Major TOM: its metadata, its Parquet parts and trees of files, its thumbnails."""
