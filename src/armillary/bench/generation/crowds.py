"""Crowds: whether generated items as a whole look like real ones, as rows of features.

No single answer is asked here; two sets of vectors are compared. All measures depend on the number of rows, so they
mean something only beside the same measure between two sets of real items of that many rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist
from scipy.stats import norm

from armillary.errors import BadInput

Rows = Float[np.ndarray, "_ d"]

NEIGHBOURS = 5
"""Of precision and recall (Kynkäänniemi et al. 2019, who take 3), density and coverage (Naeem et al. 2020)."""

AXES = 8
"""Principal axes of real features that a Frechet distance looks at: with fewer rows than axes it is mostly bias."""

HALVINGS, REPEATS = 6, 8
"""Sizes and draws from which a Frechet distance is led on to endless rows."""


@dataclass(frozen=True)
class Crowd:
    """Two sets compared.

    Args:
        rows: of the smaller set.
        told_apart: share that a nearest neighbour other than oneself assigns to the right set; 0.5 cannot be told.
        low: end of its interval at 95 %.
        high: the other end.
        precision: share of the generated that lie among the real.
        recall: share of the real that lie among the generated.
        density: how many real neighbourhoods a generated one lies in, as a share of those expected; may exceed 1.
        coverage: share of the real neighbourhoods that hold a generated one.
        frechet: distance of the two as Gaussians, on the principal axes of the real ones.
        frechet_endless: the same, led on to endless rows; may be below 0 by chance.
    """

    rows: int
    told_apart: float
    low: float
    high: float
    precision: float
    recall: float
    density: float
    coverage: float
    frechet: float
    frechet_endless: float


def compare(real: Rows, made: Rows, rng: np.random.Generator, *, basis: Rows | None = None) -> Crowd:
    """All measures of two sets; the larger is cut to the smaller at random, for 1-NN needs as many of both.

    Args:
        real: features of real items.
        made: features of generated items, or of other real ones.
        rng: cuts the larger set and draws parts.
        basis: real features that say what the principal axes are; None: `real`.

    Raises:
        BadInput: fewer than four rows on a side.
    """
    n = min(len(real), len(made))
    if n < 4:
        raise BadInput(f"{len(real)} and {len(made)} rows were to be compared; give at least 4 of both")
    real, made = (x[rng.permutation(len(x))[:n]].astype(np.float64) for x in (real, made))
    k = min(NEIGHBOURS, n - 1)
    share = told_apart(real, made)
    to_axes = principal(real if basis is None else basis.astype(np.float64), min(AXES, max(1, n // 4)))
    a, b = to_axes(real), to_axes(made)
    return Crowd(
        n,
        share,
        *wilson(share, 2 * n),
        precision(real, made, k),
        precision(made, real, k),
        density(real, made, k),
        coverage(real, made, k),
        frechet(a, b),
        frechet_endless(a, b, rng),
    )


def told_apart(a: Rows, b: Rows) -> float:
    """Leave-one-out accuracy of the nearest neighbour (Lopez-Paz & Oquab 2017) over both sets."""
    both, own = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    apart = cdist(both, both)
    np.fill_diagonal(apart, np.inf)
    return float((own[apart.argmin(axis=1)] == own).mean())


def wilson(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share of n independent trials; neighbours are not quite independent, so it is a little narrow."""
    z = float(norm.ppf(0.5 + level / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(middle - half), float(middle + half)


def precision(real: Rows, made: Rows, k: int = NEIGHBOURS) -> float:
    """Share of `made` within the distance of a real one to its k-th neighbour; with the two exchanged, the recall."""
    return float((cdist(real, made) <= _reach(real, k)[:, None]).any(axis=0).mean())


def density(real: Rows, made: Rows, k: int = NEIGHBOURS) -> float:
    """Neighbourhoods of real ones around each of `made`, over k."""
    return float((cdist(real, made) <= _reach(real, k)[:, None]).sum(axis=0).mean() / k)


def coverage(real: Rows, made: Rows, k: int = NEIGHBOURS) -> float:
    """Share of the real ones with one of `made` in their neighbourhood."""
    return float((cdist(real, made) <= _reach(real, k)[:, None]).any(axis=1).mean())


def frechet(a: Rows, b: Rows) -> float:
    """|mean a - mean b|² + trace(A + B - 2 (A B)^½), with unbiased covariances A and B."""
    one, other = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(one) + np.trace(other) - 2 * cross)


def frechet_endless(a: Rows, b: Rows, rng: np.random.Generator) -> float:
    """What `frechet` tends to for more rows: its bias falls with 1 / n (Chong & Forsyth 2020), so a line is laid.

    Parts of n/2 to n rows are drawn from both sets; the line over 1 / n is followed to 0.
    """
    n = min(len(a), len(b))
    sizes = np.unique(np.linspace(max(n // 2, 3), n, HALVINGS).round().astype(int))
    found = [
        np.mean([frechet(a[rng.permutation(len(a))[:m]], b[rng.permutation(len(b))[:m]]) for _ in range(REPEATS)])
        for m in sizes
    ]
    return float(np.polyfit(1 / sizes, found, 1)[1]) if len(sizes) > 1 else float("nan")


def principal(rows: Rows, axes: int) -> Callable[[Rows], Float[np.ndarray, "_ k"]]:
    """What puts vectors on the first principal axes of rows, in units of the root of their total variance."""
    mean = rows.mean(axis=0)
    _, values, vectors = np.linalg.svd(rows - mean, full_matrices=False)
    unit = max(float(np.sqrt((values**2).sum() / len(rows))), 1e-12)
    return lambda x: (x - mean) @ vectors[:axes].T / unit


def _reach(rows: Rows, k: int) -> Float[np.ndarray, " n"]:
    """Distance of each row to its k-th neighbour among the others."""
    apart = cdist(rows, rows)
    np.fill_diagonal(apart, np.inf)
    reach: np.ndarray = np.sort(apart, axis=1)[:, k - 1]
    return reach
