"""Linear probes on frozen features: everything that is fitted or chosen sees the training items alone.

Features are standardised by the training items, and rotated onto their principal axes, which changes no prediction of
a linear model with a squared penalty and leaves at most as many columns as there are items. The penalty is chosen by
folds within the training items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from warnings import catch_warnings, simplefilter

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from armillary.errors import OutOfRange
from armillary.probe.knn import CONSTANT
from armillary.probe.splits import Split, folds

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""C of the logistic regression: the inverse of its penalty, on standardised features."""

PENALTIES = tuple(10.0**k for k in range(-1, 6))
"""Of the ridge regression."""

INNER_FOLDS = 4
STEPS = 200


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
        """From training items. A missing number counts as its feature's mean."""
        mean, std = _nan_moments(x)
        weight = np.where(std > CONSTANT * np.abs(mean), 1 / np.where(std > 0, std, 1.0), 0.0)
        z = np.nan_to_num((x - mean) * weight)
        keep = np.linalg.svd(z, full_matrices=False)[2] if z.shape[1] > z.shape[0] else np.eye(z.shape[1])
        return cls(mean, weight[:, None] * keep.T)

    def __call__(self, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n r"]:
        """Other items, seen in the same way."""
        out: Float[np.ndarray, "n r"] = np.where(np.isfinite(x), x - self.mean, 0.0) @ self.axes
        return out


def classify(
    x: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], split: Split, *, strengths: Sequence[float] = STRENGTHS
) -> Int[np.ndarray, " q"]:
    """Classes of the split's test items by logistic regression, C chosen by inner folds (largest likelihood)."""
    scale = Scale.of(x[split.train].astype(np.float64))
    known, labels = scale(x[split.train].astype(np.float64)), y[split.train]
    best = choose_strength(known, labels, strengths)
    out: Int[np.ndarray, " q"] = logistic(known, labels, best).predict(scale(x[split.test].astype(np.float64)))
    return out


def choose_strength(
    x: Float[np.ndarray, "n r"], y: Int[np.ndarray, " n"], strengths: Sequence[float] = STRENGTHS
) -> float:
    """The C under which items that were held out within the training part are most likely."""
    if len(strengths) == 1:
        return strengths[0]
    smallest = int(np.unique(y, return_counts=True)[1].min())
    if smallest < 2:
        raise OutOfRange("a class has one training item, and the penalty cannot be chosen; give strengths=(1.0,)")
    inner = folds(y, min(INNER_FOLDS, smallest), np.random.default_rng(0))
    loss = np.zeros(len(strengths))
    for split in inner:
        start: LogisticRegression | None = None
        for i, c in enumerate(strengths):
            start = logistic(x[split.train], y[split.train], c, start=start)
            shares = start.predict_proba(x[split.test])
            at = np.searchsorted(start.classes_, y[split.test])
            loss[i] -= np.log(shares[np.arange(len(at)), at].clip(1e-12)).sum()
    return strengths[int(loss.argmin())]


def logistic(
    x: Float[np.ndarray, "n r"], y: Int[np.ndarray, " n"], strength: float, *, start: LogisticRegression | None = None
) -> LogisticRegression:
    """A multinomial logistic regression; `start` is one whose coefficients are near."""
    model = LogisticRegression(C=strength, max_iter=STEPS, tol=1e-3, warm_start=start is not None)
    if start is not None:
        model.coef_, model.intercept_, model.classes_ = start.coef_, start.intercept_, start.classes_
    with catch_warnings():
        simplefilter("ignore", ConvergenceWarning)  # a weak penalty need not converge to be judged by its folds
        return model.fit(x, y)


def regress(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], split: Split, *, penalties: Sequence[float] = PENALTIES
) -> Float[np.ndarray, " q"]:
    """Values of the split's test items by ridge regression, its penalty chosen by inner folds (least squares)."""
    scale = Scale.of(x[split.train].astype(np.float64))
    known, values = scale(x[split.train].astype(np.float64)), y[split.train].astype(np.float64)
    loss = np.zeros(len(penalties))
    alike = np.zeros(len(values), dtype=np.int64)
    for inner in folds(alike, min(INNER_FOLDS, len(values)), np.random.default_rng(0)):
        for i, penalty in enumerate(penalties):
            guess = Ridge(penalty).fit(known[inner.train], values[inner.train]).predict(known[inner.test])
            loss[i] += np.square(guess - values[inner.test]).sum()
    model = Ridge(penalties[int(loss.argmin())]).fit(known, values)
    out: Float[np.ndarray, " q"] = model.predict(scale(x[split.test].astype(np.float64)))
    return out


def _nan_moments(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    known = np.isfinite(x)
    count = known.sum(axis=0).clip(1)
    mean = np.where(known, x, 0.0).sum(axis=0) / count
    return mean, np.sqrt(np.where(known, np.square(x - mean), 0.0).sum(axis=0) / count)
