"""Scene: imagery at rest. A sensor, a place, a time and where the pixels are; reading happens later, window by window.

*Source* of a fact: "read" from the file or its sidecar, "given" by the caller, "assumed" by a documented rule (the
warning that goes with it says which), or "unknown".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Float
from xarray.backends import BackendArray
from xarray.core import indexing

from armillary.earth.card import card_text
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.earth.when import iso
from armillary.earth.window import Window

Source = Literal["read", "given", "assumed", "unknown"]


@runtime_checkable
class Pixels(Protocol):
    """Where a scene's values come from."""

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Values in the sensor's unit as float32, NaN where invalid, of these bands (positions) and this crop.

        `rows` and `cols` have int start and stop inside the scene. Safe to call from several threads.
        """


@dataclass(frozen=True, eq=False)
class Scene:
    """Imagery at rest.

    Args:
        href: where it came from, as the caller wrote it.
        sensor: the sensor, narrowed to the bands that are here and in the order in which they are read.
        window: the place; its CRS may be None.
        time: when it was sensed, timezone-aware UTC, or None.
        pixels: reads crops.
        sources: for "sensor", "bands", "crs", "time" and "scaling": where the fact came from.
        facts: anything else worth printing, name -> text (baseline, offset, polarisation, quality filter ...).
    """

    href: str
    sensor: Sensor
    window: Window
    time: datetime | None
    pixels: Pixels
    sources: Mapping[str, Source]
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def select(self, band_names: Sequence[str]) -> "Scene":
        """The same scene with only these bands, in this order."""
        at = self.sensor.index(band_names)
        return replace(self, sensor=self.sensor.select(band_names), pixels=_Picked(self.pixels, at))

    def crop(self, *, rows: slice, cols: slice) -> "Scene":
        """The part of the scene that lies under these rows and columns."""
        window = self.window.crop(rows=rows, cols=cols)
        return replace(self, window=window, pixels=_Cropped(self.pixels, int(rows.start), int(cols.start)))

    def array(self) -> xr.DataArray:
        """A lazy DataArray (band, y, x): nothing is read until values are asked for, and then only the crop asked.

        Attributes: sensor, unit, time (ISO 8601 or None), href, `<fact>_source` for each source, and every fact;
        for a sensor that is not of the fleet also `sensor_card`, its card as YAML, so that the array explains itself.
        """
        h, w = self.window.shape
        lazy = indexing.LazilyIndexedArray(_Lazy(self.pixels, (len(self.sensor.bands), h, w)))
        attrs: dict[str, object] = {
            "sensor": self.sensor.name,
            "unit": self.sensor.unit,
            "time": None if self.time is None else iso(self.time),
            "href": self.href,
            **{f"{k}_source": v for k, v in self.sources.items()},
            **self.facts,
            **({"synthetic": True} if "synthetic" in self.facts else {}),
        }
        if self.sensor.name not in sensors:
            attrs["sensor_card"] = card_text(self.sensor)
        coords = {"band": list(self.sensor.band_names), **_axes(self.window)}
        array = xr.DataArray(xr.Variable(("band", "y", "x"), lazy, attrs), coords=coords, name=self.sensor.name)
        placed: xr.DataArray = array.rio.write_transform(self.window.affine)
        return placed if self.window.crs is None else placed.rio.write_crs(str(self.window.crs))


def _axes(window: Window) -> dict[str, xr.Variable]:
    """Coordinates of the pixel centres; a turned or sheared grid has none, so its rows and columns are counted."""
    h, w = window.shape
    if not window.is_upright:
        return {"row": xr.Variable("y", np.arange(h)), "col": xr.Variable("x", np.arange(w))}
    a = window.affine
    x = a.c + a.a * (np.arange(w) + 0.5)
    y = a.f + a.e * (np.arange(h) + 0.5)
    return {"y": xr.Variable("y", y), "x": xr.Variable("x", x)}


@dataclass(frozen=True, eq=False)
class _Picked:
    pixels: Pixels
    at: tuple[int, ...]

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        return self.pixels.read([self.at[b] for b in bands], rows, cols)


@dataclass(frozen=True, eq=False)
class _Cropped:
    pixels: Pixels
    row: int
    col: int

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        return self.pixels.read(
            bands,
            slice(self.row + rows.start, self.row + rows.stop),
            slice(self.col + cols.start, self.col + cols.stop),
        )


class _Lazy(BackendArray):
    """xarray's door to `Pixels.read`."""

    def __init__(self, pixels: Pixels, shape: tuple[int, int, int]) -> None:
        self.pixels = pixels
        self.shape = shape
        self.dtype = np.dtype(np.float32)

    def __deepcopy__(self, memo: object) -> "_Lazy":
        return self  # nothing in it ever changes

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Float[np.ndarray, "..."]:
        outer = indexing.IndexingSupport.OUTER
        values: np.ndarray = indexing.explicit_indexing_adapter(key, self.shape, outer, self._outer)
        return values

    def _outer(self, key: tuple[int | slice | np.ndarray, ...]) -> Float[np.ndarray, "..."]:
        """Read the bounding crop of the request, then index inside it."""
        steps = [np.arange(n)[k] for n, k in zip(self.shape, key, strict=True)]
        bands, rows, cols = (np.atleast_1d(s) for s in steps)
        if not (bands.size and rows.size and cols.size):
            block = np.empty((bands.size, rows.size, cols.size), np.float32)
        else:
            r0, c0 = int(rows.min()), int(cols.min())
            block = self.pixels.read(bands.tolist(), slice(r0, int(rows.max()) + 1), slice(c0, int(cols.max()) + 1))
            block = block[:, rows - r0][:, :, cols - c0]
        scalar = tuple(0 if np.ndim(s) == 0 else slice(None) for s in steps)
        return np.asarray(block[scalar])
