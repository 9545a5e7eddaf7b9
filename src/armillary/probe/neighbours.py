"""Nearest neighbours as a probe: what frozen vectors hold as they are, the number of neighbours chosen."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from armillary.probe.answer import Answer, AnyOf, OneOf, Value
from armillary.probe.asked import Asked, Learned
from armillary.probe.choosing import best, inner_splits, refuse_unless, score, stacked, vectors, with_truth
from armillary.probe.knn import nearest, standardised

COUNTS = (1, 3, 5, 10, 20, 50)
"""Numbers of neighbours among which to choose."""

QUERIES = 256
"""Items that are compared with all known ones at a time."""

TIE = 1e-6
"""Among neighbours that count alike, the more similar ones count by so much more."""


@dataclass(frozen=True)
class Neighbours:
    """k nearest training items by cosine of standardised vectors: shares of their classes, or their mean value.

    Args:
        counts: among which k is chosen.
        name: what tables call it.
    """

    counts: tuple[int, ...] = COUNTS
    name: str = "knn"
    needs_maps: bool = False

    def serves(self, answer: Answer) -> bool:
        """One answer per item."""
        return isinstance(answer, OneOf | AnyOf | Value)

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Remember the training items, and choose k.

        Raises:
            BadInput: an answer that it does not serve.
            OutOfRange: no training item has a known truth.
        """
        refuse_unless(self.serves(asked.answer), self.name, asked)
        splits = inner_splits(asked, seed)
        counts = self._allowed(min([len(with_truth(asked, s.train)) for s in splits], default=1))
        tried = [(s.test, self._shares(asked, s.train, s.test, counts)) for s in splits]
        truths = [asked.truths[i] for items, _ in tried for i in items]
        found = [
            score(asked.answer, [np.asarray(p) for _, t in tried for p in t[j]], truths) for j in range(len(counts))
        ]
        k = counts[best(found)]

        def predict(items: Int[np.ndarray, " q"]) -> Iterator[np.ndarray]:
            yield from map(np.asarray, self._shares(asked, asked.parts.train, items, (k,))[0])

        return Learned(predict, {"k": float(k)})

    def _allowed(self, known: int) -> tuple[int, ...]:
        return tuple(k for k in self.counts if k <= known) or (known,)

    def _shares(
        self, asked: Asked, train: Int[np.ndarray, " m"], items: Int[np.ndarray, " q"], counts: tuple[int, ...]
    ) -> np.ndarray:
        """Predictions per number of neighbours and item."""
        train = with_truth(asked, train)
        queries, known = standardised(vectors(asked, items), vectors(asked, train))
        targets = _targets(asked, train)
        parts = [
            _means(*nearest(queries[i : i + QUERIES], known, max(counts)), targets, counts)
            for i in range(0, len(queries), QUERIES)
        ]
        out = np.concatenate(parts, axis=1)
        return out[..., 0] if isinstance(asked.answer, Value) else out


def _means(
    which: Int[np.ndarray, "q k"],
    cosine: Float[np.ndarray, "q k"],
    targets: Float[np.ndarray, "m t"],
    counts: tuple[int, ...],
) -> Float[np.ndarray, "s q t"]:
    weight = 1 + TIE * cosine[..., None]
    total, weights = (weight * targets[which]).cumsum(axis=1), weight.cumsum(axis=1)
    at = np.array(counts) - 1
    means: Float[np.ndarray, "s q t"] = np.moveaxis(total[:, at] / weights[:, at], 1, 0)
    return means


def _targets(asked: Asked, train: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m t"]:
    truths = stacked(asked, train)
    match asked.answer:
        case OneOf(classes):
            chosen: Float[np.ndarray, "m t"] = np.eye(len(classes))[truths]
            return chosen
        case AnyOf():
            return truths.astype(np.float64)
        case _:
            return truths.astype(np.float64)[:, None]
