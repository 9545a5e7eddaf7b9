"""Folder: single-band rasters of one scene that lie together (or are given as a list) open as one scene.

Known by their names: a Major TOM cell (`B02.tif`), a date folder of SSL4EO-S12 (`B8A.tif` + metadata.json), a
BigEarthNet patch (`<patch>_B02.tif` + JSON), `VV.tif` and `VH.tif`. Files may differ in pixel size: coarser ones are
repeated onto the finest grid (see `layers`). Thumbnails, masks and other files are passed over.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from armillary.earth.lexicon import house_name
from armillary.earth.window import Window
from armillary.errors import BadInput, SceneUnreadable
from armillary.scene.gridded.clues import clues_of
from armillary.scene.gridded.planes import Plane, Planes, assemble
from armillary.scene.gridded.raster import SUFFIXES, read_planes
from armillary.scene.request import Request
from armillary.scene.scene import Scene


def recognises(path: Path) -> bool:
    """True for a folder with at least one raster of its own, unless a manifest says it is a product."""
    manifests = ("MTD_MSIL*.xml", "manifest.safe", "xfdumanifest.xml", "zarr.json", ".zgroup", "S5P_*.nc*")
    return path.is_dir() and any(_rasters(path)) and not any(any(path.glob(m)) for m in manifests)


def open_scene(path: Path, request: Request) -> Scene:
    """The folder as one scene."""
    return open_files(_rasters(path), request, href=str(path), home=path)


def open_files(files: Sequence[Path], request: Request, *, href: str, home: Path) -> Scene:
    """Files of one band each as one scene.

    Args:
        files: the rasters.
        request: what the caller gave; `bands` selects.
        href: what to call them in messages.
        home: the folder whose name and JSON speak for all of them.

    Raises:
        SceneUnreadable: none of them is named after a band.
        BadInput: a band lies in two files, or the files do not cover the same ground.
    """
    named = {f: name for f in files if (name := _band_of(f)) is not None}
    if not named:
        shown = ", ".join(f.name for f in list(files)[:5])
        raise SceneUnreadable(
            f"{href} holds no raster named after a band (found {shown}); open one file, or rename them: B02.tif"
        )
    found = [(name, read_planes(str(f), f.stem)) for f, name in named.items()]
    double = sorted({n for n, _ in found if [m for m, _ in found].count(n) > 1})
    if double:
        raise BadInput(
            f"{href} holds {double[0]} more than once: several scenes lie there; open a list of files of one"
        )
    many = [p.href for _, p in found if len(p.planes) > 1]
    if many:
        raise BadInput(f"{many[0]} holds several bands where one was expected; open that file by itself")
    planes = tuple(replace(p.planes[0], name=name) for name, p in found)
    window = finest_of([p.window for _, p in found])
    clues = clues_of(home).or_else(found[0][1].clues)
    sizes = sorted({f"{p.shape[0]}x{p.shape[1]}" for p in planes})
    facts = {"grids": f"{', '.join(sizes)}; coarser bands repeated"} if len(sizes) > 1 else {}
    return assemble(Planes(href, _ordered(planes), window, clues, facts, named=True), request)


def _rasters(path: Path) -> list[Path]:
    try:
        return sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    except OSError:
        return []


def _band_of(file: Path) -> str | None:
    """`B02`, `<patch>_B02`, `T33UUP_20200101T101031_B02_10m`: the last word that is a band, none for other files."""
    words = file.stem.split("_")
    if len(words) > 1 and words[-1] in ("10m", "20m", "60m"):
        words.pop()
    return house_name(words[-1]) if len(words[-1]) <= 4 or len(words) == 1 else None


def _ordered(planes: Sequence[Plane]) -> tuple[Plane, ...]:
    """House order: B08 before B8A before B09, VV before VH."""
    return tuple(sorted(planes, key=lambda p: _key(p.name or "")))


def _key(name: str) -> str:
    return {"B8A": "B08~", "VV": "VA"}.get(name, name)


def finest_of(windows: Sequence[Window]) -> Window:
    """The finest of several grids over the same ground; outlines may differ by one pixel of the coarser."""
    fine = min(windows, key=lambda w: abs(w.affine.a))
    for other in windows:
        _same_ground(fine, other)
    return fine


def _same_ground(fine: Window, other: Window) -> None:
    if fine.crs != other.crs:
        raise BadInput(f"the bands lie in {fine.crs} and in {other.crs}; warp them to one CRS first")
    (h, w), (k, m) = fine.shape, other.shape
    ends = zip(fine.affine @ (0, 0) + fine.affine @ (w, h), other.affine @ (0, 0) + other.affine @ (m, k), strict=True)
    if any(abs(a - b) > abs(other.affine.a) * 1.01 for a, b in ends):
        raise BadInput(
            f"the bands cover different ground: {fine.shape} pixels from {fine.affine @ (0, 0)} and {other.shape} from "
            f"{other.affine @ (0, 0)}; crop or warp them to one extent first"
        )
