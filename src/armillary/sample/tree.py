"""CopernicusTree: Copernicus-Pretrain from its GeoTIFFs, as a `Source`.

Every file keeps its own size and its own place (read from the GeoTIFF, not from its name). The patches and dates that a
cell has can all be drawn, however many they are; a file that cannot be read stops the draw with its name.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from armillary.errors import OutOfRange
from armillary.sample.raw import sample_of
from armillary.sample.sample import Sample
from armillary.scene.pretrain.contents import Contents, Series, Shot
from armillary.scene.pretrain.names import LAYERS
from armillary.scene.pretrain.tree import check_pair, open_tree


class CopernicusTree:
    """Cells of a folder of GeoTIFFs.

    Args:
        folder: its root.
        index: a file list (`fnames_*.json.gz`); without one the only list in the folder is read, or the folder walked.

    Raises:
        SceneNotFound, SceneUnreadable: the folder or the list is absent or cannot be read.
    """

    def __init__(self, folder: Path | str, index: Path | str | None = None) -> None:
        self.tree = open_tree(Path(folder), None if index is None else Path(index))

    def __len__(self) -> int:
        return len(self.tree)

    def key(self, place: int) -> str:
        """Cell id with seven digits."""
        self._check(place)
        return f"{self.tree.cells[place]:07d}"

    def checksum(self) -> str:
        """A digest of the paths of every file; their pixels are not read (`armillary build --verify` does)."""
        digest = hashlib.sha256()
        for place in range(len(self)):
            digest.update(repr(self.tree.contents(place)).encode())
        return digest.hexdigest()[:16]

    def contents(self, place: int) -> Contents:
        """What a cell holds: patches and dates of each layer."""
        self._check(place)
        return self.tree.contents(place)

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One random patch and date of each sensor there; sensor name -> sample.

        Raises:
            SceneUnreadable: a file that was drawn is no whole raster, or the radar and the optical file of one local
                patch cover different ground.
        """
        drawn = self.contents(place).draw(rng)
        samples = {LAYERS[key].sensor: self.sample(key, series, shot) for key, series, shot in drawn}
        pair = [self.tree.path(str(shot.at)) for key, _, shot in drawn if LAYERS[key].local]
        if len(pair) == 2:
            check_pair((pair[0], samples["s1-grd"].window), (pair[1], samples["s2-l1c"].window))
        return samples

    def sample(self, key: str, series: Series, shot: Shot) -> Sample:
        """One shot of a cell."""
        path = self.tree.path(str(shot.at))
        stored, window = self.tree.read(str(shot.at))
        return sample_of(key, stored, window, series=series, shot=shot, origin=lambda: str(path))

    def _check(self, place: int) -> None:
        if not 0 <= place < len(self):
            raise OutOfRange(f"place {place} was asked for; this tree holds places 0 to {len(self) - 1}")
