"""Fidelity: how near one told strand is to the truth, of one place, by measures that must not be mixed.

The level of a whole picture and the pattern within it are told apart: from radar nobody can know the colour of an
event, but where its fields and waters lie can be known.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from jaxtyping import Float

from armillary.errors import BadInput

Values = Float[np.ndarray, "_ _ _"]
"""Channels, rows, columns; sizes are checked by hand."""

LEAST_PIXELS = 16
"""A channel with fewer known pixels is not measured, unless it has no more pixels than that."""


@dataclass(frozen=True)
class Fidelity:
    """Errors in the unit of the strand, each the mean over its channels; NaN where nothing can be measured.

    Args:
        mae: mean absolute error of a pixel.
        rmse: root of the mean squared error.
        level: absolute error of the mean of the picture.
        correlation: of Pearson, within the picture; 0 where what was told is flat, NaN where the truth is.
    """

    mae: float
    rmse: float
    level: float
    correlation: float


def fidelity(told: Values, truth: Values) -> Fidelity:
    """Measures of one picture, where both are known.

    Example:
        >>> truth = np.arange(16.0).reshape(1, 4, 4)
        >>> fidelity(truth + 2, truth)
        Fidelity(mae=2.0, rmse=2.0, level=2.0, correlation=1.0)
    """
    if told.shape != truth.shape:
        raise BadInput(f"{told.shape} was told of {truth.shape}; give both on one grid")
    least = min(LEAST_PIXELS, truth[0].size)
    rows = [_channel(t[k], v[k]) for t, v in zip(told, truth, strict=True) if (k := _known(t, v)).sum() >= least]
    return _mean(rows)


def mean_fidelity(items: Sequence[Fidelity]) -> Fidelity:
    """The mean of each measure over the pictures that have it."""
    return _mean([astuple(f) for f in items])


def _known(told: Float[np.ndarray, "h w"], truth: Float[np.ndarray, "h w"]) -> np.ndarray:
    known: np.ndarray = np.isfinite(told) & np.isfinite(truth)
    return known


def _channel(told: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> tuple[float, float, float, float]:
    t, v = told.astype(np.float64), truth.astype(np.float64)
    error = t - v
    return float(np.abs(error).mean()), float(np.sqrt((error**2).mean())), float(abs(error.mean())), _pearson(t, v)


def _pearson(told: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> float:
    t, v = told - told.mean(), truth - truth.mean()
    flat = 1e-9 * (1 + np.abs(truth).max())
    if v.std() <= flat:
        return float("nan")
    return float((t * v).mean() / (t.std() * v.std())) if t.std() > flat else 0.0


def _mean(rows: Sequence[tuple[float, ...]]) -> Fidelity:
    columns = zip(*rows, strict=True) if rows else [()] * len(fields(Fidelity))
    means = []
    for column in columns:
        known = [x for x in column if np.isfinite(x)]
        means.append(float(np.mean(known)) if known else float("nan"))
    return Fidelity(*means)
