"""Answers: what a labelled item is asked, as data. A *truth* is one item's answer as an array.

| answer | truth of an item | prediction for an item | main measure |
|---|---|---|---|
| OneOf | class number, int64 () | probability of each class, float [k] | OA (overall accuracy) |
| AnyOf | bool [k] | probability of each class, float [k] | mAP (macro) |
| ClassMap | class numbers, int64 [h w], IGNORE: unknown | probabilities, float [k h w] on the truth's own grid | mIoU |
| Value | float32 (), NaN = unknown | float () | RMSE |
| ValueMap | float32 [h w], NaN = unknown | float [h w] on the truth's own grid | RMSE |
"""

from dataclasses import dataclass

IGNORE = -100
"""Class number of a pixel whose class is unknown or not asked; torch's cross-entropy leaves it out by default."""


@dataclass(frozen=True)
class OneOf:
    """Exactly one class per item."""

    classes: tuple[str, ...]


@dataclass(frozen=True)
class AnyOf:
    """Any number of classes per item."""

    classes: tuple[str, ...]


@dataclass(frozen=True)
class ClassMap:
    """One class per pixel."""

    classes: tuple[str, ...]


@dataclass(frozen=True)
class Value:
    """One number per item.

    Args:
        unit: of the number; "1" when it has none.
    """

    unit: str


@dataclass(frozen=True)
class ValueMap:
    """One number per pixel.

    Args:
        unit: of the number; "1" when it has none.
    """

    unit: str


Answer = OneOf | AnyOf | ClassMap | Value | ValueMap

MAIN: dict[type, str] = {OneOf: "OA", AnyOf: "mAP", ClassMap: "mIoU", Value: "RMSE", ValueMap: "RMSE"}
"""Answer -> the measure by which it is first judged."""


def is_dense(answer: Answer) -> bool:
    """Whether every pixel has an answer of its own."""
    return isinstance(answer, ClassMap | ValueMap)
