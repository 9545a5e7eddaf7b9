"""How bytes are reached: folders and zips, GDAL datasets kept open, HDF5 and NetCDF, Zarr stores."""
