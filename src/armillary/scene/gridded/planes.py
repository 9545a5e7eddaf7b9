"""Planes: what lies in raster files before anyone knows which sensor it is of, and how they become a Scene.

A *plane* is one band of one file. Several files of one scene (one per band, each with its own pixel size) and one file
of many bands meet here; from here on they are the same.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import numpy as np
from affine import Affine
from jaxtyping import Shaped

from armillary.earth.lexicon import house_name
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch
from armillary.scene.gridded.clues import Clues
from armillary.scene.gridded.coarsen import coarsened
from armillary.scene.gridded.layers import Layer, LayerPixels, probe
from armillary.scene.gridded.recognise import Choice, choose
from armillary.scene.gridded.rules import rules_of
from armillary.scene.request import Request
from armillary.scene.scene import Scene, Source


@dataclass(frozen=True)
class Plane:
    """One band of one file: where it is, what it is called there, how it is stored.

    Args:
        href: path or /vsi path.
        index: the band's number in the file, from 1.
        shape: (rows, cols) of the file.
        dtype: stored numpy dtype.
        name: what the file or its name calls the band.
        nodata: the stored number that means nothing.
        scaled: GDAL's scale and offset tags: value = stored * scale + offset.
        affine: of the file's own grid, None when it is that of the scene.
    """

    href: str
    index: int
    shape: tuple[int, int]
    dtype: str
    name: str | None = None
    nodata: float | None = None
    scaled: tuple[float, float] = (1.0, 0.0)
    affine: Affine | None = None


@dataclass(frozen=True)
class Planes:
    """The planes of one scene, over the same ground.

    Args:
        href: as the caller wrote it.
        planes: in file order.
        window: the finest grid of them.
        clues: what names and sidecars say.
        facts: worth printing.
        named: whether names are those of files or assets: then `bands=` can only pick, never rename.
    """

    href: str
    planes: tuple[Plane, ...]
    window: Window
    clues: Clues
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    named: bool = False


def assemble(found: Planes, request: Request) -> Scene:
    """A Scene: which sensor, which bands, when, and how numbers become values. Guesses warn; nothing is silent."""
    _refuse_complex(found)
    names = _names(found, request)
    look = _Look(found.planes)
    choice = choose(found.href, names, request, found.clues.sensors, look.sample, [p.dtype for p in found.planes])
    chosen, facts = _at_step(choice, found, request)
    sensor = choice.sensor.select([b for b, _ in chosen])
    planes = [found.planes[i] for _, i in chosen]
    samples = _Look(planes)
    decided = rules_of(
        found.href,
        sensor,
        [p.dtype for p in planes],
        [p.nodata for p in planes],
        request,
        found.clues,
        samples.sample,
        scaled=[p.scaled for p in planes],
    )
    time, time_source = _time(found, request, choice)
    window, crs_source = _place(found, request)
    for text in (choice.warning, decided.scaling.warning):
        if text:
            warn(found.href, text)
    if request.min_qa is not None:
        raise BadInput(f"min_qa= is for Sentinel-5P products; {found.href} holds {sensor.name}: leave it out")
    layers = tuple(
        Layer(p.href, p.index, p.shape, r, _onto(p, found.window)) for p, r in zip(planes, decided.rules, strict=True)
    )
    scene = Scene(
        href=found.href,
        sensor=sensor,
        window=window,
        time=time,
        pixels=LayerPixels(layers, window.shape),
        sources={
            "sensor": choice.sensor_source,
            "bands": choice.bands_source,
            "crs": crs_source,
            "time": time_source,
            "scaling": decided.scaling.source,
        },
        facts={**found.facts, **choice.facts, **facts, **decided.scaling.facts},
    )
    return scene if request.resolution is None else coarsened(scene, request.resolution)


def warn(href: str, text: str) -> None:
    """One sentence to the caller, naming the file and the remedy."""
    warnings.warn(f"{href}: {text}", UserWarning, stacklevel=2)


class _Look:
    """A look at the stored numbers of planes, taken once and only when asked for."""

    def __init__(self, planes: Sequence[Plane]) -> None:
        self.planes = planes
        self.seen: dict[int, np.ndarray] = {}

    def sample(self, at: int) -> Shaped[np.ndarray, " n"]:
        if at not in self.seen:
            href, shape = self.planes[at].href, self.planes[at].shape
            same = [i for i, p in enumerate(self.planes) if p.href == href]
            for i, values in zip(same, probe(href, [self.planes[i].index for i in same], shape), strict=True):
                self.seen[i] = values
        return self.seen[at]


def _refuse_complex(found: Planes) -> None:
    odd = next((p for p in found.planes if p.dtype.startswith("complex")), None)
    if odd is not None:
        raise BadInput(
            f"{odd.href} holds {odd.dtype} numbers, as single-look radar does, and a scene holds real ones; "
            "open its intensity or amplitude"
        )


def _onto(plane: Plane, grid: Window) -> Affine | None:
    """Pixel coordinates of the grid -> those of the plane's file; None when they are equal."""
    if plane.affine is None:
        return None
    onto = ~plane.affine @ grid.affine
    h, w = plane.shape
    drift = max(abs(a - b) for a, b in zip(onto @ (w, h) + onto @ (0, 0), (w, h, 0, 0), strict=True))
    return None if plane.shape == grid.shape and drift < 0.01 else onto


def _names(found: Planes, request: Request) -> list[str] | None:
    """What each plane is called: `bands=` picks where the file names the same bands, else it names them."""
    n = len(found.planes)
    held = [str(p.name) for p in found.planes] if all(p.name for p in found.planes) else None
    if request.bands is None or (held and (found.named or len(request.bands) != n)):
        return held
    if len(request.bands) != n:
        raise BandMismatch(
            f"bands= names {len(request.bands)} bands, {found.href} holds {n}; name every band of the file in its order"
        )
    if held is None or not all(house_name(b) for b in held):
        return list(request.bands)
    houses, asked = [house_name(b) for b in held], [house_name(b) for b in request.bands]
    if set(houses) == set(asked):
        return held
    warn(found.href, f"the file calls its bands {', '.join(held)}; bands= was believed: {', '.join(request.bands)}")
    return list(request.bands)


def _at_step(choice: Choice, found: Planes, request: Request) -> tuple[list[tuple[str, int]], dict[str, str]]:
    """(band, plane) of the step asked for; a file with each band once has one step."""
    steps = min(len(at) for at in choice.planes.values())
    most = max(len(at) for at in choice.planes.values())
    if steps < most:
        often = ", ".join(f"{b} {len(at)}" for b, at in choice.planes.items())
        raise BandMismatch(
            f"{found.href} holds its bands unequally often ({often} times), so neither a scene nor a time series; "
            "name every band of the file in its order with bands="
        )
    step = request.step or 0
    if not 0 <= step < max(steps, 1):
        raise BadInput(f"step={step} of {found.href} was asked for, it holds steps 0 to {steps - 1}")
    if most == 1:
        return [(b, at[0]) for b, at in choice.planes.items()], {}
    if request.step is None:
        warn(found.href, f"each band is there {most} times: a time series; step 0 was taken, give step= to choose")
    return [(b, at[step]) for b, at in choice.planes.items()], {"step": f"{step} of {steps}"}


def _time(found: Planes, request: Request, choice: Choice) -> tuple[datetime | None, Source]:
    if request.time is not None:
        return request.time, "given"
    if choice.sensor.name == "dem" and found.clues.time_source == "assumed":
        return None, "unknown"  # a height has no day; the date of its file is none either
    if found.clues.time is not None:
        return found.clues.time, found.clues.time_source or "read"
    if choice.sensor.name != "dem":
        warn(found.href, "the time is unknown; give time= (ISO 8601, UTC) if you know it")
    return None, "unknown"


def _place(found: Planes, request: Request) -> tuple[Window, Source]:
    window = found.window
    if request.crs is not None:
        return Window.of(window.shape, window.affine, request.crs), "given"
    if window.crs is None:
        warn(found.href, "no CRS, so no place on Earth; give crs= if you know it (maps are refused without one)")
        return window, "unknown"
    return window, "read"
