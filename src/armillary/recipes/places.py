"""What `--data FOLDER` may hold, and which of its places are held out."""

from dataclasses import dataclass, field
from pathlib import Path

from armillary.earth.cells import Cell
from armillary.errors import BadInput, SceneNotFound
from armillary.sample.shards import CopernicusShards
from armillary.sample.source import Source
from armillary.sample.stream import hold_out, place_of
from armillary.sample.tiles import TABLE, Tiles, packaged
from armillary.sample.tree import CopernicusTree
from armillary.train.labels import LabelSource

SHARE = 0.05
"""Of the places of Copernicus-Pretrain that are held out; tiles say themselves which are."""

BLOCK_CELLS = 10
"""Cells of 0.25 degrees along the side of a block that is held out whole, so that no neighbour gives it away."""


@dataclass(frozen=True, eq=False)
class Places:
    """Two sources, or two parts of one.

    Args:
        train: to learn from.
        held_out: to evaluate on.
        train_places: which places of it; None means all.
        held_out_places: the same.
        labels: what is known of the land cover of both.
    """

    train: Source
    held_out: Source
    train_places: tuple[int, ...] | None = None
    held_out_places: tuple[int, ...] | None = None
    labels: LabelSource = field(default_factory=LabelSource)


def open_places(folder: Path | None = None) -> Places:
    """The packaged sample, or a folder of tiles, of Copernicus-Pretrain shards (.tar) or of its GeoTIFF tree.

    Raises:
        SceneNotFound: no such folder.
        BadInput: its places cannot be told apart into two sides.
    """
    if folder is None:
        return Places(packaged("train"), packaged("held-out"))
    if not folder.is_dir():
        raise SceneNotFound(f"{folder} is no folder; give --data a folder of tiles, of shards, or of GeoTIFFs")
    if (folder / TABLE).is_file():
        return Places(Tiles(folder, "train"), Tiles(folder, "held-out"))
    source: Source = CopernicusShards.of(folder) if any(folder.glob("*.tar")) else CopernicusTree(folder)
    train, held_out = hold_out(source, SHARE, block_of)
    if not train or not held_out:
        raise BadInput(
            f"{folder} holds {len(source)} places, all in one block of {BLOCK_CELLS} x {BLOCK_CELLS} cells, so none "
            "can be held out; give more of the data set"
        )
    return Places(source, source, train, held_out)


def block_of(key: str) -> str:
    """The block of neighbouring cells that a grid id lies in."""
    name = place_of(key)
    if not name.isdigit():
        return name
    cell = Cell(int(name))
    return f"{cell.row // BLOCK_CELLS} {cell.col // BLOCK_CELLS}"
