"""CopernicusShards: Copernicus-Pretrain from its WebDataset shards, as a `Source`.

The published way decodes every tensor of a grid (53 MB) and then keeps one patch and one date of it. Here the labels
are drawn from first, and of each tensor only the slice that was drawn is read.

Differences from the published loader, on purpose: a grid without some sensor is kept (the sensor is an absent key);
Sentinel-1 and -2 are paired by the id of their local patch, not by position; dates that are only repeats made to fill
the tensor are not drawn; every grid comes once an epoch. `Rule.published()` gives back what it does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from armillary.errors import OutOfRange, SceneUnreadable
from armillary.sample.pth import read
from armillary.sample.raw import sample_of
from armillary.sample.sample import Sample
from armillary.scene.pretrain.catalogue import KEYS, Catalogue, scan
from armillary.scene.pretrain.contents import Contents, Series, Shot
from armillary.scene.pretrain.index import NAME, read_catalogue
from armillary.scene.pretrain.names import LAYERS, window_of


@dataclass(frozen=True)
class Rule:
    """How grids are drawn from.

    Args:
        complete: only grids that have all eight layers.
        padding: repeats that fill a short series may be drawn like real dates.
        by_position: pair the i-th patch of Sentinel-1 with the i-th of Sentinel-2, whatever their ids.
    """

    complete: bool = False
    padding: bool = False
    by_position: bool = False

    @classmethod
    def published(cls) -> "Rule":
        """As the loader published with the data set does; it also draws grids with replacement, see `resampled`."""
        return cls(complete=True, padding=True, by_position=True)


class CopernicusShards:
    """Grids of some shards.

    Args:
        paths: the .tar files; their headers are walked once.
        index: the Parquet index of their folder (`armillary build --index`), which spares that walk.
        rule: how grids are drawn from.

    Raises:
        SceneNotFound, SceneUnreadable: a shard is absent, cut off or damaged; the message names shard and member.
    """

    def __init__(self, paths: Sequence[Path | str], index: Path | None = None, rule: Rule = Rule()) -> None:
        shards = [Path(p) for p in paths]
        found = scan(shards) if index is None else read_catalogue(index, shards)
        counts = np.diff(found.starts)
        self.catalogue: Catalogue = found.select((counts == len(LAYERS)).tolist()) if rule.complete else found
        self.rule = rule

    @classmethod
    def of(cls, folder: Path, rule: Rule = Rule()) -> "CopernicusShards":
        """Every shard (.tar) of a folder, by its index where it has one.

        Raises:
            BadInput: there is no shard.
            SceneNotFound, SceneUnreadable: as above, or the index is not of these shards.
        """
        index = folder / NAME
        return cls(sorted(folder.glob("*.tar")), index if index.is_file() else None, rule)

    def __len__(self) -> int:
        return len(self.catalogue)

    def key(self, place: int) -> str:
        """Grid id with seven digits."""
        return f"{int(self._entries(place)['cell'][0]):07d}"

    def checksum(self) -> str:
        """A digest of cells, layers, and the CRC of every tensor."""
        return self.catalogue.checksum()

    def contents(self, place: int) -> Contents:
        """What a grid holds: patches and dates of each layer."""
        self._entries(place)
        return self.catalogue.contents(place, padding=self.rule.padding)

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One random patch and date of each sensor there; sensor name -> sample."""
        contents = self.contents(place)
        shots = _by_position(contents, rng) if self.rule.by_position else contents.draw(rng)
        return {LAYERS[key].sensor: self.sample(place, key, series, shot) for key, series, shot in shots}

    def sample(self, place: int, key: str, series: Series, shot: Shot) -> Sample:
        """One shot of a grid.

        Raises:
            SceneUnreadable: the tensor cannot be read, or has no such position.
        """
        entries = self._entries(place)
        entry = entries[entries["layer"] == KEYS.index(key)][0]
        assert not isinstance(shot.at, str)  # noqa: S101 - shards have positions, trees have paths
        stored = read(self.catalogue, entry, shot.at)
        axes = stored.ndim + len(shot.at)
        if axes != LAYERS[key].axes:
            raise SceneUnreadable(f"{self._name(entry)} has {axes} axes, {key} has {LAYERS[key].axes}; write it again")
        window = window_of(key, series.spot, (stored.shape[-2], stored.shape[-1]))
        return sample_of(key, stored, window, series=series, shot=shot, origin=lambda: self._name(entry))

    def _name(self, entry: np.void) -> str:
        return f"{self.catalogue.name(entry)} in the shard {self.catalogue.paths[entry['shard']]}"

    def _entries(self, place: int) -> np.ndarray:
        if not 0 <= place < len(self):
            raise OutOfRange(f"place {place} was asked for; these shards hold places 0 to {len(self) - 1}")
        return self.catalogue.of(place)


def resampled(count: int, rng: np.random.Generator) -> Iterator[int]:
    """Places drawn with replacement, without end: the order in which the published loader visits its data."""
    while True:
        yield int(rng.integers(count))


def _by_position(contents: Contents, rng: np.random.Generator) -> Iterator[tuple[str, Series, Shot]]:
    """One position among the patches of Sentinel-1 for both radar and optical, then any date of each."""
    position = int(rng.integers(max(1, len(contents.layers.get("s1_grd", ())))))
    for key in LAYERS:
        many = contents.layers.get(key, ())
        at = min(position, len(many) - 1) if LAYERS[key].local else 0
        if many:
            yield key, many[at], many[at].shots[int(rng.integers(len(many[at].shots)))]
