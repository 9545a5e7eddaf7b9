"""Land-cover rasters at rest: maps of codes, or of nine probabilities, found by name or by place.

Values are never interpolated: a pixel of another grid takes the nearest one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from jaxtyping import Bool, Shaped
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from armillary.earth.legend import CLASSES
from armillary.earth.window import Window
from armillary.errors import BadInput, PlaceUnknown, SceneNotFound, SceneUnreadable
from armillary.scene.gridded.raster import SUFFIXES

TOP_LABEL = len(CLASSES) + 1
"""Bands of Dynamic World as Earth Engine exports it: nine probabilities, then the label."""

FARTHEST = 2.0**53
"""No code lies beyond: the last whole number that floats count without a gap."""


@dataclass(frozen=True, eq=False)
class CoverMap:
    """Land cover of a window.

    Args:
        values: codes [1 h w] (whole numbers), or probabilities [9 h w].
        known: False where the file says that nothing was seen, and beyond its edge.
        inside: False beyond the edge of the file alone, or where it has no value at all; never by its `nodata`.
        window: the place.
        nodata: the number with which the file says so, None where it has none.
        href: where it was read.
    """

    values: Shaped[np.ndarray, "c h w"]
    known: Bool[np.ndarray, "h w"]
    inside: Bool[np.ndarray, "h w"]
    window: Window
    nodata: float | None
    href: str

    @property
    def is_codes(self) -> bool:
        """Whether it holds codes of a legend, and not probabilities."""
        return len(self.values) == 1


def read_cover(path: Path, window: Window | None = None) -> CoverMap:
    """A land-cover raster, as it lies or over the grid of a window.

    Raises:
        SceneUnreadable: no raster, or one of another number of bands.
        BadInput: values that are neither codes nor shares: fractions in one band, complex or infinite ones.
        PlaceUnknown: a window was asked of a raster without a CRS.
    """
    try:
        with rasterio.open(path) as file:
            bands = _bands(file.count, str(path))
            own = Window.of(file.shape, file.transform, file.crs.to_wkt() if file.crs else None)
            if window is None:
                known = file.read_masks(1) > 0
                inside = known if file.nodata is None else np.ones_like(known)
                return _checked(CoverMap(file.read(bands), known, inside, own, file.nodata, str(path)))
            if own.crs is None or window.crs is None:
                raise PlaceUnknown(f"{path} or the scene it should cover has no CRS; warp it onto the scene's grid")
            filler = np.nan if np.issubdtype(np.dtype(file.dtypes[0]), np.floating) else None
            grid = {
                "crs": str(window.crs),
                "transform": window.affine,
                "height": window.shape[0],
                "width": window.shape[1],
                "resampling": Resampling.nearest,
            }
            with WarpedVRT(
                file,
                **grid,
                nodata=file.nodata if file.nodata is not None else filler,
                add_alpha=file.nodata is None and filler is None,
            ) as put:
                values, known = put.read(bands), put.read_masks(1) > 0
            inside = known
            if file.nodata is not None:
                with WarpedVRT(file, **grid, src_nodata=None, nodata=None, add_alpha=True) as put:
                    inside = put.dataset_mask() > 0
            return _checked(CoverMap(values, known, inside, window, file.nodata, str(path)))
    except RasterioError as cause:
        raise _unreadable(path, cause) from cause


@dataclass(frozen=True)
class CoverFolder:
    """A folder of land-cover rasters, or one raster.

    What is hidden, or was drawn of labels that lie beside it, is no map.

    A scene finds its map by name, `LOCATION/PRODUCT.tif`, `LOCATION/PRODUCT/any.tif` or `LOCATION.tif`, and else by
    place: every raster that touches it.
    """

    root: Path

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Every raster, in the order of their names.

        Raises:
            SceneNotFound: there is none.
        """
        if self.root.is_file():
            return (self.root,)
        rasters = (p for p in self.root.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
        found = tuple(sorted(p for p in rasters if not (_hidden(p.relative_to(self.root)) or _drawn(p))))
        if not found:
            raise SceneNotFound(f"land cover was asked for at {self.root} and no raster is there; check the path")
        return found

    def names_of(self, path: Path) -> tuple[str, str]:
        """Location and product that the path of a raster tells."""
        match path.relative_to(self.root).parts if path != self.root else (path.name,):
            case (*_, location, product, _) if self._alone(path):
                return location, product
            case (*_, location, _):
                return location, path.stem
            case _:
                return path.stem, path.stem

    def find(self, location: str, product: str) -> Path | None:
        """The raster of a scene, by its names."""
        return self._by_names.get((location, product)) or self._by_names.get((location, location))

    def touching(self, window: Window) -> tuple[Path, ...]:
        """Rasters whose outline touches that of a window, in degrees.

        Raises:
            SceneUnreadable: a raster that cannot be read.
            PlaceUnknown: a raster without a CRS, or one that its CRS gives no place on Earth.
        """
        bounds = _bounds(window)
        return tuple(path for path, outline in self._outlines.items() if _meet(outline, bounds))

    def over(
        self, location: str, product: str, window: Window, told: Callable[[CoverMap], CoverMap]
    ) -> CoverMap | None:
        """The land cover of a scene on its own grid; None where no raster knows any of it.

        Where several rasters touch it, the first that knows a pixel gives it; `told` says what each of them knows.
        """
        own = self.find(location, product)
        paths = self.touching(window) if own is None else (own,)
        whole: CoverMap | None = None
        for path in paths:
            part = told(read_cover(path, window))
            if part.known.any():
                whole = part if whole is None else _joined(whole, part)
            if whole is not None and whole.known.all():
                break
        return whole

    @cached_property
    def _by_names(self) -> dict[tuple[str, str], Path]:
        return {self.names_of(p): p for p in self.files}

    @cached_property
    def _outlines(self) -> dict[Path, Sequence[float]]:
        return {path: _outline(path) for path in self.files}

    def _alone(self, path: Path) -> bool:
        """A raster in a folder of its own, below that of a location: the folder is the product."""
        inside = path.relative_to(self.root).parts
        return len(inside) > 2 and self._siblings[path.parent] == 1

    @cached_property
    def _siblings(self) -> dict[Path, int]:
        parents = [p.parent for p in self.files]
        return {parent: parents.count(parent) for parent in dict.fromkeys(parents)}


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _drawn(path: Path) -> bool:
    """A picture of the statistics of labels, beside the labels and their shares."""
    return path.suffix == ".png" and all(path.with_suffix(ending).is_file() for ending in (".json", ".parquet"))


def _bands(count: int, href: str) -> list[int]:
    if count == 1:
        return [1]
    if count in (len(CLASSES), TOP_LABEL):
        return list(range(1, len(CLASSES) + 1))
    raise SceneUnreadable(
        f"{href} has {count} bands; a land-cover map has one of codes, or nine of probabilities (ten with the label)"
    )


def _checked(found: CoverMap) -> CoverMap:
    values, known, inside = found.values, found.known, found.inside
    if np.iscomplexobj(values) or np.isinf(values[:, known]).any():
        raise BadInput(
            f"{found.href} holds complex or infinite values; a land-cover map holds whole codes, or nine bands"
        )
    if found.is_codes and not np.issubdtype(values.dtype, np.integer):
        finite = np.isfinite(values[0])
        whole = np.clip(np.where(finite, values, 255.0), -FARTHEST, FARTHEST)
        if not np.array_equal(whole, whole.round()):
            raise BadInput(
                f"{found.href} holds fractions in one band; a land-cover map holds whole codes, or nine bands"
            )
        known, inside, values = known & finite, inside & finite, whole.astype(np.int64)
    if not found.is_codes:
        values = np.where(known, values.astype(np.float32), np.float32(np.nan))
    return replace(found, values=values, known=known, inside=inside)


def _joined(first: CoverMap, then: CoverMap) -> CoverMap:
    if len(first.values) != len(then.values):
        raise BadInput(
            f"{first.href} holds {len(first.values)} bands and {then.href} {len(then.values)}; keep one kind"
        )
    return CoverMap(
        np.where(first.known, first.values, then.values),
        first.known | then.known,
        first.inside | then.inside,
        first.window,
        None,
        f"{first.href}; {then.href}",
    )


def _outline(path: Path) -> Sequence[float]:
    try:
        with rasterio.open(path) as file:
            if not file.crs:
                raise PlaceUnknown(
                    f"{path} was asked which scenes it covers and has no CRS; give it one, or take it out of the folder"
                )
            return _bounds(Window.of(file.shape, file.transform, file.crs.to_wkt()))
    except RasterioError as cause:
        raise _unreadable(path, cause) from cause


def _unreadable(path: Path, cause: RasterioError) -> SceneUnreadable:
    return SceneUnreadable(
        f"{path} was asked for as a land-cover map and cannot be read ({str(cause).splitlines()[0][:120]}); check "
        "that the file is whole"
    )


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two outlines (west, south, east, north) touch; across the antimeridian, west is greater than east."""
    (w, s, e, n), (west, south, east, north) = one, other
    e, east = e + 360 * (e < w), east + 360 * (east < west)
    return (
        s <= north and n >= south and any(w <= east + turn and e >= west + turn for turn in (-720, -360, 0, 360, 720))
    )


def _bounds(window: Window) -> Sequence[float]:
    if window.crs is None:
        return (-180.0, -90.0, 180.0, 90.0)
    h, w = window.shape
    xs, ys = zip(*(window.affine @ corner for corner in ((0, 0), (w, 0), (0, h), (w, h))), strict=True)
    found: Sequence[float] = transform_bounds(str(window.crs), "EPSG:4326", min(xs), min(ys), max(xs), max(ys))
    return found
