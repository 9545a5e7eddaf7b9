"""Sentinel-5P level 2: one gas column of an orbit, a granule or a subset of one, laid on a regular grid by area.

Two layouts are read: the official one with its groups (whole, or as a subset service cuts it: then footprints are
taken from the midpoints between pixel centres) and the flattened one of plume tools (lonc, latc). The grid is 0.01
degrees, on whole multiples, as Earth Engine's level 3 has it; the instrument resolves 5.5 x 3.5 km (7 km across for
CO), which is a fact of the scene. `request.resolution` and `request.crs` choose another.

A pixel is kept when its qa_value is at least the threshold (inclusive, as the Sentinel Hub rule; compared as the
stored integers 0 to 100): 0.75 for NO2, 0.50 for CO, O3 and SO2, or `request.min_qa`. Negative columns are noise and
stay. NO2 is the tropospheric column, CO the total column (destriped where the file has it), O3 and SO2 totals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np
from jaxtyping import Bool, Float

from armillary.earth.fleet import sensors
from armillary.earth.when import iso
from armillary.earth.window import Window
from armillary.errors import ArmillaryError, EmptyScene, OutOfRange, SceneUnreadable, SensorUnknown
from armillary.scene.access.archive import Archive
from armillary.scene.access.members import Members
from armillary.scene.access.netcdf import NetCDF, is_netcdf, opened
from armillary.scene.agreement import agree
from armillary.scene.request import Request
from armillary.scene.s5p import l3
from armillary.scene.scene import Scene, Source
from armillary.scene.swath.grid import grid_over, known_crs, project, spacing_m, unwrap
from armillary.scene.swath.overlap import Footprints, Overlaid, corners_between

COLUMNS = {
    "s5p-no2": ("nitrogendioxide_tropospheric_column",),
    "s5p-co": ("carbonmonoxide_total_column_corrected", "carbonmonoxide_total_column"),
    "s5p-o3": ("ozone_total_vertical_column",),
    "s5p-so2": ("sulfurdioxide_total_vertical_column",),
}
"""Sensor -> the variable of group PRODUCT that is its column, in order of preference."""

MIN_QA = {"s5p-no2": 0.75, "s5p-co": 0.5, "s5p-o3": 0.5, "s5p-so2": 0.5}
"""Smallest quality value that is kept unless the caller says otherwise."""

STEP_DEG = 0.01
"""Default grid step."""

WORLD_DEG = 180.0
"""A swath wider than this goes over a pole or round the Earth, and gets a grid of all longitudes."""

_FILE = r"S5P_[^/]*\.nc4?"
_QA_FILL = 255
_EPOCH = datetime(2010, 1, 1, tzinfo=UTC)
_GEOLOCATION = "PRODUCT/SUPPORT_DATA/GEOLOCATIONS/"
_FLAT = {"NO2": "s5p-no2", "CO": "s5p-co", "O3": "s5p-o3", "SO2": "s5p-so2"}

Plane = Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Granule:
    """What a level 2 file holds, before it is laid on a grid. Longitudes are unwrapped; corners go around a pixel."""

    sensor: str
    values: Plane
    lon: Plane
    lat: Plane
    corner_lon: Float[np.ndarray, "h w 4"]
    corner_lat: Float[np.ndarray, "h w 4"]
    time: datetime | None
    facts: Mapping[str, str]


def recognises(path: Path) -> bool:
    """Whether this is a Sentinel-5P product: a NetCDF file, or a folder or zip that holds one."""
    try:
        if path.is_dir():
            return any(path.glob("S5P_*.nc*"))
        if path.is_file() and is_zipfile(path):
            with ZipFile(path) as archive:
                return any(n.rpartition("/")[2].startswith("S5P_") and ".nc" in n for n in archive.namelist())
        if not is_netcdf(path):
            return False
        if path.name.startswith("S5P_"):
            return True
        with opened(path) as nc:
            return "PRODUCT/qa_value" in nc or _is_flat(nc) or l3.column(nc) is not None
    except (OSError, BadZipFile, ArmillaryError):
        return False


def open_scene(path: Path, request: Request) -> Scene:
    """A level 2 or gridded level 3 file as a scene of one gas in mol m-2.

    Raises:
        SensorUnknown: its gas is none of the fleet's (aerosol index, CH4, HCHO, cloud).
        SceneUnreadable: a group or variable is missing, or the file breaks off.
        EmptyScene: no pixel has a place.
    """
    single = path.is_file() and not is_zipfile(path)
    members = None if single else Members(Archive.open(path))
    with opened(path if members is None else members.path(members.archive.one(_FILE, "NetCDF file"))) as nc:
        if l3.column(nc) is not None:
            return l3.scene_of(nc, path, request)
        flat = ("min_qa",) if _is_flat(nc) else ()
        request.refuse(("unit", "offset", "step", *flat), f"{path}, a Sentinel-5P product")
        granule = _flattened(nc) if _is_flat(nc) else _official(nc, request)
    sensor = agree(sensors[granule.sensor], request, path)
    window = _grid(granule, request)
    if window.crs is None:
        raise EmptyScene(f"{path} has no pixel with a place")
    x, y = project(granule.corner_lon.reshape(-1, 4), granule.corner_lat.reshape(-1, 4), window.crs)
    period = 360.0 if window.crs.geographic else None
    footprints = Footprints.of(x, y, granule.values.ravel(), window, period=period)
    time = request.time or granule.time
    sources: dict[str, Source] = {
        "sensor": "read",
        "bands": "read",
        "crs": "given" if request.crs else "read",
        "time": "given" if request.time else ("read" if time else "unknown"),
        "scaling": "read",
    }
    return Scene(str(path), sensor, window, time, Overlaid(footprints, window), sources, granule.facts)


def _grid(granule: Granule, request: Request) -> Window:
    crs = known_crs(request.crs or "EPSG:4326")
    size = request.resolution or (STEP_DEG if crs.geographic else sensors[granule.sensor].gsd_m)
    lon, lat = granule.corner_lon.reshape(-1, 4), granule.corner_lat.reshape(-1, 4)
    if not np.isfinite(lon).any():
        raise EmptyScene("not one pixel of the file has a place; download it again")
    around = crs.geographic and np.nanmax(lon) - np.nanmin(lon) > WORLD_DEG
    if around:
        lon = np.where(np.isfinite(lon), np.where(np.arange(4) < 2, -180.0, 180.0), np.nan)
    return grid_over(lon, lat, crs, (size, size), margin=0.0)


def _official(nc: NetCDF, request: Request) -> Granule:
    sensor, name = _column_of(nc)
    lon, lat = _places(nc, "PRODUCT/longitude"), _places(nc, "PRODUCT/latitude")
    lon = unwrap(lon)
    corner_lon, corner_lat = _corners(nc, lon, lat)
    column = nc.variable(name)
    if not str(column.attrs.get("units", "mol m-2")).replace("/m^2", " m-2").startswith("mol m-2"):
        raise SceneUnreadable(f"{nc.path} holds {name} in {column.attrs['units']}; only mol m-2 is known here")
    raw = _plane(column.raw())
    measured = raw != np.float32(column.number("_FillValue", 9.96921e36))
    measured &= np.isfinite(raw) & (np.abs(raw) < 1e30)
    threshold = MIN_QA[sensor] if request.min_qa is None else request.min_qa
    kept = measured & _good(nc, threshold)
    values = np.where(kept, raw, np.nan).astype(np.float64)
    start, middle, stop = _times(nc)
    share = kept.sum() / max(int(measured.sum()), 1)
    size = "unknown" if min(lon.shape) < 2 else f"{spacing_m(lon, lat) / 1000:.1f}"
    facts = {
        "column": name.rpartition("/")[2],
        "qa_rule": f"qa_value >= {threshold:g}",
        "qa_kept": f"{share:.3f} of {int(measured.sum())} measured pixels",
        "footprint_km": size,
        "footprint_from": "read" if _GEOLOCATION + "longitude_bounds" in nc else "midpoints between pixel centres",
        "start": iso(start),
        "stop": iso(stop),
        **_labels(nc),
    }
    return Granule(sensor, values, lon, lat, corner_lon, corner_lat, middle, facts)


def _flattened(nc: NetCDF) -> Granule:
    """The layout of plume tools: one column, centres and corners, no quality values."""
    gas = next(g for g in _FLAT if g in nc)
    lon, lat = (nc.variable(n).raw().astype(np.float64) for n in ("lon", "lat"))
    lon = unwrap(lon)
    corner_lon, corner_lat = (nc.variable(n).raw().astype(np.float64) for n in ("lonc", "latc"))
    corner_lon = lon[..., None] + (corner_lon - lon[..., None] + 180.0) % 360.0 - 180.0
    facts = {
        "column": gas,
        "qa_rule": "none: the file has no qa_value, so its maker's selection stands",
        "footprint_km": f"{spacing_m(lon, lat) / 1000:.1f}",
        **{k: str(nc.attrs[n]) for k, n in {"product": "original file name"}.items() if n in nc.attrs},
    }
    if "orbit" in nc:
        facts["orbit"] = str(int(nc.variable("orbit").raw()))
    values = nc.variable(gas).raw().astype(np.float64)
    return Granule(_FLAT[gas], values, lon, lat, corner_lon, corner_lat, _flat_time(nc), facts)


def _is_flat(nc: NetCDF) -> bool:
    return {"lon", "lat", "lonc", "latc"} <= set(nc.names) and any(g in nc for g in _FLAT)


def _column_of(nc: NetCDF) -> tuple[str, str]:
    if not any(n.startswith("PRODUCT/") for n in nc.names):
        raise SceneUnreadable(f"{nc.path} has no group PRODUCT; it is cut or no level 2 product: download it again")
    for sensor, names in COLUMNS.items():
        for name in names:
            for place in ("PRODUCT/", "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/"):
                if place + name in nc:
                    return sensor, place + name
    held = [n.rpartition("/")[2] for n in nc.names if n.startswith("PRODUCT/") and n.count("/") == 1]
    main = [n for n in held if n + "_precision" in held] or held
    raise SensorUnknown(
        f"{nc.path} holds {', '.join(main[:3])}; of Sentinel-5P Armillary knows the columns of NO2, CO, O3 and SO2"
    )


def _plane(raw: np.ndarray) -> np.ndarray:
    """(time=1, scanline, ground_pixel, ...) without its time; a subset may lack that dimension already."""
    return raw[0] if raw.ndim >= 3 and raw.shape[0] == 1 else raw


def _places(nc: NetCDF, name: str) -> Plane:
    raw = _plane(nc.variable(name).raw()).astype(np.float64)
    if raw.ndim != 2:
        raise SceneUnreadable(f"{nc.path} has {name} of shape {raw.shape}; (scanline, ground_pixel) was looked for")
    return np.where(np.abs(raw) <= 360.0, raw, np.nan)


def _corners(nc: NetCDF, lon: Plane, lat: Plane) -> tuple[Float[np.ndarray, "h w 4"], Float[np.ndarray, "h w 4"]]:
    names = _GEOLOCATION + "longitude_bounds", _GEOLOCATION + "latitude_bounds"
    if all(n in nc for n in names):
        x, y = (nc.variable(n).raw().astype(np.float64).reshape(*lon.shape, 4) for n in names)
        x = np.where(np.abs(x) <= 360.0, x, np.nan)
        return lon[..., None] + (x - lon[..., None] + 180.0) % 360.0 - 180.0, np.where(np.abs(y) <= 90.0, y, np.nan)
    if min(lon.shape) < 2:
        raise SceneUnreadable(
            f"{nc.path} has {lon.shape[0]} x {lon.shape[1]} pixels and no longitude_bounds; "
            "footprints need either the bounds or at least 2 x 2 pixels"
        )
    return corners_between(lon), corners_between(lat)


def _good(nc: NetCDF, threshold: float) -> Bool[np.ndarray, "h w"]:
    """Pixels at or above the threshold, on the stored integers so that 0.75 is no float tie."""
    if not 0.0 <= threshold <= 1.0:
        raise OutOfRange(f"min_qa was {threshold}; qa_value runs from 0 to 1")
    qa = nc.variable("PRODUCT/qa_value")
    raw = _plane(qa.raw())
    if raw.dtype.kind == "f":  # re-written by a tool that decoded it
        raw = np.where(np.isfinite(raw) & (raw <= 1.0), np.round(raw * 100), _QA_FILL)
    return np.asarray((raw >= round(100 * threshold)) & (raw != _QA_FILL))


def _times(nc: NetCDF) -> tuple[datetime, datetime, datetime]:
    """First, middle and last time: seconds since 2010 plus milliseconds, whichever of the two layouts they have."""
    base = nc.variable("PRODUCT/time").raw().reshape(-1)[0]
    delta = nc.variable("PRODUCT/delta_time")
    late = delta.raw().astype(np.float64)
    late = late[late > delta.number("_FillValue", -2147483647.0)]
    if not late.size:
        raise SceneUnreadable(f"{nc.path} has no valid delta_time; download it again")
    day = _EPOCH + timedelta(seconds=int(base))
    first, last = float(late.min()), float(late.max())
    moments = [day + timedelta(milliseconds=round(ms)) for ms in (first, (first + last) / 2, last)]
    return moments[0], moments[1], moments[2]


def _flat_time(nc: NetCDF) -> datetime | None:
    if "time" not in nc:
        return None
    time = nc.variable("time")
    unit, _, since = str(time.attrs.get("units", "")).partition(" since ")
    if unit not in {"days", "hours", "seconds"} or not since:
        return None
    start = datetime.fromisoformat(since.strip()[:26]).replace(tzinfo=UTC)
    return start + timedelta(**{unit: float(time.raw().reshape(-1)[0])})


def _labels(nc: NetCDF) -> dict[str, str]:
    names = {"product": "id", "orbit": "orbit", "processor": "processor_version"}
    return {k: str(nc.attrs[n]) for k, n in names.items() if n in nc.attrs}
