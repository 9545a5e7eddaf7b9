"""Thumbs: flood sites as display composites of Sentinel-1 and Sentinel-2 before and after, with the flood, as a Source.

The folder holds tiles of the sensors ombria-s1, ombria-s2 and water (OMBRIA, Drakonakis et al. 2022), with the locks
"pre" and "post". A sample stands under the name of its strand: s1-before, s1-after, s2-before, s2-after, flood; what
the style of the four pictures is taken from stands under s1-before-style and so on.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from armillary.errors import BadInput, OutOfRange
from armillary.sample.sample import Sample
from armillary.sample.tiles import Row, Tiles

NAMES: Mapping[tuple[str, str], str] = {
    ("ombria-s1", "pre"): "s1-before",
    ("ombria-s1", "post"): "s1-after",
    ("ombria-s2", "pre"): "s2-before",
    ("ombria-s2", "post"): "s2-after",
    ("water", "post"): "flood",
}
"""Sensor and lock -> strand."""


@dataclass(frozen=True)
class Thumbs:
    """The sites of some groups: `Thumbs(folder, groups=("g1", "g3"))`. A group is what must not be split.

    Args:
        folder: what `write_tiles` wrote.
        groups: only these; none given means all.
        side_px: side of a random cut of a site; None takes sites whole.

    Raises:
        BadInput: no such group, or no pixel to cut.
    """

    folder: Path
    groups: tuple[str, ...] = ()
    side_px: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if self.side_px is not None and self.side_px < 1:
            raise BadInput(f"side_px={self.side_px} was asked for; give 1 or more, or None for whole sites")

    def __len__(self) -> int:
        return len(self._sites)

    def key(self, place: int) -> str:
        """The name of a site."""
        return self._site(place)[0].place

    def group(self, place: int) -> str:
        """The group of a site."""
        return _group(self._site(place)[0])

    def checksum(self) -> str:
        """One word for the tiles chosen and how they are drawn."""
        told = " ".join([str(self.side_px), *(f"{r.id} {r.checksum}" for site in self._sites for r in site)])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """Everything of a site, cut at one random rectangle.

        Raises:
            OutOfRange: no such site, or one that is smaller than the cut.
            SceneUnreadable: what is there cannot be read; the message names the file.
        """
        site = self._site(place)
        shares = rng.random(2)
        cuts = [self._cut(size, share) for size, share in zip((site[0].height, site[0].width), shares, strict=True)]
        cut = {NAMES[r.sensor, r.lock]: self._tiles.read(r, rows=cuts[0], cols=cuts[1]) for r in site}
        return {**cut, **self.styles(place, rng)}

    def styles(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """Pictures of one other site of the same group as references, under the names of their strands.

        A group's only site has none.
        """
        fellows = [i for i in self._fellows[self.group(place)] if i != place]
        if not fellows:
            return {}
        found = self.whole(fellows[int(rng.integers(len(fellows)))])
        return {f"{name}-style": sample for name, sample in found.items() if name != "flood"}

    def whole(self, place: int) -> Mapping[str, Sample]:
        """Everything of a site, uncut."""
        return {NAMES[r.sensor, r.lock]: self._tiles.read(r) for r in self._site(place)}

    def _cut(self, size: int, share: float) -> slice:
        side = size if self.side_px is None else self.side_px
        if side > size:
            raise OutOfRange(f"a cut of {side} px was asked of a site of {size} px; ask for less")
        start = int(share * (size - side + 1))
        return slice(start, start + side)

    def _site(self, place: int) -> tuple[Row, ...]:
        if not 0 <= place < len(self._sites):
            raise OutOfRange(f"site {place} was asked for; {self.folder} has 0 to {len(self._sites) - 1}")
        return self._sites[place]

    @cached_property
    def _fellows(self) -> Mapping[str, tuple[int, ...]]:
        groups = [self.group(i) for i in range(len(self))]
        return {g: tuple(i for i, own in enumerate(groups) if own == g) for g in set(groups)}

    @cached_property
    def _tiles(self) -> Tiles:
        return Tiles(self.folder, None, None)

    @cached_property
    def _sites(self) -> tuple[tuple[Row, ...], ...]:
        rows = [r for r in self._tiles.rows if (r.sensor, r.lock) in NAMES]
        known = sorted({_group(r) for r in rows})
        odd = [g for g in self.groups if g not in known]
        if not rows:
            seen = ", ".join(sorted({r.sensor for r in self._tiles.rows}))
            raise BadInput(
                f"flood sites were asked of {self.folder}, which has tiles of {seen} alone; give tiles of ombria-s1, "
                "ombria-s2 and water before and after a flood (studies/pairs.py writes them), or train cop-gen-nano, "
                "which learns from tiles of any places"
            )
        if odd:
            raise BadInput(
                f"groups {', '.join(odd)} were asked of {self.folder}, which has {', '.join(known)}; ask for those"
            )
        found: dict[str, list[Row]] = {}
        for row in rows:
            if not self.groups or _group(row) in self.groups:
                found.setdefault(row.place, []).append(row)
        return tuple(map(tuple, found.values()))


def _group(row: Row) -> str:
    return row.group.split("/")[-1]
