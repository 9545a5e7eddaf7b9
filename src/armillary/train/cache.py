"""Cache: what a teacher said, kept on disk, so that it says it once.

A folder belongs to one teacher and one source: `teacher.json` names both, and any other is refused. A vector is found
by the *key* of its sample: a hash of the sensor, the bands and the pixels themselves, so that a crop, a flip or another
date is another key and no two ever mix. Vectors lie in files of rows (key, vector) that are mapped into memory, written
aside and renamed: a run that is killed leaves whole files, and several processes may write to one folder. A file is
named after the hash of its rows, so that one that was changed is found out when the folder is opened.

Random crops never come twice, and a cache of them never hits. `armillary.sample.fixed.FixedDraws` gives each place a
list of crops that is the same in every epoch; `fill` asks the teacher for all of them before the training begins.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike, getpid
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput, OutputRefused
from armillary.sample.sample import Sample
from armillary.train.teachers import Teacher

KEY_BYTES = 16
FACTS = "teacher.json"
VECTORS = "[!.]*.npy"


def key_of(sample: Sample) -> bytes:
    """What tells a sample from any other: a hash of its sensor, bands, shape and pixels."""
    digest = hashlib.blake2b(digest_size=KEY_BYTES)
    pixels = np.ascontiguousarray(sample.pixels)
    digest.update(f"{sample.sensor.name} {sample.sensor.band_names} {pixels.shape}".encode())
    digest.update(pixels.view(np.uint8).data)
    return digest.digest()


@dataclass(eq=False)
class CachedTeacher:
    """A teacher with a memory; where a vector is known, the very same numbers come back. Made by `open_cache`.

    Args:
        teacher: asked for what is not known.
        folder: of the files.
        at_once: samples that are asked together. With 1, a vector does not depend, in its last bits, on which others
            were unknown, and a resumed run equals an uninterrupted one; a GPU wants more.
        keep_every: unwritten vectors that make a file.
    """

    teacher: Teacher
    folder: Path
    at_once: int = 1
    keep_every: int = 4096
    hits: int = 0
    misses: int = 0
    _rows: dict[bytes, Float[np.ndarray, " d"]] = field(default_factory=dict, repr=False)
    _unwritten: list[bytes] = field(default_factory=list, repr=False)

    def __deepcopy__(self, memo: dict[int, object]) -> "CachedTeacher":
        return self

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def name(self) -> str:
        """The teacher's."""
        return self.teacher.name

    @property
    def width(self) -> int:
        """The teacher's."""
        return self.teacher.width

    @property
    def digest(self) -> str:
        """The teacher's."""
        return self.teacher.digest

    @property
    def sensors(self) -> tuple[str, ...]:
        """The teacher's."""
        return self.teacher.sensors

    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """The vectors, on the CPU."""
        keys = [key_of(sample) for sample in samples]
        unknown = {k: s for k, s in zip(keys, samples, strict=True) if k not in self._rows}
        self.hits += len(keys) - len(unknown)
        self.misses += len(unknown)
        self._ask(unknown)
        return torch.from_numpy(np.stack([self._rows[k] for k in keys]))

    def flush(self) -> None:
        """Write what is not on disk yet, as one file.

        Raises:
            OutputRefused: the folder is gone since it was opened, or cannot be written.
        """
        if not self._unwritten:
            return
        rows = np.zeros(len(self._unwritten), _layout(self.width))
        rows["key"] = np.frombuffer(b"".join(self._unwritten), np.uint8).reshape(-1, KEY_BYTES)
        rows["vector"] = np.stack([self._rows[k] for k in self._unwritten])
        target = self.folder / f"{_name_of(rows)}.npy"
        aside = self.folder / f".{target.name}.{getpid()}.part"
        try:
            with aside.open("wb") as file:
                np.save(file, rows)
            aside.replace(target)
        except OSError as cause:
            with suppress(OSError):
                aside.unlink()
            what = f"cannot be written ({cause.strerror})" if self.folder.is_dir() else "is gone since it was opened"
            raise OutputRefused(
                f"{len(rows)} vectors of {self.name} were to be kept in {self.folder}, which {what}; "
                "mend that and flush again, or open a cache elsewhere"
            ) from cause
        self._unwritten.clear()

    def _ask(self, unknown: dict[bytes, Sample]) -> None:
        keys = list(unknown)
        for first in range(0, len(keys), self.at_once):
            some = keys[first : first + self.at_once]
            vectors = self.teacher([unknown[k] for k in some]).cpu().numpy()
            for key, vector in zip(some, vectors, strict=True):
                self._rows[key] = np.array(vector, np.float32)
            self._unwritten += some
            if len(self._unwritten) >= self.keep_every:
                self.flush()


def open_cache(teacher: Teacher, folder: str | PathLike[str], *, source: str, at_once: int = 1) -> CachedTeacher:
    """The memory of a teacher about a source; made where there is none.

    Args:
        teacher: by its `digest`.
        folder: for this teacher and this source alone.
        source: `checksum()` of what the samples are drawn from.
        at_once: see `CachedTeacher`.

    Raises:
        BadInput: the folder belongs to another teacher, another source or nobody, or a file in it is damaged.
        OutputRefused: no folder can be made or written there.
    """
    at = Path(folder)
    facts = {"teacher": teacher.name, "digest": teacher.digest, "width": teacher.width, "source": source}
    _claim(at, facts)
    cached = CachedTeacher(teacher, at, at_once)
    for path in sorted(at.glob(VECTORS)):
        rows = _read(path, teacher.width)
        keys = np.ascontiguousarray(rows["key"])
        cached._rows.update((bytes(k), v) for k, v in zip(keys, rows["vector"], strict=True))
    return cached


def fill(cached: CachedTeacher, samples: Iterable[Sample]) -> int:
    """Ask the teacher for every sample it reads, keep the answers, and say how many were new."""
    before = len(cached)
    for sample in samples:
        if sample.sensor.name in cached.sensors:
            cached([sample])
    cached.flush()
    return len(cached) - before


def _claim(folder: Path, facts: dict[str, object]) -> None:
    path = folder / FACTS
    has_vectors = any(folder.glob(VECTORS))  # looked for first: whoever is claiming it now writes facts, then vectors
    if not path.is_file():
        if has_vectors:
            raise BadInput(
                f"the cache {folder} holds vectors but no {FACTS}, so that nobody knows whose they are; "
                "give this teacher a folder of its own, or delete that"
            )
        _sign(folder, facts)
    found = _facts_in(path)
    if found == facts:
        return
    odd = [k for k in facts if found.get(k) != facts[k]]
    what = "; ".join(f"{k} is {_short(found.get(k))}, not {_short(facts[k])}" for k in odd)
    owner = "another source" if odd == ["source"] else "another teacher"
    raise BadInput(f"the cache {folder} belongs to {owner}: {what}; give this one a folder of its own, or delete that")


def _sign(folder: Path, facts: dict[str, object]) -> None:
    aside = folder / f".{FACTS}.{getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        aside.replace(folder / FACTS)
    except OSError as cause:
        with suppress(OSError):
            aside.unlink()
        what = "is a file" if folder.is_file() else f"cannot be written ({cause.strerror})"
        raise OutputRefused(f"a cache was asked for in {folder}, which {what}; give another folder") from cause


def _facts_in(path: Path) -> dict[str, object]:
    nobody = f"so that nobody knows whose vectors these are; delete {path.parent}"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as cause:
        raise BadInput(f"{path} is damaged, {nobody}") from cause
    except OSError as cause:
        raise BadInput(f"{path} cannot be read ({cause.strerror}); make it readable, or give another folder") from cause
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds {_short(found)}, not the facts about a teacher, {nobody}")
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 16 else text[:12] + "..."


def _layout(width: int) -> np.dtype:
    return np.dtype([("key", np.uint8, (KEY_BYTES,)), ("vector", np.float32, (width,))])


def _name_of(rows: np.ndarray) -> str:
    return hashlib.sha256(rows.view(np.uint8).data).hexdigest()[:24]


def _read(path: Path, width: int) -> np.ndarray:
    try:
        rows: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as cause:
        raise BadInput(f"{path} is no whole file of vectors ({cause}); delete it, it will be made again") from cause
    if not isinstance(rows, np.ndarray) or rows.dtype != _layout(width) or rows.ndim != 1:
        held = rows.dtype if isinstance(rows, np.ndarray) else "an archive"
        raise BadInput(f"{path} holds {held}, not rows of a key and a vector of {width}; delete it")
    if _name_of(rows) != path.stem:
        raise BadInput(
            f"{path} should be named after its rows, whose hash is {_name_of(rows)}: it was changed or renamed; "
            "delete it, it will be made again"
        )
    return rows
