"""What probes answer to a question, kept, and the tables that compare features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.probe import intervals, knn, linear, splits, trials
from armillary.probe.features import Shelf
from armillary.probe.intervals import Interval
from armillary.probe.trials import Answer, Trials
from baselines import Table
from real_labels import Question

PROBES = ("linear", "kNN")
NEIGHBOURS = 5
ON_THE_SPHERE = "coordinates"
"""Features that are points on the unit sphere: neighbours are near on the ground, nothing is standardised."""

_CODE = tuple(Path(str(m.__file__)) for m in (knn, linear, splits, trials))


@dataclass(frozen=True, eq=False)
class Outcome:
    """How one kind of features did in one protocol under one probe.

    Args:
        question: name.
        protocol: name.
        probe: "linear" or "kNN".
        features: name.
        width: number of features.
        score: accuracy or R2 of each draw.
        merit: per draw and item, what is averaged over items: 1 for right, or less the absolute error.
    """

    question: str
    protocol: str
    probe: str
    features: str
    width: int
    score: Float[np.ndarray, " r"]
    merit: Float[np.ndarray, "r n"]


@dataclass(frozen=True)
class Difference:
    """One kind of features less another, draw by draw and item by item.

    Args:
        over_draws: of the score; None with a single draw.
        over_items: of the share of right answers, or of the absolute error saved.
    """

    over_draws: Interval | None
    over_items: Interval


def outcomes(
    question: Question, tables: Mapping[str, Sequence[Float[np.ndarray, "n d"]]], shelf: Shelf
) -> list[Outcome]:
    """Every protocol and probe for every kind of features; several arrays under one name (seeds) are averaged."""
    found = []
    for protocol in question.draws:
        for probe in PROBES:
            for name, arrays in tables.items():
                asked = [_kept_trials(question, protocol, probe, name, x, shelf) for x in arrays]
                score = np.mean([t.accuracy if question.of_classes else t.skill for t in asked], axis=0)
                merit = np.mean([t.right if question.of_classes else -t.error for t in asked], axis=0)
                found.append(Outcome(question.name, protocol, probe, name, arrays[0].shape[1], score, merit))
    return found


def difference(a: Outcome, b: Outcome, question: Question) -> Difference:
    """A less b, which were asked in the same draws."""
    rng = np.random.default_rng(0)
    draws = intervals.over_draws(a.score, b.score) if len(a.score) > 1 else None
    return Difference(draws, intervals.over_items(a.merit, b.merit, rng, groups=question.units))


def _kept_trials(
    question: Question, protocol: str, probe: str, name: str, x: Float[np.ndarray, "n d"], shelf: Shelf
) -> Trials:
    draws = question.draws[protocol]
    asked = np.concatenate([np.concatenate([s.train, [-1], s.test]) for draw in draws for s in draw])
    answers = shelf.get(
        lambda: trials.run(_answer(question, probe, np.asarray(x), name), question.y, draws).answers,
        *("trials", probe, name == ON_THE_SPHERE, NEIGHBOURS, np.asarray(x), question.y, asked, *_CODE),
    )
    return Trials(np.asarray(answers), question.y)


def _answer(question: Question, probe: str, x: Float[np.ndarray, "n d"], name: str) -> Answer:
    y = question.y
    if probe == "linear":
        fit = linear.classify if question.of_classes else linear.regress
        return lambda split: fit(x, y, split, groups=question.units)
    judge = knn.vote if question.of_classes else knn.average

    def nearest(split: splits.Split) -> np.ndarray:
        known, asked = x[split.train], x[split.test]
        if name != ON_THE_SPHERE:
            asked, known = knn.standardised(asked, known)
        return judge(asked, known, y[split.train], NEIGHBOURS)

    return nearest


def tables_of(table: Table) -> Mapping[str, Sequence[Float[np.ndarray, "n d"]]]:
    """Single arrays as sequences of one."""
    return {name: (x,) for name, x in table.items()}
