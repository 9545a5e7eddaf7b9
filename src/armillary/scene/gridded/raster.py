"""Raster: any single file that GDAL reads (GeoTIFF, COG, JP2, PNG, WebP ...), with any subset and order of bands.

Read where it lies: local, inside a zip (/vsizip/), or remote (/vsicurl/, /vsis3/) by range requests.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import RasterioError

from armillary.earth.lexicon import house_name
from armillary.earth.window import Window
from armillary.errors import SceneUnreadable
from armillary.scene.gridded.clues import clues_of
from armillary.scene.gridded.planes import Plane, Planes, assemble
from armillary.scene.request import Request
from armillary.scene.scene import Scene

SUFFIXES = (".tif", ".tiff", ".jp2", ".png", ".webp", ".jpg", ".jpeg", ".vrt", ".img", ".bil")


OTHER_POLARISATIONS = ("HH", "HV")
"""Names that tell that an unnamed guess would be wrong: the fleet's radar has VV and VH."""

OPTICAL_NUMBERS = range(1, 13)
"""B1 to B12 are names of Sentinel-2; a file that counts further only counts."""


def recognises(path: Path) -> bool:
    """True for a file with the suffix of a raster."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def open_scene(path: Path, request: Request) -> Scene:
    """The raster as a scene.

    Raises:
        SceneUnreadable: it is no raster, or it is cut off before its pixels begin.
        SensorUnknown, BandMismatch, BadInput: what it is of cannot be told; the message names the remedy.
    """
    return open_href(str(path), request)


def open_href(href: str, request: Request) -> Scene:
    """The same for anything that GDAL opens by name."""
    return assemble(read_planes(href, stem=Path(href).stem), request)


def read_planes(href: str, stem: str) -> Planes:
    """Every band of a file and what it says about itself; no pixel is read."""
    try:
        with rasterio.open(href) as file:
            names = _names(file.descriptions, file.count, stem)
            scaled = tuple(zip(file.scales, file.offsets, strict=True))
            window = Window.of(file.shape, file.transform, _crs(file))
            planes = tuple(
                Plane(href, i + 1, file.shape, file.dtypes[i], names[i], file.nodatavals[i], scaled[i], window.affine)
                for i in range(file.count)
            )
            tags = dict(file.tags())
    except RasterioError as cause:
        raise SceneUnreadable(
            f"{href} was asked for and is no raster that can be read ({str(cause).splitlines()[0][:120]}); check that "
            "the file is whole and of the kind that its name says"
        ) from cause
    return Planes(href, planes, window, clues_of(Path(href), tags), _marks(tags))


def _marks(tags: Mapping[str, str]) -> dict[str, str]:
    """What must not be forgotten of a file: that a model made it."""
    return {"synthetic": tags["SYNTHETIC"]} if "SYNTHETIC" in tags else {}


def _crs(file: Any) -> object | None:
    """The CRS as EPSG where it has a code, else as WKT; local engineering systems count as none."""
    crs = file.crs
    if not crs or not (crs.is_geographic or crs.is_projected):
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else crs.to_wkt()


def _names(descriptions: Sequence[str | None], count: int, stem: str) -> list[str | None]:
    """Band descriptions where they tell bands apart; the file's name for a file of one band."""
    useful = [d for d in descriptions if d and (house_name(d) or d.upper() in OTHER_POLARISATIONS)]
    counted = [(d or "").lower() for d in descriptions] == [f"b{i + 1}" for i in range(count)]
    if counted and (count == 1 or count > len(OPTICAL_NUMBERS)):  # b1, b2, ... b13: numbers, not names
        useful = []
    if useful:
        return [_without_step(d, descriptions) if d else f"band {i + 1}" for i, d in enumerate(descriptions)]
    if count == 1:
        last = stem.rsplit("_", 1)[-1]
        for name in (last, stem, *stem.split("_")[::-1]):
            if house_name(name):
                return [name]
    return [None] * count


def _without_step(name: str, names: Sequence[str | None]) -> str:
    """`B1_11` is B1 of step 11 where the file also holds `B1`; `3_B1` is B1 where it holds `0_B1` (Earth Engine)."""
    base, _, step = name.rpartition("_")
    if step.isdigit() and base in names:
        return base
    first, _, rest = name.partition("_")
    return rest if first.isdigit() and f"0_{rest}" in names else name
