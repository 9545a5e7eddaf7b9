"""Sentinel-3 OLCI level 1: radiances of a swath on a grid, from a SEN3 product or from one exported NetCDF file.

Stored counts are unsigned; 65535 is no measurement (exports write it as int16 -1), as is any pixel with the flag
`invalid`. Pixels flagged `duplicated` repeat a neighbour and are no source for the grid. Other flags (saturated, sun
glint, dubious) are left to the user.

The grid has the swath's own pixel size: 300 m for full resolution, 1.2 km for reduced, whatever a thinned export has.
What lies farther than 1.5 swath pixels from any measurement is NaN. `swath` says how the CRS is chosen.

`unit="reflectance"` gives top-of-atmosphere reflectance pi L / (E0 cos SZA), with E0 of the pixel's own detector. E0
in a product is already that at the distance of the Sun, so no distance factor is applied.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.earth.when import iso
from armillary.earth.window import Window
from armillary.errors import ArmillaryError, BadInput, EmptyScene, SceneUnreadable
from armillary.scene.access.archive import Archive
from armillary.scene.access.members import Members
from armillary.scene.access.netcdf import is_netcdf, opened
from armillary.scene.agreement import agree
from armillary.scene.request import Request
from armillary.scene.s3.export import Export, is_export, stored_in, times_of
from armillary.scene.s3.sen3 import Manifest, Sen3, is_sen3, manifest_of, refuse_others
from armillary.scene.scene import Scene, Source
from armillary.scene.swath.grid import DEGREE_M, fitting_crs, grid_over, known_crs, spacing_m, step_of, unwrap
from armillary.scene.swath.nearest import Caps, Nearest, Swath

REACH_PX = 1.5
"""Farthest distance to a measurement, in swath pixels."""

_NAME = re.compile(r"S3[A-D]_(OL|SL|SY|SR)_")
_SIZES_M = (300.0, 1200.0)
_OWN = 1.2
"""A swath whose median spacing is within this factor of a nominal size is of that size."""

Plane = Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Strip:
    """A swath with what is known of it."""

    swath: Swath
    sensor: Sensor
    lon: Plane
    lat: Plane
    time: datetime
    scaling: Source
    facts: Mapping[str, str]


def recognises(path: Path) -> bool:
    """Whether this is of Sentinel-3: a SEN3 product or an export. SLSTR and synergy too: they are refused by name."""
    if is_sen3(path):
        return True
    if not path.is_file() or not is_netcdf(path):
        return False
    if _NAME.match(path.name):
        return True
    try:
        with opened(path) as nc:
            return is_export(nc)
    except ArmillaryError:
        return False


def open_scene(path: Path, request: Request) -> Scene:
    """An OLCI scene on a grid; `request.crs` and `request.resolution` choose another grid.

    Raises:
        SensorUnknown: it is another instrument of Sentinel-3, or a level 2 product.
        SceneUnreadable: pixels are missing, or a file is damaged.
        BadInput: `unit` is neither radiance nor reflectance, reflectance cannot be had, or a fact changes nothing here.
    """
    if request.unit not in {None, "radiance", "reflectance", sensors["s3-olci"].unit}:
        raise BadInput(f"OLCI was asked as {request.unit!r}; it can be radiance or reflectance")
    request.refuse(("offset", "min_qa", "step"), f"{path}, an OLCI product")
    strip = _of_sen3(path, request) if is_sen3(path) else _of_export(path, request)
    if not np.isfinite(strip.lon).any():
        raise EmptyScene(f"{path} has no pixel with a place; choose another frame")
    spacing = _spacing(strip.lon, strip.lat)
    window, size_m = _grid(strip, spacing, request)
    pixels = Nearest(
        swath=strip.swath,
        lon=strip.lon,
        lat=strip.lat,
        caps=Caps.of(strip.lon, strip.lat, spacing),
        window=window,
        reach_m=REACH_PX * spacing,
        samples=max(1, round(size_m / spacing)),
    )
    sources: dict[str, Source] = {
        "sensor": "read",
        "bands": "read",
        "crs": "given" if request.crs else "read",
        "time": "given" if request.time else "read",
        "scaling": strip.scaling,
    }
    facts = {**strip.facts, "swath_px_m": f"{spacing:.0f}", "swath_shape": "{} x {}".format(*strip.lon.shape)}
    return Scene(str(path), strip.sensor, window, request.time or strip.time, pixels, sources, facts)


def _of_sen3(path: Path, request: Request) -> Strip:
    archive = Archive.open(path)
    manifest = manifest_of(archive)
    refuse_others(manifest.kind, path)
    sensor = agree(sensors["s3-olci"], request, path)
    reflective = request.unit == "reflectance"
    _need_members(archive, manifest, sensor, reflective=reflective)
    swath = Sen3(Members(archive), sensor.band_names, reflective)
    facts = {
        "product": manifest.product,
        "product_type": manifest.kind,
        "start": iso(manifest.start),
        "stop": iso(manifest.stop),
        **({"collection": manifest.collection} if manifest.collection else {}),
    }
    return Strip(swath, _as(sensor, reflective=reflective), *swath.geometry(), manifest.start, "read", facts)


def _of_export(path: Path, request: Request) -> Strip:
    with opened(path) as nc:
        if not is_export(nc):
            named = _NAME.match(path.name)
            refuse_others(path.name[4:12] if named else "", path)
            raise SceneUnreadable(f"{path} is named like an OLCI product and holds none of its bands; export it again")
        stored, names = stored_in(nc)
        start, stop = times_of(nc) if request.time is None else (request.time, request.time)
        title = str(nc.attrs.get("product_type") or nc.attrs.get("title") or "")
    sensor = agree(sensors["s3-olci"].select(names), request, path)
    reflective = request.unit == "reflectance"
    swath = Export(path, sensor.band_names, reflective, stored, start)
    turned = stored == "reflectance" and not reflective
    facts = {"product_type": title, "start": iso(start), "stop": iso(stop)}
    if turned:
        facts["radiance"] = "from top-of-atmosphere reflectance with nominal solar irradiance, good to about 1 %"
    scaling: Source = "assumed" if turned else "read"
    return Strip(swath, _as(sensor, reflective=reflective), *swath.geometry(), start, scaling, facts)


def _need_members(archive: Archive, manifest: Manifest, sensor: Sensor, *, reflective: bool) -> None:
    """Refuse, with a list, a product whose files are not all here."""
    names = [f"{b}_radiance.nc" for b in sensor.band_names] + ["geo_coordinates.nc", "qualityFlags.nc"]
    names += ["instrument_data.nc", "tie_geometries.nc"] if reflective else []
    absent = [n for n in names if not archive.find(re.escape(n))]
    if len(absent) == len(names):
        size = "" if manifest.shape is None else ", {} x {} pixels".format(*manifest.shape)
        raise SceneUnreadable(
            f"{archive.path} is {manifest.kind} of {iso(manifest.start)}{size}, but only its manifest is here: "
            "the pixels are missing; download the product again, whole"
        )
    if absent:
        raise SceneUnreadable(f"{archive.path} has no {', '.join(absent)}; download the product again, whole")


def _as(sensor: Sensor, *, reflective: bool) -> Sensor:
    """The sensor with the unit that is read; statistics of radiance do not hold for reflectance."""
    if not reflective:
        return sensor
    return replace(sensor, unit="reflectance", plausible=(-0.1, 2.0), counts=None, statistics=())


def _spacing(lon: Plane, lat: Plane) -> float:
    """Size of a swath pixel in metres: the nominal one when the median spacing is near it."""
    found = spacing_m(lon.astype(np.float64), lat.astype(np.float64))
    near = [s for s in _SIZES_M if s / _OWN <= found <= s * _OWN]
    return near[0] if near else (found if np.isfinite(found) else _SIZES_M[0])


def _grid(strip: Strip, spacing: float, request: Request) -> tuple[Window, float]:
    """The grid, and the size of its pixel in metres."""
    lon, lat = unwrap(strip.lon.astype(np.float64)), strip.lat.astype(np.float64)
    crs = known_crs(request.crs or fitting_crs(lon, lat))
    size = spacing if spacing in _SIZES_M else float(f"{spacing:.2g}")
    middle = float(np.nanmin(lat) + np.nanmax(lat)) / 2
    step = step_of(crs, size, middle, request.resolution)
    return grid_over(lon, lat, crs, step), step[1] * (DEGREE_M if crs.geographic else 1.0)
