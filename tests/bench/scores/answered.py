"""Synthetic answers: predictions and truths of every kind, made from chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from armillary.bench.scores.sums import Sums, tally
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap

NAMES = tuple("abcde")
ANSWERS: tuple[Answer, ...] = (OneOf(NAMES), AnyOf(NAMES), ClassMap(NAMES), Value("m"), ValueMap("m"))


@dataclass(frozen=True, eq=False)
class Answered:
    """Predictions and truths of items."""

    answer: Answer
    predictions: Sequence[np.ndarray]
    truths: Sequence[np.ndarray]

    @property
    def per_item(self) -> list[Sums]:
        return [tally(self.answer, p, y) for p, y in zip(self.predictions, self.truths, strict=True)]


def answered(answer: Answer, items: int = 32, seed: int = 0) -> Answered:
    """Fair guesses: right more often than not, some truths unknown where an answer has that."""
    rng, side = np.random.default_rng(seed), 6
    match answer:
        case OneOf(names):
            y = rng.integers(len(names), size=items)
            p = 0.7 * rng.dirichlet(np.ones(len(names)), items) + 0.3 * np.eye(len(names))[y]
        case AnyOf(names):
            y = rng.random((items, len(names))) < 0.4
            p = np.round((rng.random(y.shape) + y) / 2, 1)  # scores that are equal are common
        case ClassMap(names):
            y = rng.integers(len(names), size=(items, side, side))
            p = np.moveaxis(0.7 * rng.dirichlet(np.ones(len(names)), y.shape) + 0.3 * np.eye(len(names))[y], -1, 1)
            y = np.where(rng.random(y.shape) < 0.1, IGNORE, y)
        case Value():
            y = rng.normal(300, 5, items).astype(np.float32)
            p = (y + rng.normal(1, 2, items)).astype(np.float32)
        case ValueMap():
            y = rng.normal(300, 5, (items, side, side)).astype(np.float32)
            p = (y + rng.normal(1, 2, y.shape)).astype(np.float32)
            y[rng.random(y.shape) < 0.1] = np.nan
    return Answered(answer, [np.asarray(some) for some in p], [np.asarray(some) for some in y])


CLASSES, SIDE_PX, THREE, GUESSED = 23, 12, 0.69, 0.4
"""Of the patchy case: classes, side of a map, share of maps with three classes, and of pixels that are guessed."""


def patchy(items: int = 640, seed: int = 0) -> Answered:
    """Maps of two or three of 23 classes; guessed pixels are answered with any class."""
    rng = np.random.default_rng(seed)
    shown = [rng.choice(CLASSES, 3 if rng.random() < THREE else 2, replace=False) for _ in range(items)]
    y = np.stack([rng.choice(some, (SIDE_PX, SIDE_PX)) for some in shown])
    said = np.where(rng.random(y.shape) < GUESSED, rng.integers(CLASSES, size=y.shape), y)
    p = np.moveaxis(np.eye(CLASSES)[said], -1, 1)
    return Answered(ClassMap(tuple(f"class {k}" for k in range(CLASSES))), list(p), list(y))
