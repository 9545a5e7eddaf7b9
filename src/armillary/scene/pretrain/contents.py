"""Contents: what one cell of Copernicus-Pretrain holds, the same for both layouts on disk.

A *shot* is one date of one patch and says where its pixels are: a path of the tree, or the index into a shard's
tensor. A *series* is the shots of one place: of a local patch for Sentinel-1 and -2, of the cell for the others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from armillary.errors import BadInput, SceneUnreadable
from armillary.scene.pretrain.names import LAYERS, Label, Spot


@dataclass(frozen=True)
class Shot:
    """One date. `at` is a path, or (row, step), (step,) or () of a tensor."""

    day: str | None
    at: str | tuple[int, ...]


@dataclass(frozen=True)
class Series:
    """All dates of one place."""

    spot: Spot
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Contents:
    """One cell.

    Args:
        cell: its id and centre.
        layers: key -> its series; a layer that is not there is an absent key.
    """

    cell: Spot
    layers: Mapping[str, tuple[Series, ...]]

    @property
    def locals(self) -> tuple[Spot, ...]:
        """Local patches of Sentinel-1 and -2, those of either, by id."""
        found = {s.spot.id: s.spot for k, many in self.layers.items() if LAYERS[k].local for s in many}
        return tuple(found[i] for i in sorted(found))

    def at(self, local: Spot | None) -> Iterator[tuple[str, Series]]:
        """Layers and their series at one local patch: (key, series), in the order of the data set."""
        for key, layer in LAYERS.items():
            for series in self.layers.get(key, ()):
                if not layer.local or (local is not None and series.spot.id == local.id):
                    yield key, series

    def draw(self, rng: np.random.Generator) -> tuple[tuple[str, Series, Shot], ...]:
        """A random local patch, the same for Sentinel-1 and -2, and a random date of each layer, each as likely."""
        places = self.locals
        local = places[int(rng.integers(len(places)))] if places else None
        return tuple((k, s, s.shots[int(rng.integers(len(s.shots)))]) for k, s in self.at(local) if s.shots)


def labels_of(text: bytes, origin: str) -> Mapping[str, tuple[tuple[Label, ...], ...]]:
    """The labels of a shard's JSON: key -> rows of labels, one row for each local patch, one in all for the others.

    The published shards wrap every string in a list of its own (what collation does to strings); a JSON without that
    level is read as well.

    Raises:
        SceneUnreadable: no JSON, or of another build; `origin` names it.
    """
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict):
            raise BadInput("it holds no mapping of layers")
        return {k: tuple(_rows(k, v)) for k, v in raw.items() if k in LAYERS and v}
    except (ValueError, TypeError) as cause:
        raise SceneUnreadable(
            f"{origin} is no list of labels that can be read: {cause}; write the shard again"
        ) from cause


def series_of(key: str, rows: Sequence[Sequence[Label]], *, padding: bool = False) -> tuple[Series, ...]:
    """The series of one layer from its labels.

    Short series were padded by repeating some of their dates: a label that came before is such a repeat and is no shot
    of its own, so that real dates are as likely as each other. `padding` keeps the repeats, as the published loader
    does.
    """
    found = []
    for i, row in enumerate(rows):
        seen: dict[str, Shot] = {}
        for j, label in enumerate(row):
            at = (i, j) if LAYERS[key].local else ((j,) if LAYERS[key].steps else ())
            name = f"{label.text}#{j}" if padding else label.text
            seen.setdefault(name, Shot(label.day, at))
        if row:
            found.append(Series(row[0].local or row[0].spot, tuple(seen.values())))
    return tuple(found)


def _rows(key: str, value: object) -> Iterator[tuple[Label, ...]]:
    rows = value if LAYERS[key].local else [value]
    if not isinstance(rows, list):
        raise BadInput(f"{key} is {value!r}, no list")
    for row in rows:
        labels = tuple(Label.parse(_plain(entry)) for entry in row)
        if LAYERS[key].local and len({x.local for x in labels}) > 1:
            raise BadInput(f"{key} mixes local patches in one row: {', '.join(x.text for x in labels)}")
        yield labels


def _plain(entry: object) -> str:
    while isinstance(entry, list) and len(entry) == 1:
        (entry,) = entry
    if not isinstance(entry, str):
        raise BadInput(f"{entry!r} stands where a label such as 0772176_-96.00_44.00/20210127 is needed")
    return entry
