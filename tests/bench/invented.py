"""Invented tasks in memory: synthetic Sentinel-2 chips whose class is how bright they are, or whose value is that."""

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from armillary.bench.task import Archive, Item, Joined, Part, Task
from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import SceneUnreadable
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap
from armillary.sample.sample import Sample

RGB = sensors["s2-l1c"].select(("B04", "B03", "B02"))
KINDS = ("dark", "grey", "bright")


class Memory:
    """Files that lie nowhere; those named in `broken` cannot be read."""

    where = "memory"

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.broken = broken
        self.reads = 0

    def names(self, prefix: str = "") -> tuple[str, ...]:
        return ()

    def read(self, name: str) -> bytes:
        self.reads += 1
        if name in self.broken:
            raise SceneUnreadable(f"{name} in memory is damaged; fetch it again")
        return name.encode()

    def href(self, name: str) -> str:
        return name

    def checksum(self, name: str) -> int:
        return zlib.crc32(name.encode())


class Chips:
    """60 chips of 32 px: 30 train, 12 val, 18 test, a degree apart."""

    def __init__(self, files: Memory, answer: Answer, shots: int = 1, placed: bool = True) -> None:
        self.files_of, self.answer, self.shots, self.placed = files, answer, shots, placed
        cycle: tuple[Part, ...] = ("train", "test", "train", "val", "train", "test", "train", "train", "val", "test")
        self.groups: tuple[str, ...] = ()
        self.keys = tuple(f"chip{n:02d}" for n in range(60))
        self.parts: tuple[Part, ...] = tuple(cycle[n % 10] for n in range(60))

    def __len__(self) -> int:
        return len(self.keys)

    def files(self, number: int) -> tuple[str, ...]:
        return (f"{self.keys[number]}.tif",)

    def item(self, number: int) -> Item:
        self.files_of.read(f"{self.keys[number]}.tif")
        return Item(self.keys[number], tuple(self._sample(number, t) for t in range(self.shots)), self.truth(number))

    def truth(self, number: int) -> np.ndarray:
        level, rng = self._level(number), np.random.default_rng(number)
        match self.answer:
            case OneOf():
                return np.array(level, dtype=np.int64)
            case AnyOf():
                return np.array([level == 0, level >= 1, level == 2])
            case ClassMap():
                out = np.full((40, 40), level, dtype=np.int64)
                out[rng.integers(0, 40), :] = IGNORE
                return out
            case Value():
                return np.array(1.0 + level, dtype=np.float32)
            case ValueMap():
                out = np.full((40, 40), 1.0 + level, dtype=np.float32)
                out[:2] = np.nan
                return out

    def _level(self, number: int) -> int:
        return int(np.random.default_rng((7, number)).integers(3))

    def _sample(self, number: int, time: int) -> Sample:
        rng = np.random.default_rng((1, number, time))
        change = self._level(number) if self.shots == 1 else self._level(number) * time
        pixels = (0.05 + 0.1 * change + rng.normal(0, 0.01, (3, 32, 32))).astype(np.float32)
        affine = (10.0, 0.0, 3e5 + 3e4 * (number % 12), 0.0, -10.0, 4e6 + 1e5 * (number // 12))
        window = Window.of((32, 32), affine, "EPSG:32632" if self.placed else None)
        return Sample(pixels, RGB, window, datetime(2020, 6, 1, tzinfo=UTC) + timedelta(days=number + 30 * time))


ANSWERS: dict[str, Answer] = {
    "one": OneOf(KINDS),
    "any": AnyOf(KINDS),
    "map": ClassMap(KINDS),
    "value": Value("t"),
    "values": ValueMap("t"),
}


def task(kind: str = "one", *, shots: int = 1, joined: Joined = "one", placed: bool = True) -> Task:
    answer = ANSWERS[kind]
    archive = Archive("nowhere.zip", "nowhere", "", "CC0-1.0", "invented for tests")
    return Task(
        name=kind,
        title=kind.title(),
        sensor=RGB,
        answer=answer,
        archive=archive,
        read=lambda files: Chips(files, answer, shots, placed),
        joined=joined,
        knows=("place", "time", "area"),
    )


def renamed(one: Task, name: str) -> Task:
    return replace(one, name=name)
