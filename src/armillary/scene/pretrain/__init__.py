"""Copernicus-Pretrain at rest: its names, its two layouts on disk, its index and how it is built."""
