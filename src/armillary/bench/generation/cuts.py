"""Cuts: the held-out items that are asked, those that floors learn from, and which of them are taken.

A *cut* is one item: the strands of one rectangle of ground at one date. Taking is even and never random: so many of
each place, evenly over its cuts, then evenly over all where there are too many.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from armillary.errors import BadInput, SceneNotFound
from armillary.generate.joint import joint_of
from armillary.generate.noise import seed_of
from armillary.sample.pairs import Pairs
from armillary.sample.sample import Sample
from armillary.sample.strands import Code, physical
from armillary.sample.thumbs import NAMES, Thumbs
from armillary.sample.tiles import TABLE

T = TypeVar("T")

Item = Mapping[str, Float[np.ndarray, "_ _ _"]]
Samples = Mapping[str, Sample]

TRAIN_PER_PLACE, TRAIN_MOST = 16, 400
"""Cuts that floors learn from."""


@dataclass(frozen=True, eq=False)
class Cut:
    """One item, read when first asked for.

    Args:
        key: names it, and decides its noise.
        block: the ground that it shows; cuts of one block differ in their date.
        place: what is drawn as one for an interval.
        open: reads its samples.
        codes: how strands are made of them.
        names: of the samples, as far as is known without reading them.
    """

    key: str
    block: str
    place: str
    open: Callable[[], Samples]
    codes: tuple[Code, ...]
    names: tuple[str, ...] = ()
    _kept: list[tuple[Item, float]] = field(default_factory=list, repr=False)

    @property
    def item(self) -> Item:
        """Strand -> values in their own unit."""
        return self._read()[0]

    @property
    def day(self) -> float:
        """Mean date of the samples in days since 1970-01-01, nan where none is known."""
        return self._read()[1]

    def _read(self) -> tuple[Item, float]:
        if not self._kept:
            samples = self.open()
            days = [s.days for s in samples.values() if s.time is not None]
            self._kept.append((physical(samples, self.codes), float(np.mean(days)) if days else float("nan")))
        return self._kept[0]


@dataclass(frozen=True, eq=False)
class Material:
    """What a run looks at.

    Args:
        held: cuts that are asked, held out in training.
        train: cuts that floors learn from.
        dates: block -> all its cuts, where it has several.
        crowds: all held-out and all training cuts, also those that show one sensor alone.
        checksum: of the data.
    """

    held: tuple[Cut, ...]
    train: tuple[Cut, ...]
    dates: Mapping[str, tuple[Cut, ...]]
    crowds: tuple[tuple[Cut, ...], tuple[Cut, ...]]
    checksum: str


Opener = Callable[[str, Path, str, int, int], Material]
"""Model, folder, group that is held out, cuts of a place, most cuts."""


def open_material(model: str, folder: Path, held_out: str, per_place: int, most: int) -> Material:
    """What a model of the table is asked on.

    Args:
        model: its name, without weights.
        folder: what studies/pairs.py wrote.
        held_out: group of flood sites; "" where the folder itself says what is held out.
        per_place: most held-out cuts of one place.
        most: most held-out cuts in all.

    Raises:
        SceneNotFound: no folder of tiles.
        BadInput: nothing can be asked of this model, or a group is missing or not wanted.
    """
    joint = joint_of(model)
    if not (folder / TABLE).is_file():
        raise SceneNotFound(f"{folder} holds no tiles; give --data a folder that studies/pairs.py wrote")
    found = MATERIALS[model](folder, joint.codes, held_out)
    if not found.held:
        raise BadInput(f"{folder} holds nothing that is held out; give a folder that studies/pairs.py wrote")
    held = even(found.held, per_place, most)
    train = even(found.train, TRAIN_PER_PLACE, TRAIN_MOST)
    return Material(held, train, found.dates, found.crowds, found.checksum)


def pairs_material(folder: Path, codes: tuple[Code, ...], held_out: str) -> Material:
    """Real places; the folder says which are held out."""
    if held_out:
        raise BadInput(f"--held-out {held_out} was given; {folder} says itself what is held out: leave it out")
    side = max(code.shape[1] for code in codes)
    sides = {split: Pairs(folder, split, side, together=2) for split in ("held-out", "train")}
    held, train = (_cuts_of_pairs(pairs, codes) for pairs in sides.values())
    alone = tuple(tuple(_cuts_of_pairs(Pairs(folder, s, side), codes)) for s in sides)
    checksum = " ".join(p.checksum() for p in sides.values())
    return Material(tuple(held), tuple(train), _several(held), (alone[0], alone[1]), checksum)


def thumbs_material(folder: Path, codes: tuple[Code, ...], held_out: str) -> Material:
    """Flood sites; one group is held out."""
    everything = Thumbs(folder)
    groups = sorted({everything.group(i) for i in range(len(everything))})
    if held_out not in groups:
        raise BadInput(
            f"--held-out {held_out or '(nothing)'} was given; name the group that this model did not learn from, "
            f"of {', '.join(groups)}"
        )
    sources = Thumbs(folder, (held_out,)), Thumbs(folder, tuple(g for g in groups if g != held_out))
    side = max(code.shape[1] for code in codes) * 2
    held, train = (tuple(_cuts_of_thumbs(t, codes, side)) for t in sources)
    return Material(held, train, {}, (held, train), f"{sources[0].checksum()} {sources[1].checksum()}")


MATERIALS: Mapping[str, Callable[[Path, tuple[Code, ...], str], Material]] = MappingProxyType(
    {"cop-gen-nano": pairs_material, "cop-gen-thumb": thumbs_material}
)
"""Model -> how its folder is read."""


def even(cuts: Sequence[Cut], per_place: int, most: int) -> tuple[Cut, ...]:
    """So many of each place, evenly over its cuts, and no more than so many in all, evenly over those."""
    by_place: dict[str, list[Cut]] = {}
    for cut in cuts:
        by_place.setdefault(cut.place, []).append(cut)
    return evenly(tuple(chain.from_iterable(evenly(own, per_place) for own in by_place.values())), most)


def evenly(of: Sequence[T], most: int) -> tuple[T, ...]:
    """At most so many, evenly spaced.

    Example:
        >>> evenly("abcdefgh", 3)
        ('b', 'e', 'g')
    """
    n = min(most, len(of))
    return tuple(of[int((k + 0.5) * len(of) / n)] for k in range(n))


def in_turn(cuts: Iterable[Cut], most: int) -> tuple[Cut, ...]:
    """At most so many, one of each place after the other."""
    by_place: dict[str, list[Cut]] = {}
    for cut in cuts:
        by_place.setdefault(cut.place, []).append(cut)
    rounds = chain.from_iterable(zip_longest(*(evenly(own, most) for own in by_place.values())))
    return tuple(c for c in rounds if c is not None)[:most]


def _cuts_of_pairs(pairs: Pairs, codes: tuple[Code, ...]) -> list[Cut]:
    found = []
    for i in range(len(pairs)):
        several = len(pairs.companies(i)) > 1
        for c, company in enumerate(pairs.companies(i)):
            key = f"{pairs.key(i)} {c}" if several else pairs.key(i)
            names = tuple(row.sensor for row in company)
            found.append(Cut(key, pairs.key(i), pairs.place(i), partial(pairs.middle, i, c), codes, names))
    return found


def _cuts_of_thumbs(thumbs: Thumbs, codes: tuple[Code, ...], side: int) -> Iterable[Cut]:
    for i in range(len(thumbs)):
        key = thumbs.key(i)
        yield Cut(key, key, key, partial(_site, thumbs, i, side), codes, tuple(NAMES.values()))


def _site(thumbs: Thumbs, i: int, side: int) -> Samples:
    """The middle of a site, and its references for styles."""
    rng = np.random.default_rng(seed_of(0, "style", thumbs.key(i)))
    cut = {name: _middle(sample, side) for name, sample in thumbs.whole(i).items()}
    return cut | dict(thumbs.styles(i, rng))


def _middle(sample: Sample, side: int) -> Sample:
    rows, cols = (slice((n - side) // 2, (n - side) // 2 + side) for n in sample.window.shape)
    return sample.crop(rows=rows, cols=cols)


def _several(cuts: Iterable[Cut]) -> dict[str, tuple[Cut, ...]]:
    found: dict[str, list[Cut]] = {}
    for cut in cuts:
        found.setdefault(cut.block, []).append(cut)
    return {block: tuple(own) for block, own in found.items() if len(own) > 1}
