"""Indexing: the Parquet index of a folder of shards or GeoTIFFs, with a checksum of every tensor and file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from armillary.sample.pth import shape_of
from armillary.sample.shards import CopernicusShards
from armillary.sample.tree import CopernicusTree
from armillary.scene.pretrain.catalogue import KEYS
from armillary.scene.pretrain.index import NAME, row_of, sha256_of, write_rows


def index_shards(folder: Path) -> Path:
    """Write the index of the shards in a folder; every byte is read once, for its checksum.

    Raises:
        SceneUnreadable: a shard is cut off or damaged.
    """
    source = CopernicusShards(sorted(folder.glob("*.tar")))
    rows = [
        row_of(source.contents(place), "shards", list(_tensors(source, place, folder))) for place in range(len(source))
    ]
    return write_rows(folder / NAME, rows)


def index_tree(folder: Path, listed: Path | None = None) -> Path:
    """Write the index of a tree of GeoTIFFs; every byte is read once, for its checksum.

    Raises:
        SceneNotFound, SceneUnreadable: a file of its list is absent or no raster.
    """
    source = CopernicusTree(folder, listed)
    rows = [row_of(source.contents(place), "tree", list(_files(source, place))) for place in range(len(source))]
    return write_rows(folder / NAME, rows)


def _tensors(source: CopernicusShards, place: int, folder: Path) -> Iterator[dict[str, Any]]:
    found = source.catalogue
    for entry in found.of(place):
        path = found.paths[entry["shard"]]
        shape = shape_of(found, entry)
        yield {
            "layer": KEYS[entry["layer"]],
            "file": path.relative_to(folder).as_posix(),
            "rows": shape[-2],
            "cols": shape[-1],
            "sha256": sha256_of(path, int(entry["offset"]), int(entry["size"])),
            "pickle": None if entry["pickle"] < 0 else found.pickles[entry["pickle"]],
            **{k: int(entry[k]) for k in ("offset", "size", "data", "crc", "label", "label_size")},
        }


def _files(source: CopernicusTree, place: int) -> Iterator[dict[str, Any]]:
    for key, many in source.contents(place).layers.items():
        for at in (str(shot.at) for series in many for shot in series.shots):
            path = source.tree.path(at)
            pixels, _ = source.tree.read(at)
            yield {
                "layer": key,
                "file": path.relative_to(source.tree.folder).as_posix(),
                "offset": 0,
                "size": path.stat().st_size,
                "rows": pixels.shape[1],
                "cols": pixels.shape[2],
                "sha256": sha256_of(path),
            }
