"""Baselines: probes that stand beside every model, and the table of what they are asked on.

| row | encoder | probe |
|---|---|---|
| majority, or mean | none | constant |
| pixel statistics | pixels | boosting |
| place and time | place-time | boosting |
| random encoder | the model's own, untrained | the model's own |
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from armillary.bench.encoders.encoder import Encoder
from armillary.bench.encoders.plain import Nothing, PixelStatistics, PlaceAndTime
from armillary.errors import OutOfRange
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap, is_dense
from armillary.probe.asked import Asked, Learned
from armillary.probe.pixels import Rows, maps_of, resized, rows_of

TREES = 100
MOST_TREES = 800
"""Trees in all: every class has one of its own in each round, so with many classes there are fewer rounds, of larger
steps."""

STEP, LARGEST_STEP = 0.1, 0.3
LEAF = 20
"""Fewest training rows of a leaf; a tenth of them where there are few."""


@dataclass(frozen=True)
class Constant:
    """The same answer for every item: how often each class is there, or the mean value. It looks at no feature."""

    name: str = "constant"
    needs_maps: bool = False

    def serves(self, answer: Answer) -> bool:
        """Any answer."""
        return isinstance(answer, OneOf | AnyOf | ClassMap | Value | ValueMap)

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Count training truths; the seed decides nothing.

        Raises:
            OutOfRange: no training item has a known truth.
        """
        del seed
        found = prior(asked.answer, (asked.truths[int(i)] for i in asked.parts.train))

        def predict(items: Int[np.ndarray, " q"]) -> Iterator[np.ndarray]:
            for i in items:
                shape = np.shape(asked.truths[int(i)]) if is_dense(asked.answer) else ()
                yield np.broadcast_to(found[(..., *(None,) * len(shape))], (*found.shape, *shape)).copy()

        return Learned(predict, {})


def prior(answer: Answer, truths: Iterator[np.ndarray]) -> Float[np.ndarray, "..."]:
    """Share of each class, share of items that have it, or the mean value.

    Raises:
        OutOfRange: nothing is known.
    """
    total: np.ndarray = np.zeros(len(answer.classes) if isinstance(answer, OneOf | AnyOf | ClassMap) else ())
    count = 0
    for truth in truths:
        match answer:
            case OneOf() | ClassMap():
                known = truth[truth != IGNORE]
                total = total + np.bincount(known.ravel(), minlength=len(total))
                count += known.size
            case AnyOf():
                total, count = total + truth, count + 1
            case _:
                known = truth[np.isfinite(truth)]
                total = total + known.sum(dtype=np.float64)
                count += known.size
    if not count:
        raise OutOfRange("no training item has a known truth; give items that have some")
    return np.asarray(total / count)


@dataclass(frozen=True)
class Boosting:
    """Gradient-boosted trees on whatever an encoder gives (scikit-learn); NaN is an answer of its own to a tree.

    Settings are fixed; validation items are not looked at.
    """

    trees: int = TREES
    name: str = "boosting"
    needs_maps: bool = False

    def serves(self, answer: Answer) -> bool:
        """Any answer."""
        return isinstance(answer, OneOf | AnyOf | ClassMap | Value | ValueMap)

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Fit on training items, or some of their pixels; the seed draws these.

        Raises:
            OutOfRange: no training item has a known truth.
        """
        rows = rows_of(asked, seed).of(asked.parts.train)
        leaf = max(1, min(LEAF, len(rows.y) // 10))
        answer = asked.answer
        trees_per_round = len(answer.classes) if isinstance(answer, OneOf | ClassMap) else 1
        rounds = max(1, min(self.trees, MOST_TREES // trees_per_round))
        settings: dict[str, Any] = {
            "max_iter": rounds,
            "learning_rate": min(LARGEST_STEP, STEP * self.trees / rounds),
            "min_samples_leaf": leaf,
            "early_stopping": False,
            "random_state": seed,
        }
        fit = _fit(answer, rows, settings)
        return Learned(lambda items: _told(asked, items, fit), {"rounds": float(rounds), "leaf": float(leaf)})


Fit = Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, "n k"]]


def _fit(answer: Answer, rows: Rows, settings: Mapping[str, Any]) -> Fit:
    """Trees that give what an answer asks of one row of features; one that no training item has is left aside."""
    known = ~np.isnan(rows.x).all(axis=0)

    def told(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        return np.where(known, x, 0.0)

    match answer:
        case OneOf(classes) | ClassMap(classes):
            shares = _shares(told(rows.x), rows.y.astype(np.int64), len(classes), settings)
            return lambda x: shares(told(x))
        case AnyOf():
            each = [_shares(told(rows.x), y.astype(np.int64), 2, settings) for y in rows.y.T]
            return lambda x: np.stack([one(told(x))[:, 1] for one in each], axis=1)
        case _:
            model = HistGradientBoostingRegressor(**settings).fit(told(rows.x), rows.y)
            return lambda x: np.asarray(model.predict(told(x)))[:, None]


def _shares(x: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], k: int, settings: Mapping[str, Any]) -> Fit:
    """Probabilities of k classes; where training shows one class alone, that one is sure."""
    there = np.unique(y)
    model = HistGradientBoostingClassifier(**settings).fit(x, y) if len(there) > 1 else None

    def fit(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        out = np.zeros((len(x), k))
        out[:, there] = 1.0 if model is None else model.predict_proba(x)
        return out

    return fit


def _told(asked: Asked, items: Int[np.ndarray, " q"], fit: Fit) -> Iterator[np.ndarray]:
    """Predictions one by one; those of maps are computed on the encoder's map and interpolated between its points."""
    values = isinstance(asked.answer, Value | ValueMap)
    for i in items:
        if not is_dense(asked.answer):
            row = fit(asked.seen.vectors[[int(i)]].astype(np.float64))[0]
            yield np.asarray(row[0] if values else row)
            continue
        x = maps_of(asked, int(i))
        d, h, w = x.shape
        told = fit(x.reshape(d, h * w).T.double().numpy()).T.reshape(-1, h, w)
        out = resized(torch.from_numpy(told)[None], np.shape(asked.truths[int(i)]))[0].numpy()
        yield out[0] if values else out


PLAIN: Mapping[str, Encoder] = MappingProxyType({e.name: e for e in (Nothing(), PixelStatistics(), PlaceAndTime())})
"""Name -> encoder that needs no model."""

PLAIN_PROBES: Mapping[str, str] = MappingProxyType({"none": "constant", "pixels": "boosting", "place-time": "boosting"})
"""Plain encoder -> the probe that is asked on it."""

BASELINE_PROBES: Mapping[str, Constant | Boosting] = MappingProxyType({"constant": Constant(), "boosting": Boosting()})
"""Name -> probe."""


def plain_of(knows: Sequence[str]) -> tuple[Encoder, ...]:
    """The plain encoders that have something to say of items of which these facts are known."""
    placed = {"place", "time"} & set(knows)
    return tuple(e for name, e in PLAIN.items() if name != "place-time" or placed)
