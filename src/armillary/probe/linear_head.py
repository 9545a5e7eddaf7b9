"""The official linear head as a probe: learning rate and epoch chosen on validation items, features read once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from armillary.probe.answer import Answer, AnyOf, OneOf, Value
from armillary.probe.asked import Asked, Learned
from armillary.probe.choosing import best, inner_splits, refuse_unless, score, with_truth
from armillary.probe.losses import channels, level_of, tensors, told_all
from armillary.probe.sweep import Heads, Pace, first, sweep

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Learning rates among which to choose; the published ones are 0.1 and 1."""

EPOCHS, BATCH = 50, 64


@dataclass(frozen=True)
class LinearProbe:
    """BatchNorm without weights and a linear layer by SGD, as Copernicus-Bench trains it.

    Without validation items the rate is chosen on one fold of the training items, and all of them teach to the last
    epoch.

    Args:
        rates: among which one is chosen; all are trained at once.
        epochs: passes over the training items.
        batch: items of one step.
        device: where it computes.
        name: what tables call it.
    """

    rates: tuple[float, ...] = RATES
    epochs: int = EPOCHS
    batch: int = BATCH
    device: str = "cpu"
    name: str = "linear"
    needs_maps: bool = False

    def serves(self, answer: Answer) -> bool:
        """One answer per item."""
        return isinstance(answer, OneOf | AnyOf | Value)

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Train; the seed gives the first weights and shuffles the items.

        Raises:
            BadInput: an answer that it does not serve.
            OutOfRange: no training item has a known truth.
        """
        refuse_unless(self.serves(asked.answer), self.name, asked)
        parts, splits = asked.parts, inner_splits(asked, seed)
        best_rate, epoch = len(self.rates) // 2, self.epochs
        heads: Heads | None = None
        if splits:
            train = with_truth(asked, splits[0].train)
            best_rate, epoch, heads = self._judged(asked, train, splits[0].test, seed)
        if not len(parts.val):
            heads, epoch = self._last(asked, with_truth(asked, parts.train), best_rate, seed), self.epochs
        taught = with_truth(asked, parts.train)
        fill, level = _means(asked, taught), level_of(asked, taught)

        def predict(items: Int[np.ndarray, " q"]) -> Iterator[np.ndarray]:
            assert heads is not None  # noqa: S101 (without splits there are no validation items either)
            told = told_all(asked.answer, heads(self._vectors(asked, items, fill)), level)
            yield from map(np.asarray, told[0])

        return Learned(predict, {"lr": self.rates[best_rate], "epoch": float(epoch)})

    def _judged(
        self, asked: Asked, train: Int[np.ndarray, " m"], judges: Int[np.ndarray, " v"], seed: int
    ) -> tuple[int, int, Heads]:
        """The rate and the epoch that do best on the judges, and those heads."""
        level = level_of(asked, train)
        x = self._vectors(asked, judges, _means(asked, train))
        truths = [asked.truths[i] for i in judges]
        found: list[float] = []
        kept: Heads | None = None
        for heads in self._epochs(asked, train, self.rates, seed):
            told = told_all(asked.answer, heads(x), level)
            scores = [score(asked.answer, map(np.asarray, t), truths) for t in told]
            found += scores
            if best(found) >= len(found) - len(scores):
                kept = heads.one(best(scores))
        assert kept is not None  # noqa: S101 (the first epoch is best at first)
        epoch, which = divmod(best(found), len(self.rates))
        return which, epoch + 1, kept

    def _last(self, asked: Asked, train: Int[np.ndarray, " m"], which: int, seed: int) -> Heads:
        *_, last = self._epochs(asked, train, (self.rates[which],), seed)
        return last

    def _epochs(
        self, asked: Asked, train: Int[np.ndarray, " m"], rates: tuple[float, ...], seed: int
    ) -> Iterator[Heads]:
        rng, level = torch.Generator().manual_seed(seed), level_of(asked, train)
        x = self._vectors(asked, train, _means(asked, train))
        y = torch.stack(tensors([asked.truths[i] for i in train], asked.answer, self.device))
        if isinstance(asked.answer, Value):
            y = (y - level.mean) / level.std
        begin = first(x.shape[1], channels(asked.answer), len(rates), rng)
        begin = Heads(*(t.to(self.device) for t in (begin.weight, begin.bias, begin.mean, begin.var)))
        yield from sweep(asked.answer, x, y, begin, Pace(rates, self.epochs, self.batch), rng)

    def _vectors(
        self, asked: Asked, items: Int[np.ndarray, " m"], fill: Float[np.ndarray, " d"]
    ) -> Float[Tensor, "m d"]:
        rows = asked.seen.vectors[items].astype(np.float32)
        return torch.from_numpy(np.where(np.isfinite(rows), rows, fill).astype(np.float32)).to(self.device)


def _means(asked: Asked, items: Int[np.ndarray, " m"]) -> Float[np.ndarray, " d"]:
    """What counts where a feature is missing."""
    rows = asked.seen.vectors[items].astype(np.float64)
    known = np.isfinite(rows)
    mean: Float[np.ndarray, " d"] = np.where(known, rows, 0.0).sum(axis=0) / known.sum(axis=0).clip(1)
    return mean
