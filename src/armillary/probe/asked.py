"""What a probe is given, and what it gives back.

A *probe* learns from frozen features of training items, chooses its settings on validation items alone, and then
predicts any item. Features and truths are numbered alike; parts are numbers into them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from torch import nn

from armillary.errors import OutOfRange
from armillary.probe.answer import Answer
from armillary.sample.batch import Batch


@dataclass(frozen=True, eq=False)
class Seen:
    """Frozen features of all items of a task, mapped from disk.

    Args:
        vectors: one per item.
        maps: four maps per item, from the first to the last tap; none where no probe needs them. Pixels of an item
            are where those of its samples are; sizes are equal for all items.
    """

    vectors: Float[np.ndarray, "n d"]
    maps: tuple[Float[np.ndarray, "n e h w"], ...] = ()


@dataclass(frozen=True, eq=False)
class Parts:
    """Numbers of the items that teach, that choose settings, and that are asked: disjoint.

    Args:
        train: items to learn from.
        val: items on which settings are chosen; may be empty, and then a probe chooses by folds within `train`.
        test: items that are asked.
        groups: one number per item of the task that no fold within `train` cuts either; None = items stand alone.
    """

    train: Int[np.ndarray, " m"]
    val: Int[np.ndarray, " v"]
    test: Int[np.ndarray, " q"]
    groups: Int[np.ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        every = np.concatenate([self.train, self.val, self.test])
        if len(np.unique(every)) != len(every) or not len(self.train) or not len(self.test):
            raise OutOfRange(
                f"parts hold {len(self.train)} training, {len(self.val)} validation and {len(self.test)} test items, "
                f"{len(every) - len(np.unique(every))} of them twice; give disjoint parts, items to learn and to ask"
            )


@dataclass(frozen=True, eq=False)
class Asked:
    """One question to a probe.

    Args:
        answer: what kind.
        seen: features of all items.
        truths: one array per item; those of test items are never looked at.
        parts: who teaches, who chooses, who is asked.
    """

    answer: Answer
    seen: Seen
    truths: Sequence[np.ndarray]
    parts: Parts


@runtime_checkable
class Question(Protocol):
    """What every question has, whatever it is learned from."""

    @property
    def answer(self) -> Answer:
        """What kind."""

    @property
    def truths(self) -> Sequence[np.ndarray]:
        """One array per item."""

    @property
    def parts(self) -> Parts:
        """Who teaches, who chooses, who is asked."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A probe that has learned.

    Args:
        predict: numbers of items -> one prediction per item, in order, as `armillary.probe.answer` says.
        choices: settings that were chosen on validation items, by name (for the record).
    """

    predict: Callable[[Int[np.ndarray, " q"]], Iterator[np.ndarray]]
    choices: Mapping[str, float | str]


@runtime_checkable
class Probe(Protocol):
    """How frozen features become answers.

    A dense answer is always learned from `Seen.maps`, every other one from `Seen.vectors`.
    """

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def needs_maps(self) -> bool:
        """Whether it reads `Seen.maps` whatever is asked: True for heads that give maps alone."""

    def serves(self, answer: Answer) -> bool:
        """Whether it can give such answers."""

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Learn from the training items; all randomness comes from the seed."""


@dataclass(frozen=True, eq=False)
class Live:
    """One question to a probe that trains the model itself.

    Args:
        answer: what kind.
        truths: one array per item; those of test items are never looked at.
        parts: who teaches, who chooses, who is asked.
        model: Batch -> Tokens; a copy of it learns, on the device where it is.
        read: numbers of items -> all their samples as the model reads them, item after item in the order of time, and
            how many each item has.
        joined: how features of an item's samples become the item's: the only sample's, their mean, or the last less
            the first.
    """

    answer: Answer
    truths: Sequence[np.ndarray]
    parts: Parts
    model: nn.Module
    read: Callable[[Sequence[int]], tuple[Batch, tuple[int, ...]]]
    joined: Literal["one", "mean", "difference"] = "one"


@runtime_checkable
class Tuner(Protocol):
    """How a model itself is made to answer."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def serves(self, answer: Answer) -> bool:
        """Whether it can give such answers."""

    def tune(self, live: Live, seed: int) -> Learned:
        """Train a copy of the model with a head on the training items; all randomness comes from the seed."""
