"""How far a difference can be trusted: paired differences with 95 % intervals.

Two causes of chance are kept apart. *Over draws*: other training items would have been drawn (Student's t). *Over
items*: other places would have been asked (bootstrap of whole groups); repeating a cross-validation never makes this
one smaller, so it is the one to look at for a claim about other places.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t as student

from armillary.errors import OutOfRange

LEVEL = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """True when 0 lies outside."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def mean_interval(x: Float[np.ndarray, " r"], level: float = LEVEL) -> Interval:
    """Mean of independent numbers with Student's t interval.

    Raises:
        OutOfRange: fewer than two numbers.
    """
    if len(x) < 2:
        raise OutOfRange(f"an interval of {len(x)} numbers was asked for; give at least two draws")
    mean = float(np.mean(x))
    half = float(student.ppf(0.5 + level / 2, len(x) - 1) * np.std(x, ddof=1) / np.sqrt(len(x)))
    return Interval(mean, mean - half, mean + half)


def over_draws(a: Float[np.ndarray, " r"], b: Float[np.ndarray, " r"], level: float = LEVEL) -> Interval:
    """Mean of a - b, draw by draw."""
    return mean_interval(a - b, level)


def over_items(
    a: Float[np.ndarray, "r n"],
    b: Float[np.ndarray, "r n"],
    rng: np.random.Generator,
    *,
    groups: Int[np.ndarray, " n"] | None = None,
    level: float = LEVEL,
) -> Interval:
    """Mean of a - b over items, each averaged over the draws that asked it; whole groups are drawn with replacement.

    Args:
        a: outcome per draw and item, nan where the item was not asked.
        b: the other's, asked in the same draws.
        rng: draws the groups.
        groups: number of each item's group; None: every item stands alone.
        level: of the interval.

    Raises:
        OutOfRange: the two were not asked the same, or nothing was asked.
    """
    if not np.array_equal(np.isnan(a), np.isnan(b)) or np.isnan(a).all():
        raise OutOfRange("a paired difference needs two trials that were asked the same items; run both on one split")
    asked = ~np.isnan(a).all(axis=0)
    difference = np.nanmean((a - b)[:, asked], axis=0)
    names = np.arange(len(asked)) if groups is None else groups
    group = np.unique(names[asked], return_inverse=True)[1]
    total, size = np.bincount(group, difference), np.bincount(group)
    drawn = rng.integers(len(size), size=(RESAMPLES, len(size)))
    means = total[drawn].sum(axis=1) / size[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(difference.mean()), float(low), float(high))
