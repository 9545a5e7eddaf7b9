"""LCZ-S2: local climate zones (So2Sat LCZ42) in three HDF5 files, of which Sentinel-2 is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h5py
import numpy as np
from jaxtyping import Int

from armillary.bench.archives.codes import LCZ
from armillary.bench.archives.listed import in_parts
from armillary.bench.archives.rasters import placeless
from armillary.bench.files import Files, file_of
from armillary.bench.task import Item, Items, Part, Reader
from armillary.earth.sensors import Sensor
from armillary.errors import SceneUnreadable
from armillary.sample.sample import Sample

LIST = "lcz_{}.h5"
PIXELS = "sen2"
LABELS = "label"


@dataclass(frozen=True, eq=False)
class Zones:
    """Items of the three files; see `armillary.bench.task.Items`.

    Args:
        archive: its files.
        sensor: narrowed to the ten stored bands.
        keys: "<part>/<row>".
        parts: of each item.
        rows: of each item in its file.
        classes: of each item.
        groups: none are told.
    """

    archive: Files
    sensor: Sensor
    keys: tuple[str, ...]
    parts: tuple[Part, ...]
    rows: tuple[int, ...]
    classes: Int[np.ndarray, " n"]
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def item(self, number: int) -> Item:
        """Read one item."""
        name = self.files(number)[0]
        with _opened(self.archive, name) as file:
            cube = np.asarray(file[PIXELS][self.rows[number]], dtype=np.float32)
        if cube.ndim != 3 or cube.shape[2] != len(self.sensor.bands):
            raise SceneUnreadable(
                f"row {self.rows[number]} of {PIXELS} in {name} in {self.archive.where} is {cube.shape}; rows, columns "
                f"and {len(self.sensor.bands)} bands were expected: download it again"
            )
        pixels = np.ascontiguousarray(cube.transpose(2, 0, 1))
        sample = Sample(pixels, self.sensor, placeless(cube.shape[:2], self.sensor.gsd_m))
        return Item(self.keys[number], (sample,), self.truth(number))

    def truth(self, number: int) -> np.ndarray:
        """Its class."""
        return np.array(self.classes[number])

    def files(self, number: int) -> tuple[str, ...]:
        """The file of its part."""
        return (LIST.format(self.parts[number]),)


def zones(sensor: Sensor) -> Reader:
    """LCZ-S2: lcz_{part}.h5 holds `sen2` [n, 32, 32, 10] in reflectance and `label` [n, 17], one-hot."""

    def read(files: Files) -> Items:
        found, parts = in_parts(lambda part: tuple(enumerate(_classes(files, LIST.format(part)))))
        rows = tuple(row for row, _ in found)
        keys = tuple(f"{part}/{row}" for part, row in zip(parts, rows, strict=True))
        return Zones(files, sensor, keys, parts, rows, np.array([k for _, k in found], dtype=np.int64))

    return read


def _classes(files: Files, name: str) -> list[int]:
    with _opened(files, name) as file:
        hot = np.asarray(file[LABELS])
        held = len(file[PIXELS])
    one_each = hot.ndim == 2 and hot.shape[1] == len(LCZ) and bool(((hot != 0).sum(axis=1) == 1).all())
    if not one_each or held != len(hot):
        raise SceneUnreadable(
            f"{LABELS} in {name} in {files.where} is {hot.shape} for {held} samples; one row each with one of "
            f"{len(LCZ)} classes was expected: download it again"
        )
    return [int(k) for k in hot.argmax(axis=1)]


@contextmanager
def _opened(files: Files, name: str) -> Iterator[h5py.File]:
    found = file_of(files, name)
    try:
        with h5py.File(found, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as cause:
        reason = str(cause).split("\n")[0][:160]
        raise SceneUnreadable(
            f"{name} in {files.where} cannot be read ({reason}); it is cut off or damaged: download it again"
        ) from cause
