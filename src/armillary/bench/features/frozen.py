"""Frozen: features of all items of a task, computed once per encoder and look, mapped from disk.

A folder of features is named by all that decides them: the encoder's digest, the look, the digest of the data. It is
filled batch by batch and says which items are done, so that a run that was killed goes on where it stood, and so that
several processes can each fill their share. Maps are kept in float16.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.lib.format import open_memmap

from armillary.alone import alone
from armillary.bench.encoders.encoder import Encoder, Look, Sight
from armillary.bench.features.footing import onto
from armillary.bench.features.known import Known, read_item
from armillary.bench.task import Item, Items, Joined, Task
from armillary.bench.team import ALONE, Team
from armillary.earth.window import Window
from armillary.errors import BadInput, OutputRefused
from armillary.probe.asked import Seen
from armillary.probe.features import fingerprint
from armillary.sample.sample import Sample

FLUSH_EVERY = 32
"""Batches between two times that what is done is made sure of."""

HALF = 65504.0
"""Largest number that a map can hold."""

_WHOLE, _DONE, _VECTORS = "whole.json", "done.npy", "vectors.npy"


@dataclass(frozen=True, eq=False)
class Shot:
    """What features are asked for.

    Args:
        task: its name, and how several samples become one.
        items: all of them.
        known: their keys and the digest of the data.
        encoder: that sees them.
        look: how.
    """

    task: Task
    items: Items
    known: Known
    encoder: Encoder
    look: Look

    @property
    def key(self) -> str:
        """Fingerprint of everything that decides the numbers."""
        return fingerprint(self.encoder.name, self.encoder.digest, self.look, self.known.content, self.task.joined)


def freeze(shot: Shot, folder: Path, *, batch_size: int = 16, team: Team = ALONE) -> Seen:
    """Features of all items, computed where they are not kept yet.

    Raises:
        SceneUnreadable: a file is damaged; the message names it.
        OutputRefused: the folder cannot be written to.
    """
    place = folder / "features" / shot.key
    if not team.gather((place / _WHOLE).is_file())[0]:
        numbers = np.arange(len(shot.known))
        batches = [numbers[at : at + batch_size] for at in range(0, len(numbers), batch_size)]
        with ExitStack() as stack:  # runs that share a folder of features wait for each other
            team.once(lambda: stack.enter_context(alone(place, wait=True)))
            team.once(lambda: _begin(shot, place))
            team.together(lambda: _fill(shot, place, batches[team.rank :: team.size]))
            team.once(lambda: _finish(shot, place))
    maps = sorted(place.glob("map*.npy"))
    return Seen(_mapped(place / _VECTORS), tuple(_mapped(m) for m in maps))


def joined(sight: Sight, sizes: Sequence[int], how: Joined) -> list[tuple[np.ndarray, ...]]:
    """Features of samples as features of items.

    Args:
        sight: of all samples, those of one item beside each other.
        sizes: samples of each item.
        how: the only one, their mean, or the last less the first.
    """
    out, start = [], 0
    for size in sizes:
        parts = [x[start : start + size].numpy() for x in (sight.vectors, *sight.maps)]
        out.append(tuple(_join(p, how) for p in parts))
        start += size
    return out


def _join(x: Float[np.ndarray, "s ..."], how: Joined) -> np.ndarray:
    if how == "difference":
        return np.asarray(x[-1] - x[0])
    if how == "one" and len(x) != 1:
        raise BadInput(f"an item has {len(x)} samples where one is meant; say how they join: mean or difference")
    return np.asarray(x.mean(axis=0))


def _begin(shot: Shot, place: Path) -> None:
    """Empty arrays of the right sizes, which the first item tells."""
    if (place / _DONE).is_file():
        return
    row = _rows(shot, np.arange(1))[0]
    n = len(shot.known)
    try:
        place.mkdir(parents=True, exist_ok=True)
        open_memmap(place / _VECTORS, "w+", np.float32, (n, *row[0].shape)).flush()
        for k, plane in enumerate(row[1:]):
            open_memmap(place / f"map{k}.npy", "w+", np.float16, (n, *plane.shape)).flush()
        aside = place / f".{_DONE}"
        with aside.open("wb") as out:
            np.save(out, np.zeros(n, dtype=np.uint8), allow_pickle=False)
        aside.replace(place / _DONE)
    except OSError as cause:
        raise OutputRefused(f"features cannot be kept in {place}: {cause}; choose another folder") from cause


def _fill(shot: Shot, place: Path, batches: Sequence[Int[np.ndarray, " _"]]) -> None:
    """Batches that are not done; a batch is done as a whole, so that what was stopped goes on to the same numbers."""
    done = open_memmap(place / _DONE, "r+")
    arrays = [open_memmap(p, "r+") for p in (place / _VECTORS, *sorted(place.glob("map*.npy")))]
    waiting: list[int] = []
    for count, numbers in enumerate((b for b in batches if not done[b].all()), 1):
        for n, row in zip(numbers, _rows(shot, numbers), strict=True):
            for array, values in zip(arrays, row, strict=True):
                array[n] = values if array.dtype != np.float16 else values.clip(-HALF, HALF)
        waiting += [int(n) for n in numbers]
        if count % FLUSH_EVERY == 0:
            _tick(arrays, done, waiting)
            waiting = []
    _tick(arrays, done, waiting)


def _rows(shot: Shot, numbers: Int[np.ndarray, " m"]) -> list[tuple[np.ndarray, ...]]:
    """Vector and maps of each of these items."""
    items = [read_sized(shot, int(n)) for n in numbers]
    stack = [s for item in items for s in item.samples]
    sight = _checked(shot.encoder.see(stack, shot.look), len(stack), shot.encoder.name)
    rows = joined(sight, [len(item.samples) for item in items], shot.task.joined)
    if shot.look.official is not None:
        return rows
    return [
        (vector, *(onto(m, item.samples[-1].window, item.grid) for m in maps))
        for (vector, *maps), item in zip(rows, items, strict=True)
    ]


def _tick(arrays: Sequence[np.memmap], done: np.memmap, numbers: Sequence[int]) -> None:
    """Values first, then the word that they are there."""
    for array in arrays:
        array.flush()
    done[list(numbers)] = 1
    done.flush()


def _finish(shot: Shot, place: Path) -> None:
    aside = place / f".{_WHOLE}"
    facts = {"encoder": shot.encoder.name, "task": shot.task.name, "knows": shot.look.knows, "items": len(shot.known)}
    aside.write_text(json.dumps(facts))
    aside.replace(place / _WHOLE)


def read_sized(shot: Shot, number: int) -> Item:
    """One item; samples of another size than most are resized."""
    item = read_item(shot.items, number)
    return replace(item, samples=tuple(of_shape(s, shot.known.shape) for s in item.samples))


def of_shape(sample: Sample, shape: tuple[int, int]) -> Sample:
    """A sample whose size differs from the others', resized; a pixel is NaN where nothing near was measured."""
    if sample.window.shape == shape:
        return sample
    h, w = sample.window.shape
    x = torch.from_numpy(np.nan_to_num(sample.pixels))[None]
    known = torch.from_numpy(np.isfinite(sample.pixels)).float()[None]
    filled, weight = (
        torch.nn.functional.interpolate(a.float(), size=shape, mode="bilinear", align_corners=False)[0]
        for a in (x, known)
    )
    pixels = torch.where(weight > 0.5, filled / weight, torch.nan).numpy()
    affine = sample.window.affine @ sample.window.affine.scale(w / shape[1], h / shape[0])
    return Sample(pixels, sample.sensor, Window.of(shape, affine, sample.window.crs), sample.time)


def _checked(sight: Sight, count: int, name: str) -> Sight:
    """A frozen feature is a finite number."""
    if len(sight.vectors) != count:
        raise BadInput(f"{name} gave {len(sight.vectors)} vectors for {count} samples; an encoder gives one each")
    if any(torch.isinf(x).any() for x in (sight.vectors, *sight.maps)):
        raise BadInput(f"{name} gave infinite features; check the statistics that its pixels are normalised with")
    return sight


def _mapped(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
