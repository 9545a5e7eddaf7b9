"""Catalogue: which cells a set of shards holds, and where every tensor of them lies.

Made by one walk over the headers of the shards, or read from an index; no pixel is read. It is one table of plain
numbers, so that a quarter of a million cells take some 150 MB and travel to worker processes at once.

A member belongs to the cell that its labels name, whatever the member itself is called: in the published union shards
a cell that lacks a layer carries the tensor, the labels and even the name of the cell before it. What was met before
is such a repeat and is left out.
"""

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int

from armillary.errors import BadInput, SceneNotFound, SceneUnreadable
from armillary.scene.pretrain.contents import Contents, labels_of, series_of
from armillary.scene.pretrain.members import Member, members, name_at, peek
from armillary.scene.pretrain.names import LAYERS, Label

KEYS = tuple(LAYERS)

ENTRY = np.dtype(
    [
        ("cell", np.int32),
        ("layer", np.uint8),  # position in KEYS
        ("shard", np.int32),
        ("offset", np.int64),  # of the member
        ("size", np.int64),
        ("data", np.int64),  # of the first number of its tensor; -1: load the member whole
        ("crc", np.uint32),  # of those numbers, or of the whole member
        ("pickle", np.int32),  # position in `pickles`
        ("label", np.int64),  # of the JSON
        ("label_size", np.int32),
    ]
)
"""One tensor of one cell."""


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Every tensor of some shards.

    Args:
        paths: the shards.
        entries: an ENTRY for each tensor, sorted by cell and layer.
        pickles: the descriptions of tensors that occur.
    """

    paths: tuple[Path, ...]
    entries: np.ndarray
    pickles: tuple[bytes, ...]

    @cached_property
    def starts(self) -> Int[np.ndarray, " n"]:
        """Position of the first entry of each cell, and the number of entries at the end."""
        cells = self.entries["cell"]
        first = np.flatnonzero(np.diff(cells, prepend=-1))
        return np.append(first, len(cells))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, place: int) -> np.ndarray:
        """The entries of one cell."""
        entries: np.ndarray = self.entries[self.starts[place] : self.starts[place + 1]]
        return entries

    def contents(self, place: int, *, padding: bool = False) -> Contents:
        """What one cell holds, from the labels of its shard.

        Raises:
            SceneUnreadable: the labels cannot be read.
        """
        entries = self.of(place)
        read: dict[tuple[int, int], Mapping[str, tuple[tuple[Label, ...], ...]]] = {}
        layers, cell = {}, None
        for entry in entries:
            at = int(entry["shard"]), int(entry["label"])
            if at not in read:
                read[at] = self._labels(entry)
            key = KEYS[entry["layer"]]
            rows = read[at][key]
            cell = rows[0][0].spot
            layers[key] = series_of(key, rows, padding=padding)
        assert cell is not None  # noqa: S101 - a cell has at least one entry
        return Contents(cell, layers)

    def select(self, kept: Sequence[bool]) -> "Catalogue":
        """Only the cells of which this says True."""
        counts = np.diff(self.starts)
        return Catalogue(self.paths, self.entries[np.repeat(np.asarray(kept, bool), counts)], self.pickles)

    def checksum(self) -> str:
        """A digest of cells, layers, dates (as the JSON has them) and of the CRC of every tensor."""
        digest = hashlib.sha256()
        for name in ("cell", "layer", "crc", "size", "label_size"):
            digest.update(np.ascontiguousarray(self.entries[name]).tobytes())
        return digest.hexdigest()[:16]

    def name(self, entry: np.void) -> str:
        """What the shard calls the member of an entry."""
        return name_at(self.paths[entry["shard"]], int(entry["offset"]))

    def _labels(self, entry: np.void) -> Mapping[str, tuple[tuple[Label, ...], ...]]:
        path = self.paths[entry["shard"]]
        with path.open("rb") as file:
            return _read_labels(file, int(entry["label"]), int(entry["label_size"]), f"the JSON of {path}")


def scan(paths: Sequence[Path]) -> Catalogue:
    """The catalogue of some shards, from their headers.

    Raises:
        BadInput: no shard was given, or none holds a cell.
        SceneNotFound, SceneUnreadable: a shard is absent, cut off or damaged; the message names shard and member.
    """
    if not paths:
        raise BadInput("no shard was given; give the paths of the .tar files")
    rows: list[tuple[int, ...]] = []
    pickles: dict[bytes, int] = {}
    seen: set[tuple[int, int]] = set()
    for number, path in enumerate(paths):
        if not path.is_file():
            raise SceneNotFound(f"the shard {path} was asked for and is not there; check the path")
        before = len(rows)
        for row in _rows(number, path, pickles):
            if row[:2] not in seen:
                seen.add((row[0], row[1]))
                rows.append(row)
        if len(rows) == before:
            raise SceneUnreadable(f"the shard {path} holds no cell of Copernicus-Pretrain; leave it out")
    entries = np.array(rows, dtype=ENTRY)
    return Catalogue(tuple(paths), entries[np.lexsort((entries["layer"], entries["cell"]))], tuple(pickles))


def grids(path: Path) -> Iterator[tuple[Member, ...]]:
    """The members of a shard, cell by cell; a name that comes again begins another cell."""
    held: dict[str, Member] = {}
    for member in members(path):
        if held and (next(iter(held.values())).key != member.key or member.layer in held):
            yield tuple(held.values())
            held = {}
        held[member.layer] = member
    if held:
        yield tuple(held.values())


def _rows(number: int, path: Path, pickles: dict[bytes, int]) -> Iterator[tuple[int, ...]]:
    with path.open("rb") as file:
        for grid in grids(path):
            sheet = next((m for m in grid if m.layer == "json"), None)
            if sheet is None:
                raise SceneUnreadable(f"{grid[0].key} in the shard {path} has no JSON, so nothing says what it holds")
            labels = _read_labels(file, sheet.offset, sheet.size, f"{sheet.name} of {path}")
            for member in grid:
                if member.layer == "json":
                    continue
                if not labels.get(member.layer) or not labels[member.layer][0]:
                    raise SceneUnreadable(f"{member.name} in the shard {path} has no label in {sheet.name}")
                found = peek(file, member, path)
                yield (
                    labels[member.layer][0][0].spot.id,
                    KEYS.index(member.layer),
                    number,
                    member.offset,
                    member.size,
                    -1 if found is None else found.offset,
                    _crc(file, member) if found is None else found.crc,
                    -1 if found is None else pickles.setdefault(found.pickle, len(pickles)),
                    sheet.offset,
                    sheet.size,
                )


def _crc(file: BinaryIO, member: Member) -> int:
    file.seek(member.offset)
    return zlib.crc32(file.read(member.size))


def _read_labels(file: BinaryIO, offset: int, size: int, origin: str) -> Mapping[str, tuple[tuple[Label, ...], ...]]:
    file.seek(offset)
    return labels_of(file.read(size), origin)
