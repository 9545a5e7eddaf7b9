"""Sums: all that the scores of a benchmark need to know of any number of answered items.

Sums add up: `tally` makes those of one item, `+` those of both sides. Every number in them is whole (or a sum kept
exactly, see `armillary.bench.scores.exact`), and ranking measures keep every score with its label; so the same items
have the same scores to the last bit, whatever the order, the batches or the processes in which they were answered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from jaxtyping import Float, Int, Shaped

from armillary.bench.scores.exact import exact, exact_products
from armillary.errors import BadInput, OutOfRange
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap

BINS = 15
"""Bins of confidence, of equal width, for the calibration error (Guo et al. 2017, arXiv:1706.04599)."""

CONFIDENCE = 2**30
"""Confidences are counted in this many parts, so that their sums are whole numbers: 8.6e9 decisions fit."""

THRESHOLD = 0.5
"""A label is given where its probability is larger."""

LARGEST = 1e150
"""Values must be smaller, so that their squares are numbers."""

SLACK = 1e-3
"""How far a probability may stray from 0 to 1 by rounding (float16 has 11 bits)."""

Given = Shaped[np.ndarray, "..."] | np.generic | float
"""An array of any number of axes, or a number."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Sufficient statistics of items; `Sums()` is nothing.

    Args:
        counts: whole numbers that add up. "confusion" [k k] (row: truth, column: answer); "labels" [k 2 2] (label,
            truth, answer); "calibration" [3 BINS] (decisions, hits, confidence in parts of `CONFIDENCE`); "known" [] .
        reals: exact sums: "truth", "truth^2", "error", "|error|", "error^2", "truth*error".
        rows: what ranking keeps, in blocks: "scores" and "truths", one row per item.
    """

    counts: Mapping[str, Int[np.ndarray, "..."]] = field(default_factory=dict)
    reals: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, tuple[Shaped[np.ndarray, "_n _k"], ...]] = field(default_factory=dict)

    def __add__(self, other: "Sums") -> "Sums":
        """Sums of the items of both.

        Raises:
            BadInput: the two are of different answers.
        """
        return total((self, other))

    def row(self, name: str) -> Shaped[np.ndarray, "_n _k"]:
        """All rows of a name in one array."""
        return np.concatenate(self.rows[name])


def total(sums: Iterable[Sums]) -> Sums:
    """The sum of many, in time that grows with their number alone.

    Raises:
        BadInput: they are of different answers.
    """
    counts: dict[str, np.ndarray] = {}
    reals: dict[str, int] = {}
    blocks: dict[str, list[tuple[np.ndarray, ...]]] = {}
    for s in sums:
        if s.counts:
            _demand_kin(counts, s.counts)
        for name, count in s.counts.items():
            if name in counts:
                counts[name] += count
            else:
                counts[name] = np.array(count, dtype=np.int64)
        for name, real in s.reals.items():
            reals[name] = reals.get(name, 0) + real
        for name, some in s.rows.items():
            blocks.setdefault(name, []).append(some)
    return Sums(counts, reals, {name: tuple(chain.from_iterable(some)) for name, some in blocks.items()})


def tally(answer: Answer, prediction: Given, truth: Given) -> Sums:
    """Sums of one item.

    Args:
        answer: what was asked.
        prediction: as `armillary.probe.answer` says; free where the truth is unknown.
        truth: the same.

    Raises:
        OutOfRange: shapes do not belong together, a probability is none, a value is not finite, or a class number is
            none of the answer's.
    """
    p, y = np.asarray(prediction), np.asarray(truth)
    _demand_shapes(answer, p.shape, y.shape)
    p = p if p.dtype.kind == "f" else p.astype(np.float64)
    match answer:
        case OneOf() | ClassMap():
            return _classes(p.reshape(len(answer.classes), -1), y.astype(np.int64).reshape(-1))
        case AnyOf():
            return _labels(p.astype(np.float64), y.astype(bool))
        case Value() | ValueMap():
            return _values(p.astype(np.float64).reshape(-1), y.astype(np.float64).reshape(-1))


def zero(answer: Answer) -> Sums:
    """Sums of no items of an answer: everything is there, and 0."""
    match answer:
        case OneOf() | ClassMap():
            return _classes(np.empty((len(answer.classes), 0)), np.empty(0, dtype=np.int64))
        case AnyOf():
            k = len(answer.classes)
            empty = np.empty((0, k))
            counts = {"labels": np.zeros((k, 2, 2), dtype=np.int64), "calibration": _calibration(empty, empty > 0)}
            return Sums(counts, rows={"scores": (empty,), "truths": (empty > 0,)})
        case Value() | ValueMap():
            return _values(np.empty(0), np.empty(0))


def _classes(p: Float[np.ndarray, "k n"], y: Int[np.ndarray, " n"]) -> Sums:
    k, known = len(p), y != IGNORE
    if not known.all():
        p, y = p[:, known], y[known]
    if y.size and not 0 <= y.min() <= y.max() < k:
        raise OutOfRange(
            f"classes {y.min()} to {y.max()} were found where 0 to {k - 1} are known; map labels to these, "
            f"and what is not asked to {IGNORE}"
        )
    _demand_probabilities(p)
    said = p.argmax(axis=0)
    confidence = np.take_along_axis(p, said[None], axis=0)[0]
    confusion = np.bincount(y * k + said, minlength=k * k).reshape(k, k)
    return Sums({"confusion": confusion, "calibration": _calibration(confidence, said == y)})


def _labels(p: Float[np.ndarray, " k"], y: Shaped[np.ndarray, " k"]) -> Sums:
    _demand_probabilities(p)
    counts = np.zeros((len(p), 2, 2), dtype=np.int64)
    counts[np.arange(len(p)), y.astype(int), (p > THRESHOLD).astype(int)] = 1
    return Sums(
        {"labels": counts, "calibration": _calibration(p, y)}, rows={"scores": (p[None],), "truths": (y[None],)}
    )


def _values(p: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Sums:
    known = ~np.isnan(y)
    p, y = p[known], y[known]
    if not ((np.abs(p) < LARGEST).all() and (np.abs(y) < LARGEST).all()):  # nan is not smaller
        bad = int((~(np.abs(p) < LARGEST)).sum())
        raise OutOfRange(
            f"{bad} of {len(p)} predictions are no finite numbers below {LARGEST:g}, or a truth is none; give numbers"
        )
    e = p - y
    plain = {name: exact(x) for name, x in {"truth": y, "error": e, "|error|": np.abs(e)}.items()}
    pairs = {"truth^2": (y, y), "error^2": (e, e), "truth*error": (y, e)}
    products = {name: exact_products(*pair) for name, pair in pairs.items()}
    return Sums({"known": np.array(len(y))}, plain | products)


def _calibration(confidence: Float[np.ndarray, "*n"], hit: Shaped[np.ndarray, "*n"]) -> Int[np.ndarray, "3 bins"]:
    """Decisions, hits and summed confidence of each bin."""
    sure = np.clip(confidence.astype(np.float64).reshape(-1), 0, 1)
    at = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    sums = np.zeros((3, BINS), dtype=np.int64)
    sums[0] = np.bincount(at, minlength=BINS)
    sums[1] = np.bincount(at[hit.reshape(-1)], minlength=BINS)
    np.add.at(sums[2], at, np.rint(sure * CONFIDENCE).astype(np.int64))
    return sums


def _demand_shapes(answer: Answer, p: tuple[int, ...], y: tuple[int, ...]) -> None:
    match answer:
        case OneOf(classes):
            fits = p == (len(classes),) and y == ()
        case AnyOf(classes):
            fits = p == y == (len(classes),)
        case ClassMap(classes):
            fits = len(y) == 2 and p == (len(classes), *y)
        case Value():
            fits = p == y == ()
        case ValueMap():
            fits = len(y) == 2 and p == y
    if not fits:
        of = "" if isinstance(answer, Value | ValueMap) else f" of {len(answer.classes)} classes"
        raise OutOfRange(
            f"{type(answer).__name__}{of} was answered with an array {list(p)} where the truth is {list(y)}; "
            "give a prediction on the truth's own grid, as armillary.probe.answer says"
        )


def _demand_probabilities(p: Float[np.ndarray, "..."]) -> None:
    if p.size and not (p.min() >= -SLACK and p.max() <= 1 + SLACK):  # nan is neither
        raise OutOfRange(f"predictions from {p.min():.4g} to {p.max():.4g} were given; give probabilities, 0 to 1")


def _demand_kin(known: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray]) -> None:
    shapes = [{name: np.shape(count) for name, count in some.items()} for some in (known, given)]
    if known and shapes[0] != shapes[1]:
        raise BadInput(f"sums of {shapes[0]} and of {shapes[1]} were added; add sums of one answer only")
