"""Calibration: whether samples are spread as widely as the truth lies from them.

Of N samples and the truth, all drawn from one law, any of the N + 1 may be the truth: its rank among them is then
uniform (Talagrand), and the squared error of the samples' mean is (1 + 1/N) times their variance on average.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from armillary.errors import BadInput

LEAST_SAMPLES = 2


@dataclass(frozen=True)
class Calibration:
    """Sums over pixels and channels; those of several pictures add up.

    Args:
        count: numbers that were known.
        variance: sum of the samples' unbiased variances, in spans squared.
        squared: sum of the squared errors of their mean, in spans squared.
        crps: sum of the continuous ranked probability scores, in the unit of the values.
        ranks: how often the truth had each rank among the samples, the lowest first.
    """

    count: int
    variance: float
    squared: float
    crps: float
    ranks: tuple[int, ...]

    @property
    def samples(self) -> int:
        """How many were drawn."""
        return len(self.ranks) - 1

    @property
    def dispersion(self) -> float:
        """Root of (mean variance x (1 + 1/N) / mean squared error): 1 where calibrated, less where too sure."""
        return float(np.sqrt(self.variance * (1 + 1 / self.samples) / self.squared)) if self.squared else float("nan")

    @property
    def mean_crps(self) -> float:
        """In the unit of the values; that of a single answer is its mean absolute error."""
        return self.crps / self.count if self.count else float("nan")

    @property
    def unevenness(self) -> float:
        """Chi-square distance of the ranks' shares from even ones: 0 is flat, N is all in one."""
        shares, even = np.array(self.ranks) / max(self.count, 1), 1 / len(self.ranks)
        return float(((shares - even) ** 2 / even).sum()) if self.count else float("nan")


def calibration(
    drawn: Float[np.ndarray, "n c h w"],
    truth: Float[np.ndarray, "c h w"],
    spans: Float[np.ndarray, " c"],
    rng: np.random.Generator,
) -> Calibration:
    """Sums of one picture, where all is known.

    Args:
        drawn: samples.
        truth: what was measured.
        spans: of each channel.
        rng: breaks ties between samples and truth.

    Raises:
        BadInput: fewer than two samples, or another shape.
    """
    n = len(drawn)
    if n < LEAST_SAMPLES or drawn.shape[1:] != truth.shape:
        raise BadInput(f"{drawn.shape} was drawn of {truth.shape}; give two samples or more, on the grid of the truth")
    known = np.isfinite(truth) & np.isfinite(drawn).all(axis=0)
    x, y = drawn[:, known].astype(np.float64), truth[known].astype(np.float64)
    unit = np.broadcast_to(spans[:, None, None], truth.shape)[known]
    below, ties = (x < y).sum(axis=0), (x == y).sum(axis=0)
    ranks = np.bincount(below + rng.integers(ties + 1), minlength=n + 1)
    variance, squared = x.var(axis=0, ddof=1) / unit**2, ((x.mean(axis=0) - y) / unit) ** 2
    return Calibration(
        int(known.sum()),
        float(variance.sum()),
        float(squared.sum()),
        float(fair_crps(x, y).sum()),
        tuple(ranks.tolist()),
    )


def fair_crps(x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Mean |x - y| less half the mean |x - x'| of different samples (Ferro 2014): it favours no number of samples."""
    n = len(x)
    weights = 2 * np.arange(1, n + 1) - n - 1
    apart = (weights[:, None] * np.sort(x, axis=0)).sum(axis=0) * 2
    score: np.ndarray = np.abs(x - y).mean(axis=0) - apart / (2 * n * (n - 1))
    return score


def total(parts: Iterable[Calibration]) -> Calibration:
    """The sums of several pictures together.

    Raises:
        BadInput: none, or of other numbers of samples.
    """
    found: Sequence[Calibration] = tuple(parts)
    if len({p.samples for p in found}) != 1:
        raise BadInput(f"{len(found)} calibrations cannot be added; give at least one, all of as many samples")
    return Calibration(
        sum(p.count for p in found),
        sum(p.variance for p in found),
        sum(p.squared for p in found),
        sum(p.crps for p in found),
        tuple(int(r) for r in np.sum([p.ranks for p in found], axis=0)),
    )
