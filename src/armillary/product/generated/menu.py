"""Menu: what a joint model takes and what it makes, by the names that people use.

An *output* is what can be asked for: a sensor, made of one or several strands of the model, or one strand alone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import lcm

from armillary.earth.card import find_sensor
from armillary.earth.sensors import Sensor
from armillary.errors import BadInput
from armillary.generate.joint import JOINT, Joint, joint_of
from armillary.models.cop_gen import CopGen
from armillary.sample.strands import Bands, Categories, Code, Date, Height, Place, Relief, Style
from armillary.sample.thumbs import NAMES

GSD_M = 10.0
"""Ground size of a pixel, for models that know places."""

_PICTURES: Mapping[str, str] = {strand: sensor for (sensor, _), strand in NAMES.items()}
"""Strand of a flood site -> what it is of."""


@dataclass(frozen=True)
class Output:
    """What can be asked for.

    Args:
        name: by which it is asked for.
        sensor: with the bands that are made, in the sensor's order.
        codes: of the strands that it is made of.
    """

    name: str
    sensor: Sensor
    codes: tuple[Code, ...]

    @property
    def strands(self) -> tuple[str, ...]:
        """Names of the strands."""
        return tuple(code.name for code in self.codes)

    @property
    def categories(self) -> Categories | None:
        """The code of a map of categories, None for anything that can be averaged."""
        first = self.codes[0]
        return first if isinstance(first, Categories) else None


@dataclass(frozen=True)
class Menu:
    """Everything that a model takes and makes.

    Args:
        codes: what its strands mean, in the network's order.
        token_px: a window's side is a multiple of this, so that every strand falls into whole tokens.
    """

    codes: tuple[Code, ...]
    token_px: int = 1

    @cached_property
    def outputs(self) -> Mapping[str, Output]:
        """Name of a sensor -> what is made of it."""
        groups: dict[str, list[Code]] = {}
        for code in self.codes:
            if isinstance(code, Bands | Relief | Height | Categories):
                groups.setdefault(_keys(code)[0], []).append(code)
        return {name: _output(name, tuple(codes)) for name, codes in groups.items()}

    @property
    def takes(self) -> tuple[str, ...]:
        """Names under which something may be given."""
        return tuple(dict.fromkeys(k for c in self.codes if not isinstance(c, Place | Date) for k in _keys(c)))

    @property
    def categories(self) -> tuple[str, ...]:
        """Names under which maps of categories are given."""
        return tuple(k for c in self.codes if isinstance(c, Categories) for k in _keys(c))

    @property
    def styles(self) -> Mapping[str, Style]:
        """Name of a picture -> the code of its style."""
        return {c.name.removesuffix("-style"): c for c in self.codes if isinstance(c, Style)}

    @property
    def gsd_m(self) -> float | None:
        """Ground size of a pixel; None for pictures without one."""
        return GSD_M if any(isinstance(c, Place) for c in self.codes) else None

    @property
    def tile_px(self) -> int:
        """Side of what the model sees at once, in pixels of the ground."""
        return next(c.side_px for c in self.codes if isinstance(c, Bands | Relief | Categories))

    def sensor(self, key: str) -> Sensor:
        """What is given under a name.

        Raises:
            BadInput: nothing may be.
        """
        if key not in self.takes:
            raise BadInput(f"{key!r} was given; this model takes {', '.join(self.takes)}: name one of these")
        return find_sensor(_PICTURES.get(key.removesuffix("-style"), key))

    def known_by(self, bands: Mapping[str, Collection[str]]) -> dict[str, str]:
        """Which strands are known, and under which name each was given, when these bands are given under these names.

        Of several names that mean one strand, the first that the strand's code mentions counts.
        """
        found = {}
        for code in self.codes:
            for key in reversed(() if isinstance(code, Style | Place | Date) else _keys(code)):
                if key in bands and (not isinstance(code, Bands) or set(bands[key]) & set(code.bands)):
                    found[code.name] = key
        return found

    def asked(self, to: Iterable[str]) -> tuple[Output, ...]:
        """What is asked for, by names of sensors or of strands, each once.

        Raises:
            BadInput: the model makes nothing of that name, or nothing is asked.
        """
        alone = {c.name: _output(c.name, (c,)) for c in self.codes if isinstance(c, Bands | Categories)}
        known = {**alone, **self.outputs}
        names = tuple(dict.fromkeys((to,) if isinstance(to, str) else to))
        odd = [n for n in names if n not in known]
        if odd or not names:
            what = f"{', '.join(map(repr, odd))} was asked for" if odd else "nothing was asked for"
            raise BadInput(f"{what}; this model makes {', '.join(self.outputs)}: name at least one of these in to=")
        return tuple(known[n] for n in names)


def menu_of(model: CopGen, name: str | None = None) -> tuple[Joint, Menu]:
    """What a network means: the entry of its name, or the one whose strands are its own.

    Raises:
        BadInput: the network is of no known entry, as those that work on latents.
    """
    wanted = tuple((s.name, s.channels, s.height, s.width) for s in model.config.strands)
    for joint in JOINT.values() if name is None else (joint_of(name),):
        if tuple((code.name, *code.shape) for code in joint.codes) == wanted:
            side = max(s.height for s in model.config.strands)
            return joint, Menu(
                joint.codes, lcm(*(s.patch * side // s.height for s in model.config.strands if s.height > 1))
            )
    raise BadInput(
        f"a model of {', '.join(model.config.names)} was given; what its numbers mean is known of {', '.join(JOINT)} "
        "alone: give one of these, or tensors under the names of strands"
    )


def _keys(code: Code) -> tuple[str, ...]:
    """Names under which what a strand is made of may be given."""
    if isinstance(code, Bands):
        return code.keys
    return (code.key,) if isinstance(code, Relief | Height | Categories) else (code.name,)


def _output(name: str, codes: tuple[Code, ...]) -> Output:
    key = _keys(codes[0])[0]
    sensor = find_sensor(_PICTURES.get(key, key))
    made = {b for c in codes if isinstance(c, Bands) for b in c.bands}
    return Output(name, sensor.select([b for b in sensor.band_names if not made or b in made]), codes)
