"""Linear probes on frozen features: everything that is fitted or chosen sees the training items alone.

Features are standardised by the training items, and rotated onto their principal axes, which changes no prediction of
a linear model with a squared penalty and leaves at most as many columns as there are items. The penalty is chosen by
folds within the training items, which cut no group either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

from armillary.errors import OutOfRange
from armillary.probe.knn import CONSTANT
from armillary.probe.splits import Split, folds, group_folds

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""C of the logistic regression: the inverse of its penalty, on standardised features."""

PENALTIES = tuple(10.0**k for k in range(-1, 7))
"""Of the ridge regression."""

INNER_FOLDS = 4
STEPS = 200
"""Of the minimiser; with a weak penalty it need not arrive to be judged by its folds."""

TALL = 8
"""With so many times more items than features, axes come from the products of features: the same, and sooner."""

STEEPNESS = 1e-3
"""Largest slope of the mean loss at which the minimiser stops."""


@dataclass(frozen=True, eq=False)
class Scale:
    """Standardisation and rotation that some training items define.

    Args:
        mean: of each feature.
        axes: from standardised features to principal axes.
    """

    mean: Float[np.ndarray, " d"]
    axes: Float[np.ndarray, "d r"]

    @classmethod
    def of(cls, x: Float[np.ndarray, "n d"]) -> "Scale":
        """From training items. A missing number counts as its feature's mean; products are taken in x's precision."""
        mean, weight = standard(x)
        z = np.nan_to_num((x - mean.astype(x.dtype)) * weight.astype(x.dtype))
        if len(z) > TALL * z.shape[1]:
            return cls(mean, weight[:, None] * np.linalg.eigh((z.T @ z).astype(np.float64))[1])
        axes = np.linalg.svd(z, full_matrices=False)[2]
        return cls(mean, weight[:, None] * axes.T)

    def __call__(self, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n r"]:
        """Other items, seen in the same way and in their own precision."""
        out: Float[np.ndarray, "n r"] = np.nan_to_num(x - self.mean.astype(x.dtype)) @ self.axes.astype(x.dtype)
        return out


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fitted logistic regression.

    Args:
        classes: in order.
        weight: one column per class; the last row is the offset.
    """

    classes: Int[np.ndarray, " k"]
    weight: Float[np.ndarray, "r k"]

    def log_shares(self, x: Float[np.ndarray, "n f"]) -> Float[np.ndarray, "n k"]:
        """Logarithm of each class's probability."""
        out: Float[np.ndarray, "n k"] = log_softmax(x @ self.weight[:-1] + self.weight[-1], axis=1)
        return out

    def answer(self, x: Float[np.ndarray, "n f"]) -> Int[np.ndarray, " n"]:
        """The most probable class of each."""
        chosen: Int[np.ndarray, " n"] = self.classes[self.log_shares(x).argmax(axis=1)]
        return chosen


def classify(
    x: Float[np.ndarray, "n d"],
    y: Int[np.ndarray, " n"],
    split: Split,
    *,
    groups: Int[np.ndarray, " n"] | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> Int[np.ndarray, " q"]:
    """Classes of the split's test items by logistic regression, C chosen by inner folds (largest likelihood).

    Args:
        x: features of all items.
        y: classes of all items; those of the test items are not looked at.
        split: who teaches and who is asked.
        groups: never cut by an inner fold either, so that the penalty is chosen for new groups.
        strengths: values of C among which to choose.
    """
    scale = Scale.of(x[split.train].astype(np.float64))
    known, labels = scale(x[split.train].astype(np.float64)), y[split.train]
    best = strengths[0]
    if len(strengths) > 1:
        best = choose_strength(known, labels, _inner(labels, groups, split), strengths)
    return logistic(known, labels, best).answer(scale(x[split.test].astype(np.float64)))


def choose_strength(
    x: Float[np.ndarray, "n r"], y: Int[np.ndarray, " n"], inner: Sequence[Split], strengths: Sequence[float]
) -> float:
    """The C under which items that inner folds hold out are most likely; classes that a fold never saw do not count."""
    loss = np.zeros(len(strengths))
    for split in inner:
        start: Logistic | None = None
        for i, c in enumerate(strengths):
            start = logistic(x[split.train], y[split.train], c, start=start)
            asked = split.test[np.isin(y[split.test], start.classes)]
            at = np.searchsorted(start.classes, y[asked])
            loss[i] -= start.log_shares(x[asked])[np.arange(len(at)), at].sum()
    return strengths[int(loss.argmin())]


def logistic(
    x: Float[np.ndarray, "n r"],
    y: Int[np.ndarray, " n"],
    strength: float,
    *,
    start: Logistic | None = None,
    steepness: float = STEEPNESS,
) -> Logistic:
    """The multinomial logistic regression of least sum(loss) + |weight|^2 / (2 strength), by L-BFGS.

    scikit-learn's gives the same and takes some five times as long on problems of this size, of which a study solves
    a hundred thousand.

    Args:
        x: standardised features.
        y: classes.
        strength: C.
        start: a solution with the same classes that is near.
        steepness: see `STEEPNESS`.
    """
    classes, label = np.unique(y, return_inverse=True)
    rows = np.arange(len(x))

    def miss(scores: Float[np.ndarray, "n k"]) -> tuple[float, Float[np.ndarray, "n k"]]:
        logs = log_softmax(scores, axis=1)
        shares = np.exp(logs)
        shares[rows, label] -= 1
        return float(-logs[rows, label].mean()), shares

    first = None if start is None else start.weight
    return Logistic(
        classes, _descend(x, len(classes), strength, miss, curvature=1 / len(classes), first=first, steepness=steepness)
    )


def logistic_each(
    x: Float[np.ndarray, "n r"],
    y: Bool[np.ndarray, "n k"],
    strength: float,
    *,
    first: Float[np.ndarray, "_ k"] | None = None,
    steepness: float = STEEPNESS,
) -> Float[np.ndarray, "_ k"]:
    """One logistic regression per column of y, each of least sum(loss) + |weight|^2 / (2 strength), all in one descent.

    A column is a regression's weights, its last row the offset. A class that all items or none have gets no weight,
    and an offset that says so as surely as so many items may (Laplace's rule).

    Args:
        x: standardised features.
        y: which classes each item has.
        strength: C.
        first: a solution that is near.
        steepness: see `STEEPNESS`.
    """
    n, have = len(y), y.sum(axis=0)
    split = (have > 0) & (have < n)
    out = np.zeros((x.shape[1] + 1, y.shape[1]))
    out[-1] = np.log((have + 1) / (n - have + 1))
    if not split.any():
        return out
    target = y[:, split].astype(np.float64)

    def miss(scores: Float[np.ndarray, "n k"]) -> tuple[float, Float[np.ndarray, "n k"]]:
        loss = np.logaddexp(0, scores) - target * scores
        return float(loss.mean(axis=0).sum()), expit(scores) - target

    near = None if first is None else first[:, split]
    out[:, split] = _descend(x, target.shape[1], strength, miss, curvature=0.25, first=near, steepness=steepness)
    return out


def _descend(
    x: Float[np.ndarray, "n r"],
    k: int,
    strength: float,
    miss: Callable[[Float[np.ndarray, "n k"]], tuple[float, Float[np.ndarray, "n k"]]],
    *,
    curvature: float,
    first: Float[np.ndarray, "_ k"] | None,
    steepness: float,
) -> Float[np.ndarray, "_ k"]:
    """Weights and, below them, offsets of the least mean loss of x's scores plus penalty, by L-BFGS.

    `miss` gives the mean loss of scores and its slope times the number of items. Products with x are taken in its
    precision, all else in double.
    """
    n = len(x)
    design = np.concatenate([x, np.ones((n, 1), dtype=x.dtype)], axis=1)
    penalty = np.full((design.shape[1], 1), 1 / (strength * n))
    penalty[-1] = 0.0  # the offset is free
    # along principal axes this makes an even valley
    pace = 1 / np.sqrt(np.square(design).mean(axis=0, dtype=np.float64)[:, None] * curvature + penalty)

    def loss(flat: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        weight = flat.reshape(-1, k) * pace
        level, slope = miss((design @ weight.astype(x.dtype)).astype(np.float64))
        held = penalty * weight
        rise = (slope.T.astype(x.dtype) @ design).T / n  # this way round, rows of the design are read as they lie
        return level + float(0.5 * (held * weight).sum()), ((rise + held) * pace).ravel()

    start = np.zeros((design.shape[1], k)) if first is None else first / pace
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"gtol": steepness, "maxiter": STEPS})
    weight: Float[np.ndarray, "_ k"] = found.x.reshape(-1, k) * pace
    return weight


def regress(
    x: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    split: Split,
    *,
    groups: Int[np.ndarray, " n"] | None = None,
    penalties: Sequence[float] = PENALTIES,
) -> Float[np.ndarray, " q"]:
    """Values of the split's test items by ridge regression, its penalty chosen by inner folds (least squares).

    Arguments as for `classify`.
    """
    scale = Scale.of(x[split.train].astype(np.float64))
    known, values = scale(x[split.train].astype(np.float64)), y[split.train].astype(np.float64)
    loss = np.zeros(len(penalties))
    alike = np.zeros(len(values), dtype=np.int64)
    for inner in _inner(alike, groups, split):
        guesses = _ridge(known[inner.train], values[inner.train], known[inner.test], penalties)
        loss += np.square(guesses - values[inner.test]).sum(axis=1)
    best = penalties[int(loss.argmin())]
    out: Float[np.ndarray, " q"] = _ridge(known, values, scale(x[split.test].astype(np.float64)), (best,))[0]
    return out


def ridge(
    x: Float[np.ndarray, "m r"], y: Float[np.ndarray, " m"], penalties: Sequence[float]
) -> tuple[Float[np.ndarray, "r p"], Float[np.ndarray, " p"]]:
    """Weights and offsets (which are free) of ridge regressions, one per penalty, from one decomposition."""
    middle, level = x.mean(axis=0), y.mean()
    size, axes = np.linalg.eigh((x - middle).T @ (x - middle))
    along = axes.T @ ((x - middle).T @ (y - level))
    weights = axes @ (along[:, None] / (size.clip(0.0)[:, None] + np.array(penalties)))
    return weights, level - middle @ weights


def _ridge(
    x: Float[np.ndarray, "m r"], y: Float[np.ndarray, " m"], asked: Float[np.ndarray, "q r"], penalties: Sequence[float]
) -> Float[np.ndarray, "p q"]:
    weights, offsets = ridge(x, y, penalties)
    guesses: Float[np.ndarray, "p q"] = (asked @ weights + offsets).T
    return guesses


def _inner(labels: Int[np.ndarray, " m"], groups: Int[np.ndarray, " n"] | None, split: Split) -> tuple[Split, ...]:
    """Folds within the training items: of whole groups, or stratified where every item stands alone."""
    rng = np.random.default_rng(0)
    if groups is not None and len(np.unique(groups[split.train])) > 1:
        own = groups[split.train]
        return group_folds(own, min(INNER_FOLDS, len(np.unique(own))), rng, y=labels)
    smallest = int(np.unique(labels, return_counts=True)[1].min())
    if smallest < 2:
        raise OutOfRange("a class has one training item, and the penalty cannot be chosen; give strengths=(1.0,)")
    return folds(labels, min(INNER_FOLDS, smallest), rng)


def standard(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Mean of each feature, and what it is multiplied by; a constant one counts for nothing."""
    mean, std = _nan_moments(x)
    return mean, np.where(std > CONSTANT * np.abs(mean), 1 / np.where(std > 0, std, 1.0), 0.0)


def _nan_moments(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    known = np.isfinite(x)
    count = known.sum(axis=0).clip(1)
    mean = np.where(known, x, 0.0).sum(axis=0, dtype=np.float64) / count
    away = np.where(known, x - mean.astype(x.dtype), 0.0)
    return mean, np.sqrt(np.square(away).sum(axis=0, dtype=np.float64) / count)
