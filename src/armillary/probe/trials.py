"""Trials: what a probe answered for every item in every draw, and how right it was.

A *draw* is a tuple of Splits whose tests are disjoint: one split of a few shots, or all folds of a cross-validation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from armillary.probe.splits import Split

Draws = Sequence[Sequence[Split]]
"""Each draw is a tuple of splits whose tests are disjoint."""

Answer = Callable[[Split], Num[np.ndarray, " q"]]
"""Answers for the test items of a split, learned from its training items alone."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Answers and truth.

    Args:
        answers: per draw and item; nan where the item was not asked.
        y: the truth: class numbers or values.
    """

    answers: Float[np.ndarray, "r n"]
    y: Num[np.ndarray, " n"]

    @property
    def right(self) -> Float[np.ndarray, "r n"]:
        """1 where the class is right, 0 where it is wrong, nan where it was not asked."""
        return np.where(np.isnan(self.answers), np.nan, self.answers == self.y)

    @property
    def error(self) -> Float[np.ndarray, "r n"]:
        """Absolute error of values, nan where it was not asked."""
        error: Float[np.ndarray, "r n"] = np.abs(self.answers - self.y)
        return error

    @property
    def accuracy(self) -> Float[np.ndarray, " r"]:
        """Share of right answers in each draw."""
        accuracy: Float[np.ndarray, " r"] = np.nanmean(self.right, axis=1)
        return accuracy

    @property
    def skill(self) -> Float[np.ndarray, " r"]:
        """R2 of each draw: 1 less squared error over that of the asked items' own mean."""
        out = []
        for row in self.answers:
            asked = ~np.isnan(row)
            truth = self.y[asked].astype(np.float64)
            out.append(1 - np.square(row[asked] - truth).sum() / np.square(truth - truth.mean()).sum())
        return np.array(out)


def run(answer: Answer, y: Num[np.ndarray, " n"], draws: Draws) -> Trials:
    """Ask in every split of every draw."""
    answers = np.full((len(draws), len(y)), np.nan)
    for row, draw in zip(answers, draws, strict=True):
        for split in draw:
            row[split.test] = answer(split)
    return Trials(answers, y)
