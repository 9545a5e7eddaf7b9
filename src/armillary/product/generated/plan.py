"""Plan: a request for synthetic scenes, understood and checked before a pixel is read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from numbers import Integral, Real

import numpy as np
import xarray as xr
from affine import Affine
from jaxtyping import Float

from armillary.earth.fleet import sensors
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange
from armillary.generate.condition import Roles
from armillary.generate.joint import Joint
from armillary.generate.solver import Solver
from armillary.product.generated.grid import Given, grid_of, mean_time, named, plain
from armillary.product.generated.layout import Layout
from armillary.product.generated.menu import Menu, Output
from armillary.sample.array import from_array
from armillary.sample.sample import Sample
from armillary.sample.strands import Date, Place
from armillary.scene.scene import Scene

OVERLAP = 4
"""Neighbouring windows share one part in so many."""


@dataclass(frozen=True)
class How:
    """How it is generated.

    Args:
        steps: how often the network is asked; 1 gives what is expected, in place of a sample.
        guidance: how much what is given counts: 1 as much as the network says, above 1 more.
        place: True: told from the scene where it is known; False: left out; or longitude and latitude in degrees.
        date: True: told from the scene where it is known; False: left out; or a time in ISO 8601.
        style: a reference picture of the same event, or name of a picture -> reference.
        view_px: side of a window; None: what the model was trained with.
        overlap_px: pixels that neighbouring windows share; None: a quarter of a window.
        batch: windows that go through the model at once.

    Raises:
        OutOfRange: a number that cannot be; whether windows can lie so is seen when the scene is known.
        BadInput: a place that is no pair of numbers.
    """

    steps: int = 20
    guidance: float = 1.0
    place: bool | tuple[float, float] = True
    date: bool | str = True
    style: Given | Mapping[str, Given] | None = None
    view_px: int | None = None
    overlap_px: int | None = None
    batch: int = 16

    def __post_init__(self) -> None:
        refuse_parts(steps=self.steps, batch=self.batch)
        Solver(steps=self.steps)  # refuses too many
        sides = {"view_px": self.view_px, "overlap_px": self.overlap_px}
        refuse_parts(least=0, **{name: n for name, n in sides.items() if n is not None})
        if not _is_number(self.guidance):
            raise OutOfRange(f"guidance={self.guidance!r} was given; give a number, 1 for what the model says")
        pair = self.place
        if not isinstance(pair, bool) and not (
            isinstance(pair, tuple | list) and len(pair) == 2 and all(map(_is_number, pair))
        ):
            raise BadInput(f"place={pair!r} was given; give longitude and latitude in degrees, or True or False")


def refuse_parts(least: int | None = 1, **numbers: object) -> None:
    """Refuse what is no whole number, by name.

    Raises:
        OutOfRange: one is none, or is less than the least.
    """
    for name, n in numbers.items():
        if not isinstance(n, Integral) or isinstance(n, bool) or (least is not None and n < least):
            raise OutOfRange(
                f"{name}={n!r} was given; give a whole number" + ("" if least is None else f" from {least} up")
            )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be done.

    Args:
        joint: what the network means.
        menu: what it takes and makes.
        layout: where the windows are.
        scenes: what is given, by name.
        known: strand -> the name under which what it is made of was given.
        told: strand -> numbers that were not read from pixels: place, date, styles.
        outputs: what is asked for.
        roles: of every strand.
        seed: of the request.
        samples: how many.
        time: that the products carry.
        how: the rest.
    """

    joint: Joint
    menu: Menu
    layout: Layout
    scenes: Mapping[str, Scene]
    known: Mapping[str, str]
    told: Mapping[str, Float[np.ndarray, "_ _ _"]]
    outputs: tuple[Output, ...]
    roles: Roles
    seed: int
    samples: int
    time: datetime | None
    how: How = field(default_factory=How)

    @property
    def given(self) -> tuple[str, ...]:
        """Everything that the model was told, in words."""
        shown = (f"{k} (synthetic)" if "synthetic" in s.facts else k for k, s in self.scenes.items())
        return (*shown, *self.told)

    @property
    def solver(self) -> Solver:
        """How finely it goes."""
        return Solver(steps=self.how.steps)


def plan_of(
    x: Given | Mapping[str, Given] | None,
    to: object,
    model: tuple[Joint, Menu],
    samples: int,
    seed: int,
    how: How,
) -> Plan:
    """A request, understood.

    Args:
        x: what is given, or None.
        to: names of what is asked for.
        model: what the network means.
        samples: how many.
        seed: of all that is random.
        how: the rest.

    Raises:
        BadInput, OutOfRange, BandMismatch: it cannot be; each one sentence.
    """
    refuse_parts(samples=samples)
    refuse_parts(least=None, seed=seed)
    joint, menu = model
    references, views = _references(x, menu, how.style)
    scenes = {} if views is None else named(views, menu)
    outputs = menu.asked(names_of(to))
    grid = grid_of(scenes, menu.gsd_m) if scenes else _nowhere(menu)
    view = menu.tile_px if how.view_px is None else how.view_px
    layout = Layout(menu.codes, grid, menu.tile_px, view, view // OVERLAP if how.overlap_px is None else how.overlap_px)
    if view % menu.token_px:
        raise OutOfRange(f"windows of view_px={view} were asked for; give a multiple of {menu.token_px}")
    if how.overlap_px is not None and how.overlap_px % layout.cell_px:
        raise OutOfRange(f"overlap_px={how.overlap_px} was asked for; give a multiple of {layout.cell_px}")
    known = menu.known_by({k: s.sensor.band_names for k, s in scenes.items()})
    time = mean_time(scenes) if isinstance(how.date, bool) else utc(how.date)
    told = {
        **_styles(references, menu, outputs),
        **_place(layout, how.place),
        **_date(menu, time if how.date else None),
    }
    _refuse_given(outputs, known)
    wanted = [s for o in outputs for s in o.strands]
    names = [c.name for c in menu.codes]
    roles = Roles.asking(names, dict.fromkeys(wanted), {**known, **told}, "left out", guidance=how.guidance)
    return Plan(joint, menu, layout, scenes, known, told, outputs, roles, seed, samples, time, how)


def names_of(to: object) -> tuple[str, ...]:
    """Names of what is asked for, as they may be written.

    Raises:
        BadInput: it is something else.
    """
    if isinstance(to, str):
        return (to,)
    if not isinstance(to, list | tuple) or not all(isinstance(n, str) for n in to):
        raise BadInput(f"to={to!r} was given; give names of sensors, as in to=['dem', 's2-l2a']")
    return tuple(to)


def _nowhere(menu: Menu) -> Window:
    """One tile without a place."""
    return Window.of((menu.tile_px, menu.tile_px), Affine.scale(1, -1), None)


def _refuse_given(outputs: tuple[Output, ...], known: Mapping[str, str]) -> None:
    for output in outputs:
        held = [s for s in output.strands if s in known]
        rest = [s for s in output.strands if s not in known and len(output.strands) > 1]
        if held:
            remedy = f"ask for what is missing of it: {', '.join(rest)}" if rest else "drop one"
            raise BadInput(f"{output.name} is both given and wanted, and what is given comes back as it is; {remedy}")


def _references(
    x: Given | Mapping[str, Given] | None, menu: Menu, style: Given | Mapping[str, Given] | None
) -> tuple[Given | Mapping[str, Given] | None, Given | Mapping[str, Given] | None]:
    """References of style, and the rest of what is given."""
    if not isinstance(x, Mapping):
        return style, x
    ends = {f"{picture}-style": picture for picture in menu.styles}
    found = {ends[k]: v for k, v in x.items() if k in ends}
    if found and style is not None:
        raise BadInput(f"{', '.join(found)} has a style in style= and in what is given; give it once")
    return found or style, {k: v for k, v in x.items() if k not in ends}


def _styles(
    references: Given | Mapping[str, Given] | None, menu: Menu, outputs: tuple[Output, ...]
) -> dict[str, Float[np.ndarray, "c 1 1"]]:
    """Numbers of the style strands that references tell."""
    if references is None:
        return {}
    if not menu.styles:
        raise BadInput("style= was given to a model that has no styles; leave it out, or ask cop-gen-thumb")
    for one in references.values() if isinstance(references, Mapping) else (references,):
        if not isinstance(one, xr.DataArray | Sample):
            raise BadInput(f"style= is a {type(one).__name__}; give a DataArray (see arm.open) or a Sample")
    if not isinstance(references, Mapping):
        own = references.sensor.name if isinstance(references, Sample) else references.attrs.get("sensor")
        fits = [o.name for o in outputs if o.name in menu.styles and o.sensor.name == own]
        if not fits:
            raise BadInput(f"style= is a picture of {own}, and nothing of that kind is asked for; give one that is")
        references = dict.fromkeys(fits, references)
    told = {}
    for picture, reference in references.items():
        code = menu.styles.get(picture)
        if code is None:
            raise BadInput(f"style= names {picture!r}; styles are of {', '.join(menu.styles)}")
        sample = reference if isinstance(reference, Sample) else from_array(plain(reference, f"the style of {picture}"))
        values = code.physical({code.name: sample})
        if values is None or not np.isfinite(values).all():
            raise BadInput(
                f"the reference of {picture} lacks one of {', '.join(code.bands)}, or was not measured in it; give a "
                "picture with all"
            )
        told[code.name] = code.encode(values)
    return told


def _place(layout: Layout, place: bool | tuple[float, float]) -> dict[str, Float[np.ndarray, "c h w"]]:
    """Numbers of the place of each window."""
    code = next((c for c in layout.codes if isinstance(c, Place)), None)
    if isinstance(place, bool):
        if code is None or not place or layout.grid.crs is None:
            return {}
        return {code.name: code.encode(layout.middles())}
    lon, lat = place
    if code is None or not (abs(lon) <= 360 and abs(lat) <= 90):
        why = "the model knows no places" if code is None else "no such place is on Earth"
        raise BadInput(f"place={place} was given and {why}; leave it out, or give longitude and latitude in degrees")
    numbers = code.encode(np.array([lon, lat], np.float32)[:, None, None])
    return {code.name: np.broadcast_to(numbers, layout.shapes[code.name]).copy()}


def _date(menu: Menu, time: datetime | None) -> dict[str, Float[np.ndarray, "c 1 1"]]:
    code = next((c for c in menu.codes if isinstance(c, Date)), None)
    if code is None or time is None:
        return {}
    moment = Sample(np.zeros((1, 1, 1), np.float32), sensors["dem"], Window.of((1, 1), Affine.identity(), None), time)
    values = code.physical({"moment": moment})
    return {} if values is None else {code.name: code.encode(values)}
