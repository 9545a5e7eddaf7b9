"""SSL4EO-S12 with its labels: folders `s1`, `s2c` (level 1C) and `s2a` (level 2A), LOCATION/PRODUCT/BAND.tif.

A *season* is a position: the i-th product of each sensor at a location, as sensing dates of one season differ between
sensors (arXiv:2211.07044). Labels are of products of level 1C. There are void locations: numbers without a folder.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange, SceneNotFound
from armillary.sample.array import from_array
from armillary.sample.sample import Sample
from armillary.sample.scene_labels import SceneLabels
from armillary.scene.gridded.clues import read_name
from armillary.scene.gridded.raster import SUFFIXES, read_planes
from armillary.scene.open import open as open_scene

FOLDERS: Mapping[str, str] = MappingProxyType({"s2-l1c": "s2c", "s2-l2a": "s2a", "s1-grd": "s1"})
"""Sensor -> its folder. The first that is there gives the products that labels are of."""

OFFSET_BEGAN = datetime(2022, 1, 25, tzinfo=UTC)
"""Products of Sentinel-2 that were sensed before hold no offset: processing baseline 04.00 began that day."""

FAR = 45
"""Days between products of one season beyond which they may well be of two."""

log = logging.getLogger(__name__)

Per = Literal["location", "season"]

Sensed = tuple[str, datetime]
"""Sensor and sensing time: which season of a place a sample is of."""


@dataclass(frozen=True)
class Scenes:
    """The folders of one sensor.

    Args:
        root: that holds one folder per location.
    """

    root: Path

    @cached_property
    def locations(self) -> tuple[str, ...]:
        """Names of the locations that are there."""
        if not self.root.is_dir():
            raise SceneNotFound(f"scenes were asked for at {self.root} and no folder is there; check the path")
        return tuple(sorted(_folders(self.root)))

    def products(self, location: str) -> tuple[str, ...]:
        """Products of a location in the order of their seasons; none where there is no folder.

        Sorted by sensing time, which for one satellite is the order of names. Products of S1A and S1B do not begin
        with their time: sorted by name alone, all of S1A would come before any of S1B.
        """
        folder = self.root / location
        return tuple(sorted(_folders(folder) if folder.is_dir() else (), key=_when))

    def window(self, location: str, product: str) -> Window:
        """The finest grid among the bands of a scene.

        Raises:
            SceneNotFound: it holds no raster.
        """
        files = (self.root / location / product).iterdir()
        bands = [p for p in files if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
        if not bands:
            raise SceneNotFound(f"{self.root / location / product} holds no raster; leave the folder out")
        found = [read_planes(str(p), p.stem).window for p in sorted(bands)]
        return min(found, key=lambda w: abs(w.affine.a))


@dataclass(frozen=True)
class SSL4EOS12:
    """SSL4EO-S12 as a Source, with labels where they are given.

    The key of a location is its name; that of one season of it is the name, @ and the season's number, so that all
    seasons of a location stay on one side of a split.

    Args:
        folder: that holds `s1`, `s2c`, `s2a`, or some of them.
        labels: as `armillary.sample.scene_labels.read_labels` gives them; None: no scene is labelled.
        sensors: which are drawn.
        per: "location": a draw takes one of its seasons at random; "season": every season is a place of its own.
        only_labelled: whether seasons without a label, and locations without any, are left out.
    """

    folder: Path
    labels: SceneLabels | None = field(default=None, compare=False)
    sensors: tuple[str, ...] = tuple(FOLDERS)
    per: Per = "location"
    only_labelled: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        odd = [s for s in self.sensors if s not in FOLDERS]
        if odd or not self.sensors:
            raise BadInput(f"SSL4EO-S12 has no {', '.join(odd) or 'sensor'}; it has {', '.join(FOLDERS)}")
        if self.per not in get_args(Per):
            raise BadInput(f"places per {self.per!r} were asked of SSL4EO-S12; per= is {' or '.join(get_args(Per))}")
        if self.only_labelled and self.labels is None:
            raise BadInput("labelled seasons alone were asked for and no labels are given; give labels=")

    def __len__(self) -> int:
        return len(self._places)

    def key(self, place: int) -> str:
        """The name of a location, or of one season of it."""
        location, seasons = self._place(place)
        return location if self.per == "location" else f"{location}@{seasons[0]}"

    def checksum(self) -> str:
        """One word for the products and labels that are drawn."""
        told = [self.per, *(f"{s} {n} {self._products(s, n)}" for n, _ in self._places for s in self.sensors)]
        told += [str(self.classes(n, i)) for n, seasons in self._places for i in seasons]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One season of a place: a sample of each sensor that has it."""
        location, seasons = self._place(place)
        season = seasons[int(rng.integers(len(seasons)))]
        return self.read(location, season)

    def read(self, location: str, season: int) -> Mapping[str, Sample]:
        """Every sensor's sample of one season.

        Raises:
            SceneNotFound: no such location.
            OutOfRange: no such season of it.
            SceneUnreadable: a band cannot be read.
        """
        seasons = self._seasons(location)
        if not seasons:
            raise SceneNotFound(f"the location {location} was asked of {self.folder}, which lacks it; check the name")
        if not 0 <= season < seasons:
            raise OutOfRange(f"season {season} of {location} was asked for; it has 0 to {seasons - 1} in {self.folder}")
        out = {}
        for sensor in self.sensors:
            products = self._products(sensor, location)
            if season < len(products):
                path = self.folder / FOLDERS[sensor] / location / products[season]
                offset = 0.0 if _has_no_offset(sensor, products[season]) else None
                out[sensor] = from_array(open_scene(path, sensors[sensor], offset=offset))
        return out

    def classes(self, location: str, season: int) -> tuple[int, ...] | None:
        """The label of a scene; () where it has none, None where nothing is known of it.

        Matched by the product of level 1C, and by position where its folder is not there.
        """
        found = None if self.labels is None else self.labels.get(location)
        if found is None:
            return None
        products = self._products("s2-l1c", location)
        ordered = products or sorted(found, key=_when)
        return found.get(ordered[season]) if 0 <= season < len(ordered) else None

    def classes_of(self, place: int, samples: Mapping[str, Sample]) -> tuple[int, ...] | None:
        """The label of what was drawn at a place, known by its time.

        Raises:
            BadInput: the samples are of another place.
        """
        location, seasons = self._place(place)
        drawn = {(name, sample.time) for name, sample in samples.items()}
        for season in seasons:
            if not drawn.isdisjoint(self._sensed(location, season)):
                return self.classes(location, season)
        raise BadInput(f"the samples were not drawn at {self.key(place)}; give what draw() gave")

    def label_table(self) -> Mapping[str, tuple[int, ...]]:
        """Key of each place -> its classes; of a location, those of all its seasons. Unlabelled places are left out."""
        found = {}
        for place, (location, seasons) in enumerate(self._places):
            classes = {c for i in seasons for c in self.classes(location, i) or ()}
            if classes:
                found[self.key(place)] = tuple(sorted(classes))
        return found

    def changing_labels(self) -> Mapping[str, Mapping[Sensed, tuple[int, ...]]]:
        """Key of each place whose seasons differ in their label -> what was sensed -> its classes, () for no label.

        Raises:
            BadInput: the name of a product there tells no time.
        """
        found = {}
        for place, (location, seasons) in enumerate(self._places):
            if len({self.classes(location, i) or () for i in seasons}) > 1:
                found[self.key(place)] = self._by_time(location, seasons)
        return found

    def _by_time(self, location: str, seasons: tuple[int, ...]) -> Mapping[Sensed, tuple[int, ...]]:
        found: dict[Sensed, tuple[int, ...]] = {}
        for season in seasons:
            classes = self.classes(location, season) or ()
            for sensor, time in self._sensed(location, season):
                if time is None:
                    raise BadInput(
                        f"the labels of {location} change with the season and the name of a product of {sensor} there "
                        "tells no time by which to find its own; name products as SSL4EO-S12 does"
                    )
                if found.setdefault((sensor, time), classes) != classes:  # two seasons at one time: nobody can tell
                    found[sensor, time] = ()
        return found

    def _sensed(self, location: str, season: int) -> tuple[tuple[str, datetime | None], ...]:
        """Sensor and time of each product of a season, as their names tell them."""
        products = {s: self._products(s, location) for s in self.sensors}
        return tuple((s, read_name(p[season]).time) for s, p in products.items() if season < len(p))

    def _place(self, place: int) -> tuple[str, tuple[int, ...]]:
        if not 0 <= place < len(self._places):
            raise OutOfRange(f"place {place} was asked for; {self.folder} has 0 to {len(self._places) - 1}")
        return self._places[place]

    def _products(self, sensor: str, location: str) -> tuple[str, ...]:
        kept = self._kept.get((sensor, location))
        if kept is None:
            kept = self._kept[sensor, location] = Scenes(self.folder / FOLDERS[sensor]).products(location)
        return kept

    def _seasons(self, location: str) -> int:
        return max(len(self._products(s, location)) for s in self.sensors)

    @cached_property
    def _kept(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return {}

    @cached_property
    def _places(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        roots = [self.folder / FOLDERS[s] for s in self.sensors]
        there = [Scenes(root) for root in roots if root.is_dir()]
        if not there:
            raise SceneNotFound(
                f"{self.folder} holds none of {', '.join(r.name for r in roots)}; give the folder of SSL4EO-S12"
            )
        places: list[tuple[str, tuple[int, ...]]] = []
        for location in sorted({name for scenes in there for name in scenes.locations}):
            every = range(self._seasons(location))
            seasons = tuple(i for i in every if not self.only_labelled or self.classes(location, i))
            if seasons:
                places += [(location, seasons)] if self.per == "location" else [(location, (i,)) for i in seasons]
        self._look_at(places)
        return tuple(places)

    def _look_at(self, places: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        """Warn of seasons whose sensors saw a place at dates that are too far apart for one season."""
        apart = [(name, i) for name, seasons in places for i in seasons if self._days_apart(name, i) > FAR]
        if apart:
            log.warning(
                "%s: products of one season lie more than %d days apart, in %d season(s), season %d of %s first; where "
                "a sensor lacks a season, its later ones meet others: add what is missing, or take the location out",
                self.folder,
                FAR,
                len(apart),
                apart[0][1],
                apart[0][0],
            )

    def _days_apart(self, location: str, season: int) -> int:
        times = [time for _, time in self._sensed(location, season) if time is not None]
        return (max(times) - min(times)).days if times else 0


def scenes_in(folder: Path) -> Scenes:
    """The scenes that labels are of: those of level 1C where they are there, else of the next sensor.

    Raises:
        SceneNotFound: none of the folders of SSL4EO-S12 is there.
    """
    for name in FOLDERS.values():
        if (folder / name).is_dir():
            return Scenes(folder / name)
    raise SceneNotFound(f"{folder} holds none of {', '.join(FOLDERS.values())}; give the folder of SSL4EO-S12")


def _folders(within: Path) -> list[str]:
    """Names of folders, without those that are hidden."""
    return [p.name for p in within.iterdir() if p.is_dir() and not p.name.startswith(".")]


def _has_no_offset(sensor: str, product: str) -> bool:
    time = read_name(product).time
    return sensor.startswith("s2") and time is not None and time < OFFSET_BEGAN


def _when(product: str) -> tuple[str, str]:
    """Sensing time as the name tells it, then the name."""
    time = read_name(product).time
    return ("" if time is None else time.isoformat()), product
