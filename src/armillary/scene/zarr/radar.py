"""EOPF Sentinel-1 GRD: one group for each polarisation, uncalibrated counts, look-up tables beside them.

The same geocoding and calibration as for SAFE (see `s1` and `calibration`). `measurements/azimuth_time` of the first
products is unusable and not needed: lines are placed by the ground control points. Noise tables are often absent; then
thermal noise stays in, and the facts say so.
"""

import logging
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pyproj import Geod

from armillary.earth.fleet import sensors
from armillary.errors import SceneUnreadable, SensorUnknown
from armillary.scene.access.store import Array, Store
from armillary.scene.agreement import agree
from armillary.scene.request import Request
from armillary.scene.s1.calibration import Noise, Table, power
from armillary.scene.s1.grd import Backscatter, grid_of, quantity_of
from armillary.scene.scene import Scene
from armillary.scene.swath.geolocation import Inverse, TieGrid
from armillary.scene.swath.grid import unwrap
from armillary.scene.zarr.eopf import Discovery

COUNTS = r"(?:.*[_/])?(VV|VH|HH|HV)/measurements/grd"
"""Path of the counts of one polarisation."""

USUAL_M = (10.0, 25.0, 40.0)
"""Sample spacings of GRD products in high, medium (stripmap, IW) and medium (EW) resolution."""

_TABLES = {"sigma0": "sigma_nought", "gamma0": "gamma", "beta0": "beta_nought"}
_EARTH = Geod(ellps="WGS84")
_LOG = logging.getLogger(__name__)

Plane = Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class StoredImage:
    """One polarisation in a Zarr store, in the order in which it was sensed."""

    counts: Array
    amplitude: Table
    noise: Noise | None

    @property
    def shape(self) -> tuple[int, int]:
        """(lines, pixels)."""
        return self.counts.shape[0], self.counts.shape[1]

    def power(self, lines: slice, pixels: slice) -> Plane:
        """Linear backscatter of a crop; NaN outside the swath."""
        raw = self.counts.raw(lines, pixels).astype(np.float64)
        raw[np.isin(raw, self.counts.nodata)] = 0.0
        at = np.arange(lines.start, lines.stop, dtype=float), np.arange(pixels.start, pixels.stop, dtype=float)
        return power(raw, self.amplitude.at(*at), 0.0 if self.noise is None else self.noise.at(*at))


def open_store(store: Store, request: Request) -> Scene:
    """A GRD product as a lazy scene in dB on a map grid; `unit=` as for SAFE ("sigma0", "gamma0", "beta0", "+noise").

    Raises:
        SensorUnknown: it holds neither VV nor VH.
        SceneUnreadable: a table or the ground control points are absent.
    """
    discovery = Discovery.of(store)
    quantity, denoise = quantity_of(request.unit)
    by = {str(m[1]).upper(): a for a in store.find(COUNTS) if (m := re.fullmatch(COUNTS, a.path))}
    held = [b for b in ("VV", "VH") if b in by]
    if not held:
        raise SensorUnknown(f"{store.path} is Sentinel-1 GRD in {' and '.join(by)}; s1-grd is VV and VH")
    sensor = agree(sensors["s1-grd"].select(held), request, store.path)
    images = tuple(_image(store, by[b], quantity, denoise=denoise) for b in sensor.band_names)
    tie = _tie(store, by[sensor.band_names[0]])
    spacing = _spacing(tie, discovery)
    window, size_m = grid_of(tie, spacing, request)
    if denoise and any(i.noise is None for i in images):
        _LOG.warning("%s has no usable noise table: thermal noise stays in", store.path)
    time = request.time or discovery.time
    return Scene(
        href=str(store.path),
        sensor=sensor,
        window=window,
        time=time,
        pixels=Backscatter(images, Inverse.of(tie, window), max(1, round(size_m / spacing))),
        sources={
            "sensor": "read",
            "bands": "read" if request.bands is None else "given",
            "crs": "given" if request.crs else "read",
            "time": "given" if request.time else "read" if time else "unknown",
            "scaling": "read",
        },
        facts=_facts(discovery, tie, images, quantity, denoise=denoise),
    )


def _image(store: Store, counts: Array, quantity: str, *, denoise: bool) -> StoredImage:
    root = counts.path.removesuffix("measurements/grd")
    amplitude = _table(store, f"{root}quality/calibration", (_TABLES[quantity],))
    if amplitude is None:
        raise SceneUnreadable(
            f"{store.path} has no calibration table {_TABLES[quantity]} for {counts.path}; download it again, whole"
        )
    across = None
    if denoise:
        groups = sorted({a.group for a in store.arrays.values() if a.path.startswith(f"{root}quality/noise")})
        tables = (_table(store, g, ("noise_range_lut", "noise_lut")) for g in groups)
        across = next((t for t in tables if t is not None and t.largest > 0), None)
    return StoredImage(counts, amplitude, None if across is None else Noise(across))


def _table(store: Store, group: str, names: tuple[str, ...]) -> Table | None:
    """A look-up table and the lines and pixels at which it is given, None where one of the three is absent."""
    held = next((store.arrays[f"{group}/{n}"] for n in names if f"{group}/{n}" in store.arrays), None)
    line, pixel = store.arrays.get(f"{group}/line"), store.arrays.get(f"{group}/pixel")
    if held is None or line is None or pixel is None or len(held.shape) != 2:
        return None
    values = held.values()
    lines = line.values().reshape(values.shape[0], -1)[:, 0]
    pixels = np.broadcast_to(pixel.values(), values.shape)
    order = np.argsort(lines)
    known = [np.isfinite(values[i]) & np.isfinite(pixels[i]) for i in order]
    each = list(zip(order, known, strict=True))
    return Table(lines[order], tuple(pixels[i][k] for i, k in each), tuple(values[i][k] for i, k in each))


def _tie(store: Store, counts: Array) -> TieGrid:
    """The ground control points; line and pixel lie on axes of their own or fill the grid."""
    root = counts.path.removesuffix("measurements/grd") + "conditions/gcp"
    needed = ("line", "pixel", "longitude", "latitude", "incidence_angle")
    absent = [n for n in needed if f"{root}/{n}" not in store.arrays]
    if absent:
        raise SceneUnreadable(
            f"{store.path} has no {', '.join(absent)} in {root}; it cannot be placed: download it again"
        )
    line, pixel, lon, lat, angle = (store.arrays[f"{root}/{n}"].values() for n in needed)
    lines = line if line.ndim == 1 else line[:, 0]
    pixels = pixel if pixel.ndim == 1 else pixel[0]
    row, col = np.argsort(lines), np.argsort(pixels)
    grid = np.ix_(row, col)
    return TieGrid(lines[row], pixels[col], unwrap(lon[grid]), lat[grid], angle[grid])


def _spacing(tie: TieGrid, discovery: Discovery) -> float:
    """Metres between samples: what the product says where it says it, else from the control points.

    Along a line of control points the terrain's height shifts them; within 5 % of a usual spacing it is that.
    """
    told = discovery.fact("sar:pixel_spacing_range")
    if told and float(told) > 0:
        return float(told)
    lon, lat = (tie.lon + 180.0) % 360.0 - 180.0, tie.lat
    along = _EARTH.inv(lon[:, 0], lat[:, 0], lon[:, -1], lat[:, -1])[2]
    found = float(np.median(along)) / float(tie.pixels[-1] - tie.pixels[0])
    return next((u for u in USUAL_M if abs(found / u - 1) < 0.05), found)


def _facts(
    discovery: Discovery, tie: TieGrid, images: tuple[StoredImage, ...], quantity: str, *, denoise: bool
) -> dict[str, str]:
    removed = all(i.noise is not None for i in images)
    noise = "removed, across the range only" if removed else ("as in the file: no table" if denoise else "kept")
    facts = {
        "product": discovery.name,
        "satellite": discovery.fact("platform"),
        "pass": discovery.fact("sat:orbit_state"),
        "relative_orbit": discovery.fact("sat:relative_orbit"),
        "incidence_deg": f"{float(np.nanmean(tie.incidence)):.2f}",
        "quantity": quantity,
        "thermal_noise": noise,
    }
    return {k: v for k, v in facts.items() if v is not None}
