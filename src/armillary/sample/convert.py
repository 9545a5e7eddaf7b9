"""Convert: Copernicus-Pretrain from GeoTIFFs to shards and back.

To shards, as they were published: the smaller side is resized to the nominal size (bilinear, corners aligned), the
longer one cropped round the middle, short series repeated up to 4, 8 or 12 dates (here in turn, there at random), and
Sentinel-2 stored as int16. Local patches that are smaller than nominal (of a scene that is) are kept as they are: their
10 m pixels stay 10 m, and the index says their size. To GeoTIFFs: real dates only, with the places that names give.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped

from armillary.errors import SceneUnreadable
from armillary.sample.pth import read
from armillary.sample.shards import CopernicusShards
from armillary.sample.tree import CopernicusTree
from armillary.scene.pretrain.catalogue import KEYS, grids
from armillary.scene.pretrain.contents import Contents, Series, Shot
from armillary.scene.pretrain.names import LAYERS, Layer, window_of
from armillary.scene.pretrain.tree import check_pair, entry_of, write_list
from armillary.scene.pretrain.write import SHARD, labels_json, shot_path, write_geotiff, write_shard

PER_SHARD = 100
"""Most grids in a shard."""

SHARD_BYTES = 10_000_000_000
"""Most bytes in a shard, as published."""

SMALL = 0.95
"""A local patch under this part of the nominal size is kept as it is."""


@dataclass(frozen=True)
class Step:
    """Progress: a file that was written (None: it was there), and how many cells of how many are done."""

    path: Path | None
    done: int
    total: int


def write_shards(tree: CopernicusTree, folder: Path, per_shard: int = PER_SHARD) -> Iterator[Step]:
    """Shards of the cells of a tree; whole shards that are there already are kept and gone on from.

    Raises:
        SceneUnreadable: a file of the tree cannot be read, or two of one patch cover different ground.
        OutputRefused: a shard cannot be written.
    """
    done = 0
    shards = sorted(folder.glob("example-*.tar"))
    for shard in shards:
        done += sum(1 for _ in grids(shard))
        yield Step(None, done, len(tree))
    number = len(shards)
    while done < len(tree):
        batch = _Batch(tree, done, per_shard)
        path = write_shard(folder / SHARD.format(number), batch)
        done, number = batch.next, number + 1
        yield Step(path, done, len(tree))


def write_tree(shards: CopernicusShards, folder: Path) -> Iterator[Step]:
    """GeoTIFFs and a file list of the cells of some shards; files that are there already are kept.

    Raises:
        SceneUnreadable: a tensor cannot be read.
        OutputRefused: a file cannot be written.
    """
    held = []
    for place in range(len(shards)):
        contents = shards.contents(place)
        layers: dict[str, list[Series]] = {}
        last = None
        for key, series, shot in _shots(contents):
            at = shot_path(key, contents.cell, series.spot if LAYERS[key].local else None, shot.day)
            if not (folder / at).is_file():
                last = _write_shot(shards, place, key, series, shot, folder / at)
            layers.setdefault(key, [])
            if not layers[key] or layers[key][-1].spot != series.spot:
                layers[key].append(Series(series.spot, ()))
            layers[key][-1] = Series(series.spot, (*layers[key][-1].shots, Shot(shot.day, at)))
        held.append(entry_of(Contents(contents.cell, {k: tuple(v) for k, v in layers.items()})))
        yield Step(last, place + 1, len(shards))
    write_list(folder / "fnames_all.json.gz", held)


def grid_of(tree: CopernicusTree, place: int) -> dict[str, bytes]:
    """One cell of a tree as the members of a shard: name -> content."""
    contents = tree.contents(place)
    members, labels = {}, {}
    for key, many in contents.layers.items():
        layer = LAYERS[key]
        steps = max([layer.steps, *(len(s.shots) for s in many)])
        rows = [_numbers(tree, key, s.shots) for s in many]
        rows = _fitted(layer, rows)
        stacked = [np.stack([row[i % len(row)] for i in range(steps)]) for row in rows]
        names = [[_label(contents, key, s, s.shots[i % len(s.shots)]) for i in range(steps)] for s in many]
        tensor = np.stack(stacked) if layer.local else stacked[0]
        members[key] = tensor if layer.steps else tensor[0, 0]
        labels[key] = names if layer.local else names[0]
    _check_pairs(tree, contents)
    name = contents.cell.key
    return {f"{name}.json": labels_json(labels), **{f"{name}.{k}.pth": _saved(v) for k, v in members.items()}}


def nominal(pixels: Shaped[np.ndarray, "c h w"], side: int) -> Shaped[np.ndarray, "c {side} {side}"]:
    """Smaller side resized to `side` (bilinear, corners aligned), the middle of the longer one kept."""
    rows, cols = pixels.shape[1:]
    if min(rows, cols) != side:
        scale = side / min(rows, cols)
        size = (side, max(side, int(cols * scale))) if rows <= cols else (max(side, int(rows * scale)), side)
        values = torch.from_numpy(pixels.astype(np.float32))[None]
        pixels = torch.nn.functional.interpolate(values, size, mode="bilinear", align_corners=True)[0].numpy()
    return _middle(pixels, side, side)


class _Batch:
    """The grids of one shard, made one at a time; afterwards `next` is the cell to go on with."""

    def __init__(self, tree: CopernicusTree, first: int, count: int) -> None:
        self.tree, self.first, self.next = tree, first, first
        self.last = min(first + count, len(tree))

    def __iter__(self) -> Iterator[dict[str, bytes]]:
        size = 0
        while self.next < self.last and size < SHARD_BYTES:
            grid = grid_of(self.tree, self.next)
            size += sum(map(len, grid.values()))
            self.next += 1
            yield grid


def _numbers(tree: CopernicusTree, key: str, shots: Sequence[Shot]) -> list[np.ndarray]:
    found = []
    for shot in shots:
        pixels, _ = tree.tree.read(str(shot.at))
        if pixels.shape[0] != LAYERS[key].bands:
            raise SceneUnreadable(
                f"{tree.tree.path(str(shot.at))} has {pixels.shape[0]} bands, {key} needs {LAYERS[key].bands}"
            )
        found.append(pixels)
    return found


def _fitted(layer: Layer, rows: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """Every patch of a layer in one shape: the nominal one, or the smallest there is where one is small."""
    shapes = [a.shape[1:] for row in rows for a in row]
    if layer.local and min(map(min, shapes)) < SMALL * layer.side_px:
        h, w = (min(s[i] for s in shapes) for i in (0, 1))
        return [[_stored(layer, _middle(a, min(h, layer.side_px), min(w, layer.side_px))) for a in row] for row in rows]
    return [[_stored(layer, nominal(a, layer.side_px)) for a in row] for row in rows]


def _middle(pixels: Shaped[np.ndarray, "c h w"], rows: int, cols: int) -> Shaped[np.ndarray, "c {rows} {cols}"]:
    top, left = (pixels.shape[1] - rows) // 2, (pixels.shape[2] - cols) // 2
    return pixels[:, top : top + rows, left : left + cols]


def _stored(layer: Layer, pixels: Shaped[np.ndarray, "c h w"]) -> Shaped[np.ndarray, "c h w"]:
    if layer.dtype != "int16":
        return pixels.astype(layer.dtype)
    if pixels.dtype == np.int16:
        return pixels
    whole = pixels if pixels.dtype == np.uint16 else np.nan_to_num(pixels).clip(0, 65535).astype(np.uint16)
    return whole.view(np.int16)


def _saved(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    torch.save(torch.from_numpy(np.ascontiguousarray(array)), content)
    return content.getvalue()


def _label(contents: Contents, key: str, series: Series, shot: Shot) -> str:
    parts = [contents.cell.name, *([series.spot.name] if LAYERS[key].local else []), *([shot.day] if shot.day else [])]
    return "/".join(parts)


def _check_pairs(tree: CopernicusTree, contents: Contents) -> None:
    """The first files of Sentinel-1 and -2 of each local patch cover the same ground."""
    for local in contents.locals:
        first = {key: str(series.shots[0].at) for key, series in contents.at(local) if LAYERS[key].local}
        if len(first) == 2:
            one, two = ((tree.tree.path(at), tree.tree.read(at)[1]) for at in first.values())
            check_pair(one, two)


def _shots(contents: Contents) -> Iterator[tuple[str, Series, Shot]]:
    return chain.from_iterable(
        ((key, series, shot) for series in many for shot in series.shots) for key, many in contents.layers.items()
    )


def _write_shot(shards: CopernicusShards, place: int, key: str, series: Series, shot: Shot, path: Path) -> Path:
    entries = shards.catalogue.of(place)
    entry = entries[entries["layer"] == KEYS.index(key)][0]
    assert not isinstance(shot.at, str)  # noqa: S101 - shards have positions
    stored = read(shards.catalogue, entry, shot.at)
    stored = stored[None] if stored.ndim == 2 else stored
    stored = stored.view(np.uint16) if stored.dtype == np.int16 else stored
    window = window_of(key, series.spot, (stored.shape[1], stored.shape[2]))
    return write_geotiff(path, stored, window, LAYERS[key].fleet.band_names)
