"""Grid: the one grid of a request, and everything that was given brought onto it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Float
from pyproj import Geod
from rasterio.enums import Resampling

from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, EmptyScene, OutOfRange
from armillary.product.footprint import footprint
from armillary.product.generated.menu import Menu
from armillary.product.strips import GSD_TOLERANCE
from armillary.sample.array import sensor_of, window_of
from armillary.sample.sample import Sample
from armillary.scene.onto import onto
from armillary.scene.scene import Scene

_EARTH = Geod(ellps="WGS84")

COARSEST = 10
"""Pixels of the model along the side of a pixel that is given, when nothing finer is."""

Given = xr.DataArray | Sample

Reader = Callable[[slice], Float[np.ndarray, "c h w"]]
"""Rows of the grid, from its first column to its last."""


@dataclass(frozen=True, eq=False)
class _Held:
    """Values of an array, read when they are asked for."""

    array: Given

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        if isinstance(self.array, Sample):
            return self.array.pixels[list(bands), rows, cols].astype(np.float32)
        return np.asarray(self.array[list(bands), rows, cols].values, np.float32)


def named(x: Given | Mapping[str, Given], menu: Menu) -> dict[str, Scene]:
    """What is given, under the names that the model knows, in the order in which it was given.

    Raises:
        BadInput: no array, an unknown name, or one array that could be several things.
        BandMismatch: it has none of the bands that its name promises.
    """
    if not isinstance(x, Mapping):
        if not isinstance(x, xr.DataArray | Sample):
            raise BadInput(
                f"arm.generate takes a DataArray, a Sample or a mapping of these, got {type(x).__name__}; see arm.open"
            )
        own = sensor_of(plain(x, "what is given")).name if isinstance(x, xr.DataArray) else x.sensor.name
        fits = [k for k in menu.takes if menu.sensor(k).name == own and k not in {f"{s}-style" for s in menu.styles}]
        if len(fits) != 1:
            what = f"could be {' or '.join(fits)}" if fits else f"is none of {', '.join(menu.takes)}"
            raise BadInput(f"an array of {own} was given, which {what}; give a mapping with the name that it has here")
        x = {fits[0]: x}
    return {key: _scene(key, view, menu) for key, view in x.items()}


def _scene(key: str, view: Given, menu: Menu) -> Scene:
    promised = menu.sensor(key)
    if isinstance(view, xr.DataArray):
        plain(view, key)
    if isinstance(view, Sample):
        scene = Scene(key, view.sensor, view.window, view.time, _Held(view), {})
    elif isinstance(view, xr.DataArray):
        time = view.attrs.get("time")
        href = str(view.attrs.get("href") or key)
        facts = {"synthetic": "YES"} if view.attrs.get("synthetic") else {}
        when = None if time is None else utc(time)
        scene = Scene(href, sensor_of(view), window_of(view), when, _Held(view), {}, facts)
    else:
        raise BadInput(f"{key} is given as {type(view).__name__}; give a DataArray (see arm.open) or a Sample")
    if scene.sensor.name != promised.name:
        raise BadInput(
            f"{key} was promised and the array is of {scene.sensor.name}; name each array by what it is of, which is "
            f"{promised.name} for {key}"
        )
    if not set(scene.sensor.band_names) & set(promised.band_names):
        raise BandMismatch(f"{key} is given without any of {', '.join(promised.band_names)}; give at least one band")
    return scene


def plain(view: xr.DataArray, key: str) -> xr.DataArray:
    """The same array, when it is one that can be read.

    Raises:
        BadInput: other dimensions than band, y and x.
        EmptyScene: not one pixel.
    """
    if view.dims != ("band", "y", "x"):
        raise BadInput(
            f"{key} is an array {view.dims}, and (band, y, x) is needed; choose one of several, or rename or transpose "
            "its dimensions"
        )
    if not view.size:
        raise EmptyScene(f"{key} is {view.shape} (band, y, x) and holds not one pixel; check how it was cut")
    return view


def grid_of(scenes: Mapping[str, Scene], gsd_m: float | None) -> Window:
    """The grid of the products: that of the first Sentinel-1 or -2 scene, else of the first.

    Where its pixels are not of the model's size, the same ground is divided into pixels that are.

    Raises:
        BadInput: scenes that lie apart, or that have no CRS and not one shape.
        OutOfRange: the pixels are so coarse that nothing can be said of what lies within.
    """
    first = next((s for k, s in scenes.items() if k.startswith(("s1", "s2"))), next(iter(scenes.values())))
    placed = [s for s in scenes.values() if s.window.crs is not None]
    if first.window.crs is None and placed:
        first = placed[0]
    for key, scene in scenes.items():
        if scene.window.crs is None and scene.window.shape != first.window.shape:
            raise BadInput(
                f"{key} has no CRS and {_px(scene.window)}, {first.href} has {_px(first.window)}; open it with crs=, "
                "or give arrays of one shape that lie on each other"
            )
        if scene.window.crs is not None and not footprint(scene.window).intersects(footprint(first.window)):
            raise BadInput(
                f"{key} ({scene.href}) and {first.href} do not overlap on the ground; give scenes of one place"
            )
    return first.window if gsd_m is None else _resized(first, gsd_m)


def reader(scene: Scene, grid: Window, *, categories: bool = False) -> Reader:
    """Rows of a scene on the grid.

    Bilinear, or averages where its pixels are much finer; the nearest for categories; as they are where the grids are
    one, or where it has no CRS.
    """

    def read(rows: slice) -> Float[np.ndarray, "c h w"]:
        if scene.window.crs is None or grid.crs is None:
            at = _rows_of(scene.window, grid, rows)
            values = scene.pixels.read(
                range(len(scene.sensor.bands)), slice(at[0], at[-1] + 1), slice(0, scene.window.shape[1])
            )
            return values[:, [r - at[0] for r in at]][:, :, _steps(scene.window.shape[1], grid.shape[1])]
        part = grid.crop(rows=rows, cols=slice(0, grid.shape[1]))
        return onto(scene, part, Resampling.nearest if categories else None)

    return read


def _rows_of(window: Window, grid: Window, rows: slice) -> list[int]:
    return _steps(window.shape[0], grid.shape[0])[rows]


def _steps(have: int, want: int) -> list[int]:
    """The nearest of `have` pixels for each of `want` that cover the same ground."""
    return [min(have - 1, (2 * i + 1) * have // (2 * want)) for i in range(want)]


def mean_time(scenes: Mapping[str, Scene]) -> datetime | None:
    """The middle of the times that are known."""
    times = [s.time for s in scenes.values() if s.time is not None]
    if not times:
        return None
    first = min(times)
    return first + sum((t - first for t in times), first - first) / len(times)


def _resized(first: Scene, gsd_m: float) -> Window:
    """The same ground in pixels of about this size along rows and along columns."""
    window = first.window
    if window.crs is None:
        return window
    sides = _sides_m(window)
    if max(sides) > COARSEST * gsd_m:
        raise OutOfRange(
            f"{first.href} has pixels of {max(sides):.0f} m, and the model works on {gsd_m:g} m; give a scene of "
            f"{COARSEST * gsd_m:g} m or finer with it, on whose grid the products will lie"
        )
    if all(abs(side / gsd_m - 1) <= GSD_TOLERANCE for side in sides):
        return window
    h, w = (max(1, round(n * side / gsd_m)) for n, side in zip(window.shape, sides, strict=True))
    scale = Affine.scale(window.shape[1] / w, window.shape[0] / h)
    return Window.of((h, w), window.affine @ scale, window.crs)


def _sides_m(window: Window) -> tuple[float, float]:
    """Height and width of the middle pixel on the ground, metres.

    Raises:
        OutOfRange: there is no such ground.
    """
    row, col = (n / 2 for n in window.shape)
    ends = (((row - 0.5, col), (row + 0.5, col)), ((row, col - 0.5), (row, col + 0.5)))
    down, across = (_EARTH.inv(*window.lonlat(*a), *window.lonlat(*b))[2] for a, b in ends)
    return float(down), float(across)


def _px(window: Window) -> str:
    return "{} x {} pixels".format(*window.shape)
