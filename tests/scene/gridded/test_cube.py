"""Cubes: NetCDF time series in the openEO layout; the files here are synthetic."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import armillary as arm
from armillary.errors import SensorUnknown


def write_cube(path: Path, names: dict[str, str]) -> Path:
    """Two steps of 8 x 9 px of counts; variable -> long_name."""
    counts = (1200 + np.arange(144).reshape(2, 8, 9)).astype(np.int16)
    coords = {
        "t": ("t", np.array([0, 5]), {"units": "days since 2023-01-01"}),
        "y": 5.2e6 - 10.0 * np.arange(8),
        "x": 5e5 + 10.0 * np.arange(9),
    }
    bands = {name: (("t", "y", "x"), counts, {"long_name": label}) for name, label in names.items()}
    crs = {"crs": ((), np.int32(0), {"crs_wkt": "EPSG:32632"})}
    xr.Dataset({**bands, **crs}, coords).to_netcdf(path, engine="h5netcdf")
    return path


def test_a_cube_that_names_its_level_is_never_the_other_one(tmp_path: Path) -> None:
    path = write_cube(tmp_path / "c.nc", {"S2-L2A-B04": "S2-L2A-B04", "S2-L2A-B08": "S2-L2A-B08"})
    with pytest.raises(SensorUnknown, match="opened as s2-l1c, and says itself that it is s2-l2a"):
        arm.open(path, "s2-l1c")
    assert arm.open(path, "s2-l2a", step=0, offset=0).attrs["sensor"] == "s2-l2a"


def test_a_cube_that_names_no_level_may_be_told_it(tmp_path: Path) -> None:
    path = write_cube(tmp_path / "c.nc", {"B4": "S2", "B8": "S2"})
    assert arm.open(path, "s2-l1c", step=0, offset=0).attrs["sensor"] == "s2-l1c"
