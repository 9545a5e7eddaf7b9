"""Known: what is known of every item of a task without a model: its truth, its place, its time.

It is read once and kept on disk. The *digest* of a task's data is over the keys and parts of its items and the CRC-32
of every file that they are read from: the same whether the archive lies zipped or extracted, another when a byte of it
changes.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, SupportsIndex, overload

import numpy as np
from jaxtyping import Float, Int

from armillary import __version__
from armillary.alone import alone
from armillary.bench.files import Files
from armillary.bench.task import Item, Items, Part, Task
from armillary.bench.team import ALONE, Team
from armillary.errors import ArmillaryError, SceneUnreadable
from armillary.probe.answer import is_dense
from armillary.probe.features import fingerprint

KM_PER_DEGREE = 111.2
_NUMBERS, _FACTS, _ABOUT = "truths.bin", "facts.npy", "known.json"


class Truths(Sequence[np.ndarray]):
    """Truths of all items, mapped from disk.

    Args:
        numbers: all of them, one after the other.
        shapes: of each truth; () for one number.
        kind: type in which they are given; kept in fewer bytes where that loses nothing.
    """

    def __init__(self, numbers: np.ndarray, shapes: Sequence[tuple[int, ...]], kind: np.dtype) -> None:
        self.numbers, self.shapes, self.kind = numbers, tuple(shapes), kind
        self.starts = np.concatenate([[0], np.cumsum([int(np.prod(s)) for s in self.shapes])])

    def __len__(self) -> int:
        return len(self.shapes)

    @overload
    def __getitem__(self, at: SupportsIndex) -> np.ndarray: ...
    @overload
    def __getitem__(self, at: slice) -> "Truths": ...
    def __getitem__(self, at: SupportsIndex | slice) -> "np.ndarray | Truths":
        """One truth. A slice is refused: parts of a task are numbers."""
        if isinstance(at, slice):
            raise TypeError("truths are asked one by one; give a number")
        n = range(len(self))[int(at)]
        flat = self.numbers[self.starts[n] : self.starts[n + 1]]
        truth: np.ndarray = np.array(flat, dtype=self.kind).reshape(self.shapes[n])
        return truth


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the items of a task.

    Args:
        keys: names of the items.
        parts: the official part of each.
        truths: one per item.
        lonlat: centre of each item in degrees, nan where unknown.
        days: since 1970-01-01 of its last sample, nan where unknown.
        shape: rows and columns that most samples have.
        tile_deg: side of an item on the ground, in degrees of latitude.
        digest: of the data and their split.
        content: of the data alone.
        groups: name of each item's group; () where none are told.
    """

    keys: tuple[str, ...]
    parts: tuple[Part, ...]
    truths: Truths
    lonlat: Float[np.ndarray, "n 2"]
    days: Float[np.ndarray, " n"]
    shape: tuple[int, int]
    tile_deg: float
    digest: str
    content: str
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, part: Part) -> Int[np.ndarray, " m"]:
        """Numbers of the items of an official part."""
        return np.flatnonzero(np.array(self.parts) == part)


def read_known(task: Task, files: Files, items: Items, folder: Path, team: Team = ALONE) -> Known:
    """Everything but pixels; what is not in the folder yet is read from the files and kept there.

    Raises:
        SceneUnreadable: a file is damaged; the message names it.
    """
    content = content_digest(task, files, items)
    place = folder / "known" / content
    team.once(lambda: None if (place / _ABOUT).is_file() else _write_alone(place, task, items))
    about = json.loads((place / _ABOUT).read_text())
    stored = np.dtype(about["stored"])
    empty = (place / _NUMBERS).stat().st_size == 0
    numbers = np.empty(0, stored) if empty else np.memmap(place / _NUMBERS, stored, mode="r")
    truths = Truths(numbers, [tuple(s) for s in about["shapes"]], np.dtype(about["given"]))
    facts = np.load(place / _FACTS, allow_pickle=False)
    lonlat, days = facts[:, :2], facts[:, 2]
    rows, columns = about["shape"]
    digest, tile_deg = _digest(content, items), float(about["tile_deg"])
    return Known(
        items.keys, items.parts, truths, lonlat, days, (rows, columns), tile_deg, digest, content, items.groups
    )


def data_digest(task: Task, files: Files, items: Items) -> str:
    """Fingerprint of the content that a task is asked on, and of its split."""
    return _digest(content_digest(task, files, items), items)


def content_digest(task: Task, files: Files, items: Items) -> str:
    """The same without the split: equal for all folds "name.fold" of one question, which share what is kept on disk.

    Truths of whole items may stand in lists, of which no checksum is asked, so they are looked at themselves; those of
    pixels have files of their own. Another version may read files otherwise.
    """
    names = dict.fromkeys(name for n in range(len(items)) for name in items.files(n))
    sums = tuple((name, files.checksum(name)) for name in names)
    told = () if is_dense(task.answer) else tuple(items.truth(n).tolist() for n in range(len(items)))
    kind = (task.name.partition(".")[0], task.sensor.name, task.sensor.band_names, __version__)
    return fingerprint(*kind, items.keys, sums, told)


def _digest(content: str, items: Items) -> str:
    return fingerprint(content, items.parts, *((items.groups,) if items.groups else ()))


def read_item(items: Items, number: int) -> Item:
    """One item; whatever goes wrong is said with the names of its files.

    Raises:
        SceneUnreadable: a file is damaged.
    """
    try:
        return items.item(number)
    except ArmillaryError:
        raise
    except Exception as cause:
        names = ", ".join(items.files(number))
        raise SceneUnreadable(
            f"item {items.keys[number]} cannot be read from {names}: {cause}; fetch the file again"
        ) from cause


def _write_alone(place: Path, task: Task, items: Items) -> None:
    """Unless another run that shares the folder did it in the meantime."""
    with alone(place, wait=True):
        if not (place / _ABOUT).is_file():
            _write(place, task, items)


def _write(place: Path, task: Task, items: Items) -> None:
    place.mkdir(parents=True, exist_ok=True)
    facts, shapes = [], []
    given = stored = np.dtype(np.float32)
    seen: Counter[tuple[int, int]] = Counter()
    with (place / _NUMBERS).open("wb") as out:
        for item in (read_item(items, n) for n in range(len(items))):
            given = item.truth.dtype
            stored = _small(item.truth)
            shapes.append(item.truth.shape)
            _append(out, item.truth.astype(stored))
            facts.append(_facts(item))
            seen.update(s.window.shape for s in item.samples)
    np.save(place / _FACTS, np.array(facts, dtype=np.float64).reshape(-1, 3), allow_pickle=False)
    shape = seen.most_common(1)[0][0] if seen else (1, 1)
    tile_deg = max(shape) * task.sensor.gsd_m / 1000 / KM_PER_DEGREE
    about = {"stored": stored.str, "given": given.str, "shapes": shapes, "shape": shape, "tile_deg": tile_deg}
    aside = place / f".{_ABOUT}"
    aside.write_text(json.dumps(about))
    aside.replace(place / _ABOUT)


def _small(truth: np.ndarray) -> np.dtype:
    """Maps of classes in two bytes, all else as it is."""
    return np.dtype(np.int16) if truth.ndim == 2 and truth.dtype.kind in "iu" else truth.dtype


def _append(out: BinaryIO, truth: np.ndarray) -> None:
    out.write(np.ascontiguousarray(truth).tobytes())


def _facts(item: Item) -> tuple[float, float, float]:
    last = item.samples[-1]
    lon, lat = (np.nan, np.nan) if last.window.crs is None else last.window.center
    return lon, lat, last.days
