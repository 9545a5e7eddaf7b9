"""Finished cells of a run, gathered over seeds and folds into lines of a table.

A *line* is what is left when the seeds, and the folds of one question ("name.fold"), are averaged. Two spreads are kept
apart: over seeds (a standard deviation), and over items, as a 95 % interval. The latter is the cells' own where seeds
alone differ, since they ask the same items. Folds ask others, often other places: there it is the wider one of the
cells' intervals added in quadrature and of Student's t over folds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from armillary.bench.arena.cell import FOLDER, Cell, read_cell
from armillary.bench.encoders.zoo import RANDOM
from armillary.bench.scores.measures import LOWER_IS_BETTER
from armillary.errors import BadInput, SceneNotFound
from armillary.probe.intervals import Interval, mean_interval

REGRESSIONS = ("logistic", "ridge")
"""Probes that are one linear map: of classes, and of values."""

PLAIN = ("none", "pixels", "place-time")
"""Encoders that are no model."""


@dataclass(frozen=True)
class Asking:
    """What a cell asks, without its seed and its fold: cells that differ in these alone are one line.

    Args:
        suite: the table it belongs to.
        question: name of the task, without its fold.
        encoder: what saw the items.
        knows: facts that it was told.
        probe: what answered.
        protocol: how items were split.
        fraction: share of the labels that taught.
        official: whether it was shown and averaged as published.
    """

    suite: str
    question: str
    encoder: str
    knows: tuple[str, ...]
    probe: str
    protocol: str
    fraction: float
    official: bool

    @classmethod
    def of(cls, cell: Cell) -> "Asking":
        """What a cell asks."""
        q = cell.question
        name = q.task.partition(".")[0]
        return cls(q.suite, name, q.encoder, q.knows, q.probe, q.protocol, q.fraction, q.official)

    @property
    def who(self) -> str:
        """Encoder, what it is told and probe, for a person."""
        told = f", told {' and '.join(self.knows)}" if self.knows and self.encoder not in PLAIN else ""
        return f"{self.encoder}{told}, {self.probe}"

    @property
    def role(self) -> str:
        """The same in a few words, told or not and without which regression: what a column of many questions says."""
        if self.is_plain:
            return self.encoder if self.encoder != "none" else self.probe
        told = ", told" if self.knows else ""
        return f"{self.encoder}{told}" + ("" if self.probe in REGRESSIONS else f", {self.probe}")

    @property
    def is_untrained(self) -> bool:
        """Whether its encoder has random weights."""
        return self.encoder.endswith(f"@{RANDOM}")

    @property
    def is_plain(self) -> bool:
        """Whether it is a baseline without a model."""
        return self.encoder in PLAIN


@dataclass(frozen=True, eq=False)
class Line:
    """Cells of one question that differ in seed and fold alone.

    Args:
        asking: what they ask.
        main: name of the main measure.
        mean: of it, over seeds and folds.
        low: end of its interval over items.
        high: the other end.
        spread: standard deviation over seeds that were asked every fold; nan where there is one.
        seeds: how many.
        folds: how many.
        cells: all of them, without those that failed.
    """

    asking: Asking
    main: str
    mean: float
    low: float
    high: float
    spread: float
    seeds: int
    folds: int
    cells: tuple[Cell, ...]

    def measure(self, name: str) -> float:
        """Mean of any measure over the cells."""
        return _mean([c.measures.get(name, math.nan) for c in self.cells])

    @property
    def official_score(self) -> float:
        """Mean of the score as the published protocol averages it; nan where nobody asked for it."""
        return _mean([math.nan if c.official_score is None else c.official_score for c in self.cells])


def read_all(run: Path) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """All cells of a run, and a sentence about every file that is none.

    Raises:
        SceneNotFound: there are no cells.
    """
    paths = sorted((run / FOLDER).glob("*.json"))
    if not paths:
        raise SceneNotFound(f"cells were asked for in {run / FOLDER} and none is there; run the benchmark first")
    cells, complaints = [], []
    for path in paths:
        try:
            cells.append(read_cell(path))
        except BadInput as cause:
            complaints.append(str(cause).replace(str(path), path.name))
    return tuple(cells), tuple(complaints)


def gather(cells: Iterable[Cell]) -> tuple[Line, ...]:
    """Lines of all cells that have a score; the best of each question first, within one protocol and share."""
    held: dict[Asking, list[Cell]] = {}
    for cell in cells:
        if cell.error is None:
            held.setdefault(Asking.of(cell), []).append(cell)
    return tuple(sorted((_line(asking, tuple(some)) for asking, some in held.items()), key=_order))


def failed(cells: Iterable[Cell]) -> Mapping[str, tuple[Cell, ...]]:
    """Sentence -> the cells that failed with it."""
    out: dict[str, tuple[Cell, ...]] = {}
    for cell in cells:
        if cell.error is not None:
            out[cell.error] = (*out.get(cell.error, ()), cell)
    return MappingProxyType(out)


def better(main: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if main in LOWER_IS_BETTER else 1


def _line(asking: Asking, cells: tuple[Cell, ...]) -> Line:
    main = cells[0].main
    seeds = sorted({c.question.seed for c in cells})
    folds = [[c for c in cells if c.question.task == t] for t in sorted({c.question.task for c in cells})]
    by_seed = [[c.score for c in cells if c.question.seed == s] for s in seeds]
    whole = [_mean(some) for some in by_seed if len(some) == len({c.question.task for c in cells})]
    by_fold = [_mean([c.score for c in some]) for some in folds]
    ends = [(_mean([_end(c, main, 0) for c in some]), _mean([_end(c, main, 1) for c in some])) for some in folds]
    found = over_folds([Interval(m, low, high) for m, (low, high) in zip(by_fold, ends, strict=True)])
    spread = float(np.std(whole, ddof=1)) if len(whole) > 1 else math.nan
    return Line(asking, main, found.mean, found.low, found.high, spread, len(seeds), len(folds), cells)


def over_folds(folds: Sequence[Interval]) -> Interval:
    """Mean over folds with its interval.

    One fold's own; of several, the wider one of theirs added in quadrature and of Student's t over them, which is what
    is left where a fold has none.
    """
    by_fold = [f.mean for f in folds]
    mean = _mean(by_fold)
    below, above = (
        math.hypot(*(end - f.mean for end, f in zip(side, folds, strict=True))) / len(folds)
        for side in ([f.low for f in folds], [f.high for f in folds])
    )
    if len(folds) > 1:
        over_places = mean_interval(np.array(by_fold)).high - mean
        below, above = (float(np.fmax(half, over_places)) for half in (below, above))
    return Interval(mean, mean - below, mean + above)


def _order(line: Line) -> tuple[object, ...]:
    asked = line.asking
    rank = math.inf if math.isnan(line.mean) else -better(line.main) * line.mean
    split = asked.protocol != "official", asked.protocol, asked.official
    return asked.suite, asked.question, *split, -asked.fraction, rank, asked.who


def _end(cell: Cell, name: str, side: int) -> float:
    return cell.intervals.get(name, (math.nan, math.nan))[side]


def _mean(values: Sequence[float]) -> float:
    """Not known when one of them is not."""
    return float(np.mean(values)) if values else math.nan
