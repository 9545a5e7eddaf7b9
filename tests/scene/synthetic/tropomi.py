"""Synthetic Sentinel-5P files in the exact level 2 and level 3 layouts; every number follows a closed form."""

from pathlib import Path

import h5py
import numpy as np

SCANLINES, PIXELS = 6, 5
FILL = np.float32(9.96921e36)
QA = np.array([100, 49, 50, 51, 74, 75, 76, 255, 0] + [100] * 21, np.uint8).reshape(SCANLINES, PIXELS)
COLUMN = {
    "NO2": "nitrogendioxide_tropospheric_column",
    "CO": "carbonmonoxide_total_column",
    "O3": "ozone_total_vertical_column",
    "SO2": "sulfurdioxide_total_vertical_column",
    "AER_AI": "aerosol_index_354_388",
}
STARTED = "2021-07-25T11:00:00Z"


def values() -> np.ndarray:
    """1e-4 (i + 1) along scanlines, one negative, one fill."""
    column = np.repeat(1e-4 * (np.arange(SCANLINES, dtype=np.float32)[:, None] + 1), PIXELS, axis=1)
    column[3, 3] = -2e-5
    column[4, 4] = FILL
    return column


def centers(west: float) -> tuple[np.ndarray, np.ndarray]:
    lat, lon = np.meshgrid(45 + 0.05 * np.arange(SCANLINES), west + 0.06 * np.arange(PIXELS), indexing="ij")
    return (lon + 180) % 360 - 180, lat


def write(path: Path, *, gas="NO2", support=True, qa=QA, column=None, west=10.0, corrected=False) -> Path:
    """A level 2 file; without `support` it is cut as a subset service cuts it."""
    lon, lat = centers(west)
    with h5py.File(path, "w") as file:
        file.attrs.update(id=f"S5P_OFFL_L2__{gas}", orbit=np.int32(19594), processor_version="2.4.0")
        product = file.create_group("PRODUCT")
        _put(product, "latitude", lat[None].astype(np.float32), FILL)
        _put(product, "longitude", lon[None].astype(np.float32), FILL)
        _put(product, "qa_value", qa[None], np.uint8(255), scale_factor=np.float32(0.01), add_offset=np.float32(0))
        _put(product, COLUMN[gas], (values() if column is None else column)[None], FILL, units="mol m-2")
        _put(product, COLUMN[gas] + "_precision", values()[None], FILL, units="mol m-2")
        if corrected:
            _put(product, COLUMN[gas] + "_corrected", 2 * values()[None], FILL, units="mol m-2")
        _times(product, gas)
        if support:
            place = product.create_group("SUPPORT_DATA/GEOLOCATIONS")
            dx, dy = np.array([-0.03, 0.03, 0.03, -0.03]), np.array([-0.025, -0.025, 0.025, 0.025])
            bounds = (lon[None, ..., None] + dx + 180) % 360 - 180
            _put(place, "longitude_bounds", bounds.astype(np.float64), None)
            _put(place, "latitude_bounds", (lat[None, ..., None] + dy).astype(np.float64), None)
    return path


def _times(product, gas) -> None:
    """2010-based day plus milliseconds: (time, scanline) for NO2 and CO, one more axis for O3 and SO2."""
    day = (np.datetime64("2021-07-25") - np.datetime64("2010-01-01")).astype("timedelta64[s]").astype(np.int32)
    ms = 11 * 3_600_000 + 840 * np.arange(SCANLINES, dtype=np.int32)[None]
    _put(product, "time", np.array([day]), None, units="seconds since 2010-01-01 00:00:00")
    if gas in {"O3", "SO2"}:
        ms = np.repeat(ms[..., None], PIXELS, axis=2)
        ms[0, 0, 0] = -2147483647
    unit = "milliseconds" if gas in {"O3", "SO2"} else "milliseconds since 2021-07-25 00:00:00"
    _put(product, "delta_time", ms, np.int32(-2147483647), units=unit)


def write_flat(path: Path) -> Path:
    """The flattened layout of plume tools, without quality values."""
    lon, lat = centers(10.0)
    with h5py.File(path, "w") as file:
        column = values()
        column[column == FILL] = np.nan
        _put(file, "NO2", column, np.float32(np.nan), units="mol m-2")
        _put(file, "lon", lon, None)
        _put(file, "lat", lat, None)
        _put(file, "lonc", lon[..., None] + [-0.03, 0.03, 0.03, -0.03], None)
        _put(file, "latc", lat[..., None] + [-0.025, -0.025, 0.025, 0.025], None)
        _put(file, "time", np.int64(0), None, units="days since 2021-07-25 11:44:52.595066640")
        _put(file, "orbit", np.int64(19594), None)
    return path


def write_grid(path: Path, *, name="tropospheric_NO2_column_number_density", unit="mol/m^2") -> Path:
    """Level 3 as HARP grids it: latitude ascends; the value is 1e-4 (row + 1)."""
    with h5py.File(path, "w") as file:
        grid = np.repeat(1e-4 * (np.arange(4.0)[:, None] + 1), 3, axis=1)
        grid[0, 0] = np.nan
        _put(file, name, grid[None], None, units=unit)
        _put(file, "latitude", 45 + 0.01 * np.arange(4.0), None)
        _put(file, "longitude", 10 + 0.01 * np.arange(3.0), None)
        _put(file, "datetime_start", np.array([86400.0]), None, units="seconds since 2021-01-01")
    return path


def _put(group, name, data, fill, **attrs) -> None:
    dataset = group.create_dataset(name, data=data)
    dataset.attrs.update(attrs)
    if fill is not None:
        dataset.attrs["_FillValue"] = np.array([fill], dtype=np.asarray(data).dtype)
