"""Task: one question of a benchmark as data: which files, which sensor, what is asked, how others asked it.

An *item* is what one answer is about: one sample, or several of the same place in the order of time. *Items* are all
items of a task, whatever part (train, val, test) they belong to; they are read one at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from armillary.bench.archive import Archive
from armillary.bench.files import Files
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.probe.answer import Answer
from armillary.sample.sample import Sample

__all__ = ["Archive", "Item", "Items", "Joined", "Official", "Part", "Places", "Reader", "Suite", "Task"]

Part = Literal["train", "val", "test"]
Joined = Literal["one", "mean", "difference"]
"""How features of an item's samples become the item's: the only sample's, their mean, or the last less the first."""


@dataclass(frozen=True, eq=False)
class Item:
    """What one answer is about.

    Args:
        key: unique within the task; names the item in tables and messages.
        samples: in the order of time, on one grid.
        truth: as `armillary.probe.answer` says.
        grid: where the pixels of a dense truth are; None where that is not known, and then they cover the samples.
    """

    key: str
    samples: tuple[Sample, ...]
    truth: np.ndarray
    grid: Window | None = None


@runtime_checkable
class Items(Protocol):
    """All items of a task, read one at a time and in an order that never changes."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Name of each item."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Part of each item."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Name of each item's group, such as an event; () = none are told. Intervals draw whole groups."""

    def __len__(self) -> int:
        """How many items."""

    def item(self, number: int) -> Item:
        """Read one item.

        Raises:
            SceneUnreadable: one of its files is damaged; the message names the file.
        """

    def truth(self, number: int) -> np.ndarray:
        """Its truth alone, without reading samples where that is possible."""

    def files(self, number: int) -> tuple[str, ...]:
        """Names of the files that an item is read from, of which `Files.checksum` speaks."""


@dataclass(frozen=True)
class Official:
    """How the published protocol shows the task to a model (`--official`), and how it trains the head.

    Args:
        side_px: side to which samples are resized; None = as stored.
        mean: per band, of what `clamp` leaves; () = nothing is subtracted. Where there are more numbers than bands,
            they are those of each sample in turn.
        std: per band or per sample and band; () = nothing is divided.
        unit: of the numbers that mean and std speak of: "count", "linear" (backscatter), or the sensor's unit.
        clamp: smallest and largest, in `unit`; None = none.
        fill: what NaN becomes, in `unit`.
        patch_km2: the constant area that the published wrapper tells of a token.
        lr: of the head, frozen encoder.
        batch: items of one step.
        epochs: of the head.
        resize: how samples are brought to `side_px`: "bilinear" with aligned corners, or "cubic".
        target: mean and standard deviation by which values are normalised for the loss; None = they are not.
        source: where these numbers come from.
    """

    side_px: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unit: str
    patch_km2: float
    lr: float
    batch: int
    clamp: tuple[float, float] | None = None
    fill: float = 0.0
    epochs: int = 50
    resize: Literal["bilinear", "cubic"] = "bilinear"
    target: tuple[float, float] | None = None
    source: str = "Copernicus-Bench configurations"


Reader = Callable[[Files], Items]


@dataclass(frozen=True, eq=False)
class Task:
    """One question.

    Args:
        name: what the command line calls it, "cloud-s2".
        title: what the publication calls it, "Cloud-S2".
        sensor: narrowed to the stored bands, in the stored order.
        answer: what is asked.
        archive: where its files come from.
        read: files -> items.
        joined: how several samples become one.
        samples: fewest and most samples of an item.
        knows: which facts items have: any of "place", "time", "area".
        sizes: published number of items of each part.
        official: how others asked it; None for tasks of our own.
        published: model -> mean and standard deviation of the main measure as published, in its own unit (RMSE) or as
            a share (all others).
        level: of Copernicus-Bench, 0 elsewhere.
        truth_gsd_m: ground size of a pixel of a dense truth as published; None where an item has one answer.
        note: what a reader of a score must know.
    """

    name: str
    title: str
    sensor: Sensor
    answer: Answer
    archive: Archive
    read: Reader
    joined: Joined = "one"
    samples: tuple[int, int] = (1, 1)
    knows: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    official: Official | None = None
    published: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))
    level: int = 0
    truth_gsd_m: float | None = None
    note: str = ""


Places = Float[np.ndarray, "n 2"]
"""Longitude and latitude of items, nan where unknown."""

Suite = Mapping[str, Task]
"""Tasks by name."""
