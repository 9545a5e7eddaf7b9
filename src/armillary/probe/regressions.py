"""Logistic and ridge regression as probes, on vectors or, for dense answers, on pixels of feature maps.

Features are standardised by the training rows. The penalty is the one under which validation items are likeliest
(least squares for values).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, log_softmax, softmax

from armillary.probe.answer import Answer, AnyOf, ClassMap, OneOf, Value, ValueMap, is_dense
from armillary.probe.asked import Asked, Learned
from armillary.probe.choosing import best, inner_splits, refuse_unless, vectors
from armillary.probe.linear import PENALTIES, STRENGTHS, Scale, logistic, logistic_each, ridge, standard
from armillary.probe.pixels import Affine, Rows, rendered, rows_of

UNSEEN = -1e4
"""Score of a class that no training item has: a probability of 0 that can still be interpolated."""


@dataclass(frozen=True)
class LogisticProbe:
    """Multinomial logistic regression, or one per class where an item may have several, by L-BFGS.

    Args:
        strengths: values of C, the inverse of the penalty, among which one is chosen.
        name: what tables call it.
    """

    strengths: tuple[float, ...] = STRENGTHS
    name: str = "logistic"
    needs_maps: bool = False

    def serves(self, answer: Answer) -> bool:
        """Classes, of items or pixels."""
        return isinstance(answer, OneOf | AnyOf | ClassMap)

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Fit; the seed deals folds and draws pixels.

        Raises:
            BadInput: an answer that it does not serve.
            OutOfRange: no training item has a known truth.
        """
        refuse_unless(self.serves(asked.answer), self.name, asked)
        rows = rows_of(asked, seed)
        several = isinstance(asked.answer, AnyOf)
        k = len(asked.answer.classes) if isinstance(asked.answer, OneOf | AnyOf | ClassMap) else 0
        loss, fits = np.zeros(len(self.strengths)), list[Affine]()
        splits = inner_splits(asked, seed) if len(self.strengths) > 1 else ()
        for split in splits:
            train, test = rows.of(split.train), rows.of(split.test)
            if len(train.y):
                fits = _logistics(train, k, self.strengths)
                loss += [_surprise(fit(test.x), test.y, train.y, several) for fit in fits]
        at = best(-loss) if splits else len(self.strengths) // 2
        chosen = self.strengths[at]
        whole = bool(fits) and len(asked.parts.val) > 0  # those that were judged learned from every training item
        fit = fits[at] if whole else _logistics(rows.of(asked.parts.train), k, (chosen,))[0]
        return Learned(lambda items: _told(asked, items, fit), {"C": chosen})


@dataclass(frozen=True)
class RidgeProbe:
    """Ridge regression in closed form.

    Args:
        penalties: among which one is chosen.
        name: what tables call it.
    """

    penalties: tuple[float, ...] = PENALTIES
    name: str = "ridge"
    needs_maps: bool = False

    def serves(self, answer: Answer) -> bool:
        """Values, of items or pixels."""
        return isinstance(answer, Value | ValueMap)

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Fit; the seed deals folds and draws pixels.

        Raises:
            BadInput: an answer that it does not serve.
            OutOfRange: no training item has a known truth.
        """
        refuse_unless(self.serves(asked.answer), self.name, asked)
        rows = rows_of(asked, seed)
        loss, fits = np.zeros(len(self.penalties)), list[Affine]()
        splits = inner_splits(asked, seed) if len(self.penalties) > 1 else ()
        for split in splits:
            train, test = rows.of(split.train), rows.of(split.test)
            if len(train.y):
                fits = _ridges(train, self.penalties)
                loss += [np.square(fit(test.x)[:, 0] - test.y).sum() for fit in fits]
        at = best(-loss) if splits else len(self.penalties) // 2
        chosen = self.penalties[at]
        whole = bool(fits) and len(asked.parts.val) > 0
        fit = fits[at] if whole else _ridges(rows.of(asked.parts.train), (chosen,))[0]
        return Learned(lambda items: _told(asked, items, fit), {"penalty": chosen})


def _logistics(train: Rows, k: int, strengths: tuple[float, ...]) -> list[Affine]:
    """One per strength, each begun where the last one ended."""
    scale = Scale.of(train.x)
    z, fits = scale(train.x), []
    near: Float[np.ndarray, "r k"] | None = None
    model = None
    for c in strengths:
        if train.y.ndim == 2:
            near = logistic_each(z, train.y.astype(bool), c, first=near)
            weight = near
        else:
            model = logistic(z, train.y.astype(np.int64), c, start=model)
            weight = np.zeros((z.shape[1] + 1, k))
            weight[-1] = UNSEEN
            weight[:, model.classes] = model.weight
        fits.append(Affine(scale.mean, scale.axes @ weight[:-1], weight[-1]))
    return fits


def _ridges(train: Rows, penalties: tuple[float, ...]) -> list[Affine]:
    """One per penalty, in double precision: a small one would drown in rounding."""
    x, y = train.x.astype(np.float64), train.y.astype(np.float64)
    if len(x) < x.shape[1]:
        scale = Scale.of(x)
        weight, offset = ridge(scale(x), y, penalties)
        return [Affine(scale.mean, scale.axes @ w[:, None], o[None]) for w, o in zip(weight.T, offset, strict=True)]
    mean, factor = standard(x)  # `ridge` finds the axes itself
    weight, offset = ridge(np.nan_to_num(x - mean) * factor, y, penalties)
    return [Affine(mean, (factor * w)[:, None], o[None]) for w, o in zip(weight.T, offset, strict=True)]


def _surprise(scores: Float[np.ndarray, "n k"], y: np.ndarray, known: np.ndarray, several: bool) -> float:
    """Sum of negative log-likelihoods; classes that were never taught do not count."""
    if several:
        return float((np.logaddexp(0, scores) - y * scores).sum())
    taught = np.isin(y, known)
    return -float(log_softmax(scores[taught], axis=1)[np.arange(taught.sum()), y[taught]].sum())


def _told(asked: Asked, items: Int[np.ndarray, " q"], fit: Affine) -> Iterator[np.ndarray]:
    """Scores as predictions."""
    scores = rendered(asked, items, fit) if is_dense(asked.answer) else iter(fit(vectors(asked, items)))
    for s in scores:
        match asked.answer:
            case OneOf() | ClassMap():
                yield softmax(s, axis=0)
            case AnyOf():
                yield expit(s)
            case _:
                yield np.asarray(s[0])
