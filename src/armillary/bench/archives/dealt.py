"""Dealt: items of a labelled set whose split is a small table that ships with the project.

A *split table* has one row per item (`key`) or per group of items (`group`: a block of land, a cluster of
near-duplicates, an event), and says on which side it is: `part` is train, val or test, for one fixed split; or `fold`
names the one fold in which it is asked. In fold k the items of fold k are asked, those of the fold that follows choose
settings, and all others teach; with `chooses=False` nothing is set aside to choose.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files as resources
from io import StringIO
from math import floor
from types import MappingProxyType
from typing import get_args

import numpy as np

from armillary.bench.task import Item, Part
from armillary.errors import BadInput, SceneNotFound
from armillary.sample.sample import Sample

PARTS: tuple[Part, ...] = get_args(Part)
Row = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Dealt:
    """All items of a task, read one at a time; see `armillary.bench.task.Items`.

    Args:
        keys: unique names.
        parts: of each item.
        groups: name of each item's group; items of one group are never on two sides.
        sources: names of the files of each item.
        see: number -> its samples.
        tell: number -> its truth.
    """

    keys: tuple[str, ...]
    parts: tuple[Part, ...]
    groups: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]
    see: Callable[[int], tuple[Sample, ...]]
    tell: Callable[[int], np.ndarray]

    def __len__(self) -> int:
        return len(self.keys)

    def item(self, number: int) -> Item:
        """Read one item.

        Raises:
            SceneNotFound: one of its files is absent.
            SceneUnreadable: one of its files is damaged.
        """
        return Item(self.keys[number], self.see(number), self.tell(number))

    def truth(self, number: int) -> np.ndarray:
        """Its truth alone."""
        return self.tell(number)

    def files(self, number: int) -> tuple[str, ...]:
        """Names of the files that an item is read from."""
        return self.sources[number]


@lru_cache(maxsize=64)
def split_rows(name: str) -> tuple[Row, ...]:
    """Rows of a split table that ships with the project.

    Args:
        name: of the table, without ".csv".

    Raises:
        SceneNotFound: no such table.
    """
    table = resources("armillary.bench") / "data" / f"{name}.csv"
    if not table.is_file():
        raise SceneNotFound(f"the split table {name}.csv was asked for and does not ship; make it by studies/splits.py")
    return tuple(MappingProxyType(r) for r in csv.DictReader(StringIO(table.read_text(encoding="utf-8"))))


def sides(rows: Sequence[Row], fold: str | None = None, *, chooses: bool = True) -> tuple[Part, ...]:
    """The part of each row.

    Args:
        rows: with `part`, or with `fold`.
        fold: the fold that is asked; None where the table has parts.
        chooses: whether the fold that follows chooses settings.

    Raises:
        BadInput: no such fold, or the table has no such column.

    Example:
        >>> sides([{"fold": "a"}, {"fold": "b"}, {"fold": "c"}], "c")
        ('val', 'train', 'test')
    """
    column = "part" if fold is None else "fold"
    if not all(column in r for r in rows):
        raise BadInput(f"the split table has the columns {', '.join(rows[0])}; {column} is needed to split so")
    if fold is None:
        return tuple(p for r in rows for p in PARTS if p == r["part"])
    names = folds(rows)
    if fold not in names:
        raise BadInput(f"no fold is called {fold!r}; known are {', '.join(names)}")
    following = names[(names.index(fold) + 1) % len(names)] if chooses else None
    side: dict[str | None, Part] = {following: "val", fold: "test"}
    return tuple(side.get(r["fold"], "train") for r in rows)


def folds(rows: Sequence[Row]) -> tuple[str, ...]:
    """Sorted names of the folds of a table."""
    return tuple(sorted({r["fold"] for r in rows}))


def block_name(lon: float, lat: float, side_deg: float) -> str:
    """South-west corner of the block of land in which a place lies, "lon lat" in degrees.

    Args:
        lon: in [-180, 180).
        lat: in [-90, 90).
        side_deg: of the block, both ways.

    Example:
        >>> block_name(-0.5, 51.5, 10.0), block_name(3.3, 50.8, 0.25)
        ('-10 50', '3.25 50.75')
    """
    west, south = (floor(x / side_deg) * side_deg for x in (lon, lat))
    return f"{west:g} {south:g}"


def of_groups(groups: Sequence[str], rows: Sequence[Row], what: str) -> tuple[Part, ...]:
    """The part of each item from a table of groups.

    Args:
        groups: of each item.
        rows: of the table.
        what: the set, for messages.

    Raises:
        BadInput: an item's group is not in the table.
    """
    side = dict(zip((r["group"] for r in rows), sides(rows), strict=True))
    absent = sorted(set(groups) - set(side))
    if absent:
        raise BadInput(f"{what} has items in the group {absent[0]!r}, which its split table lacks; add it there")
    return tuple(side[g] for g in groups)
