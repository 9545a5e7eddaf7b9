"""Floors: what anyone can tell of one strand from others without a model, to be beaten by one.

A floor learns from *items* (strand -> values, as `armillary.sample.strands.physical` gives them) of places to learn
from, and tells a strand of another item. All are exact and fast: means, a copy, the likest place, ridge regression in
closed form.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import reduce, repeat
from jaxtyping import Float
from torch.nn import functional

from armillary.errors import BadInput

Values = Float[np.ndarray, "c h w"]
Item = Mapping[str, Float[np.ndarray, "_ _ _"]]
Floor = Callable[[Item], Values]
"""Tells the target of an item from its other strands."""

Clues = Callable[[Item, int], Values]
"""Item, side -> what each pixel is told from, on the target's grid; NaN where unknown."""

PENALTY = 1e-3
"""Of the ridge, as a share of the mean square of a clue, whose deviation is 1."""

BOXES_PX = (3, 5, 9, 17, 33)

LIKENESS_PX = 8
"""Places are compared by the means of so many blocks to a side."""


def mean_floor(items: Iterable[Item], target: str) -> Floor:
    """The mean of each channel over all items; an item that is told of must hold the target, for its size alone."""
    sums = [
        (np.nansum(i[target], axis=(1, 2), dtype=np.float64), np.isfinite(i[target]).sum(axis=(1, 2))) for i in items
    ]
    if not sums:
        raise BadInput(f"no item was given to take the mean of {target} of; give at least one")
    mean = _quotient(*(np.sum(part, axis=0) for part in zip(*sums, strict=True)))

    def tell(item: Item) -> Values:
        return _flat(mean, item[target].shape)

    return tell


def own_mean(item: Item, target: str) -> Values:
    """The mean of each channel of the truth itself: what an oracle of the level would tell, and nothing else."""
    return mean_floor([item], target)(item)


def copy_floor(given: str, channels: Sequence[int]) -> Floor:
    """Another strand as it is: these channels of it, in the order of the target's."""

    def tell(item: Item) -> Values:
        return np.ascontiguousarray(item[given][list(channels)])

    return tell


def nearest_floor(items: Sequence[Item], given: Sequence[str], target: str) -> Floor:
    """The target of the likest item: nearest in the means of 8 x 8 blocks of the given strands, in their deviations."""
    if not items:
        raise BadInput("no item was given to look for the likest in; give at least one")
    seen = np.stack([_thumbnail(i, given) for i in items])
    count = np.isfinite(seen).sum(axis=0)
    mean = _quotient(np.nansum(seen, axis=0), count)
    deviation = np.sqrt(_quotient(np.nansum((seen - mean) ** 2, axis=0), count)) + 1e-6
    scaled = np.nan_to_num((seen - mean) / deviation)

    def tell(item: Item) -> Values:
        here = np.nan_to_num((_thumbnail(item, given) - mean) / deviation)
        return items[int(((scaled - here) ** 2).sum(axis=1).argmin())][target]

    return tell


def own_pixel(given: Sequence[str]) -> Clues:
    """Clues: all channels of the given strands at the pixel itself; scalars are spread."""

    def clues(item: Item, side: int) -> Values:
        return np.concatenate([regrid(item[name], side) for name in given])

    return clues


def around_pixel(given: Sequence[str]) -> Clues:
    """Clues: fourteen of each channel.

    They are the value; mean and deviation in boxes of 3, 5, 9, 17 and 33 pixels; the largest and the least of 5 x 5;
    the length of the gradient.
    """

    def clues(item: Item, side: int) -> Values:
        return np.concatenate([regrid(_fourteen(item[name]), side) for name in given])

    return clues


@dataclass(frozen=True, eq=False)
class Linear:
    """Ridge regression of each channel of a target on clues: `Linear.fit(items, target, clues)`."""

    clues: Clues
    mean: Float[np.ndarray, " k"]
    deviation: Float[np.ndarray, " k"]
    weights: Float[np.ndarray, "k1 c"]

    @classmethod
    def fit(cls, items: Iterable[Item], target: str, clues: Clues, *, step: int = 1) -> "Linear":
        """Fitted on every `step`-th pixel each way that has all clues, each channel where it is known.

        Raises:
            BadInput: no pixel is known.
        """
        xs, ys = [], []
        for item in items:
            truth = item[target]
            x, y = (v[:, ::step, ::step].reshape(len(v), -1) for v in (clues(item, truth.shape[1]), truth))
            known = np.isfinite(x).all(axis=0)
            xs.append(x[:, known])
            ys.append(y[:, known])
        x, y = (np.concatenate(v, axis=1).astype(np.float64) if v else np.zeros((0, 0)) for v in (xs, ys))
        if not np.isfinite(y).any():
            raise BadInput(f"no pixel of {target} is known together with its clues; give items that have both")
        mean, deviation = x.mean(axis=1), x.std(axis=1) + 1e-9
        rows = _with_one((x - mean[:, None]) / deviation[:, None])
        return cls(clues, mean, deviation, np.stack([_ridge(rows, channel) for channel in y], axis=1))

    def __call__(self, item: Item, side: int) -> Values:
        """The target on a grid of `side` pixels."""
        x = self.clues(item, side)
        rows = _with_one((x.reshape(len(x), -1) - self.mean[:, None]) / self.deviation[:, None])
        told: Values = (self.weights.T @ rows).reshape(-1, *x.shape[1:]).astype(np.float32)
        return told


def regrid(values: Values, side: int) -> Float[np.ndarray, "c {side} {side}"]:
    """Blocks averaged, or pixels repeated, to another side; a block counts where one of its pixels is known.

    Raises:
        BadInput: neither side is a multiple of the other.
    """
    have = values.shape[1]
    if have == side:
        return values
    if have < side and side % have == 0:
        larger: np.ndarray = repeat(values, "c h w -> c (h p) (w q)", p=side // have, q=side // have)
        return larger
    if have % side:
        raise BadInput(f"{have} pixels cannot be laid on {side}; give sides of which one is a multiple of the other")
    known = np.isfinite(values)
    p = have // side
    total, count = (
        reduce(v.astype(np.float64), "c (h p) (w q) -> c h w", "sum", p=p, q=p) for v in (np.nan_to_num(values), known)
    )
    smaller: np.ndarray = _quotient(total, count).astype(np.float32)
    return smaller


def _fourteen(values: Values) -> Float[np.ndarray, "14*c h w"]:
    x = np.nan_to_num(values, nan=float(np.nanmean(values))).astype(np.float64)
    found = [x]
    for box in BOXES_PX:
        mean, square = _box(x, box // 2), _box(x**2, box // 2)
        found += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    found += [_largest(x), -_largest(-x)]
    found.append(np.hypot(*np.gradient(x, axis=(1, 2))))
    stacked = np.stack(found, axis=1).reshape(-1, *x.shape[1:]).astype(np.float32)
    unknown = np.repeat(~np.isfinite(values), len(found), axis=0)
    return np.where(unknown, np.float32(np.nan), stacked)


def _box(x: Values, reach: int) -> Values:
    """Mean of a box, less where it reaches beyond the picture: a mean of rows of means of columns, by running sums."""
    for axis in (1, 2):
        n = x.shape[axis]
        low, high = np.maximum(np.arange(n) - reach, 0), np.minimum(np.arange(n) + reach + 1, n)
        sums = np.insert(np.cumsum(x, axis=axis), 0, 0.0, axis=axis)
        count = (high - low).reshape((-1, 1) if axis == 1 else (1, -1))
        x = (sums.take(high, axis=axis) - sums.take(low, axis=axis)) / count
    return x


def _largest(x: Values) -> Values:
    """Of 5 x 5 pixels."""
    across = functional.max_pool2d(torch.from_numpy(x), (5, 1), 1, (2, 0))
    largest: np.ndarray = functional.max_pool2d(across, (1, 5), 1, (0, 2)).numpy()
    return largest


def _thumbnail(item: Item, given: Sequence[str]) -> Float[np.ndarray, " k"]:
    parts = []
    for name in given:
        values = item[name]
        parts.append(regrid(values, min(LIKENESS_PX, values.shape[1])).ravel())
    return np.concatenate(parts)


def _ridge(rows: Float[np.ndarray, "k n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " k"]:
    known = np.isfinite(y)
    if not known.any():
        return np.full(len(rows), np.nan)
    x, y = rows[:, known], y[known]
    penalty = PENALTY * x.shape[1] * np.eye(len(x))
    penalty[-1, -1] = 0.0
    solved: np.ndarray = np.linalg.solve(x @ x.T + penalty, x @ y)
    return solved


def _with_one(x: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k1 n"]:
    return np.concatenate([x, np.ones((1, x.shape[1]), x.dtype)])


def _quotient(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """NaN where nothing was counted."""
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _flat(mean: Float[np.ndarray, " c"], shape: tuple[int, ...]) -> Values:
    return np.broadcast_to(mean.astype(np.float32)[:, None, None], (len(mean), *shape[1:])).copy()
