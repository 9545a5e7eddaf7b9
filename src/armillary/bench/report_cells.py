"""Report cells: finished cells read back from their files, and gathered over seeds and folds into lines of a table.

A cell is the JSON file of one answered question (task, encoder, what it is told, probe, protocol, share of labels,
seed). A *line* is what is left when the seeds, and the folds of one question ("name.fold"), are averaged. Two spreads
are kept apart: over seeds (a standard deviation), and over items, the 95 % interval: mean ends over seeds, and over
folds, which ask different items, added in quadrature.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from armillary.bench.scores import LOWER_IS_BETTER
from armillary.errors import SceneNotFound

PLAIN = ("none", "pixels", "place-time")
"""Encoders that are no model."""


@dataclass(frozen=True)
class Asking:
    """What a cell asks, without its seed: cells that differ in seed and fold alone are one line.

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

    @property
    def who(self) -> str:
        """Encoder, what it is told and probe, for a person."""
        told = f", told {' and '.join(self.knows)}" if self.knows else ""
        return f"{self.encoder}{told}, {self.probe}"


@dataclass(frozen=True, eq=False)
class Read:
    """A cell as its file tells it.

    Args:
        id: name of the file.
        asking: the question without its seed.
        task: its name, with its fold.
        seed: of the probe and of the labels that were drawn.
        told: the whole content.
        path: of the file.
    """

    id: str
    asking: Asking
    task: str
    seed: int
    told: Mapping[str, Any]
    path: Path

    @property
    def error(self) -> str | None:
        """Why there is no score, if there is none."""
        return None if self.told.get("error") is None else str(self.told["error"])

    @property
    def main(self) -> str:
        """Name of the measure by which it is first judged."""
        return str(self.told.get("main") or "")

    @property
    def fold(self) -> str:
        """Name of its fold, "" where there is none."""
        return self.task.partition(".")[2]

    def measure(self, name: str) -> float:
        """A measure, nan where it is unknown."""
        return _number((self.told.get("measures") or {}).get(name))

    def interval(self, name: str) -> tuple[float, float]:
        """Its interval over items, nan where it is unknown."""
        low, high = (self.told.get("intervals") or {}).get(name) or (None, None)
        return _number(low), _number(high)


@dataclass(frozen=True, eq=False)
class Line:
    """Cells of one question that differ in seed and fold alone.

    Args:
        asking: what they ask.
        main: name of the main measure.
        mean: of it, over seeds and folds.
        low: end of its interval over items.
        high: the other end.
        spread: standard deviation over seeds; nan where there is one.
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
    cells: tuple[Read, ...]

    def measure(self, name: str) -> float:
        """Mean of any measure over the cells."""
        return _mean([c.measure(name) for c in self.cells])

    @property
    def official_score(self) -> float:
        """Mean of the score as the published protocol averages it; nan where nobody asked for it."""
        return _mean([_number(c.told.get("official_score")) for c in self.cells])


def read_cells(folder: Path) -> tuple[tuple[Read, ...], tuple[str, ...]]:
    """All cells under OUT/cells, and a sentence about every file that is none.

    Raises:
        SceneNotFound: there are no cells.
    """
    paths = sorted((folder / "cells").glob("*.json"))
    if not paths:
        raise SceneNotFound(f"cells were asked for in {folder / 'cells'} and none is there; run the benchmark first")
    cells, complaints = [], []
    for path in paths:
        try:
            cells.append(_read(path))
        except (ValueError, KeyError, TypeError) as cause:
            complaints.append(f"{path.name} is no cell ({type(cause).__name__}: {cause}); delete it and run again")
    return tuple(cells), tuple(complaints)


def gather(cells: Iterable[Read]) -> tuple[Line, ...]:
    """Lines of all cells that have a score; the best of each question first, within one protocol and share."""
    held: dict[Asking, list[Read]] = {}
    for cell in cells:
        if cell.error is None and cell.main:
            held.setdefault(cell.asking, []).append(cell)
    return tuple(sorted((_line(asking, tuple(some)) for asking, some in held.items()), key=_order))


def failed(cells: Iterable[Read]) -> Mapping[str, tuple[Read, ...]]:
    """Sentence -> the cells that failed with it."""
    out: dict[str, tuple[Read, ...]] = {}
    for cell in cells:
        if cell.error is not None:
            out[cell.error] = (*out.get(cell.error, ()), cell)
    return MappingProxyType(out)


def better(main: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if main in LOWER_IS_BETTER else 1


def is_plain(line: Line) -> bool:
    """Whether it is a baseline without a model."""
    return line.asking.encoder in PLAIN


def _read(path: Path) -> Read:
    told = json.loads(path.read_text(encoding="utf-8"))
    q = told["question"]
    asking = Asking(
        str(q["suite"]),
        str(q["task"]).partition(".")[0],
        str(q["encoder"]),
        tuple(map(str, q["knows"])),
        str(q["probe"]),
        str(q["protocol"]),
        float(q["fraction"]),
        bool(q["official"]),
    )
    return Read(path.stem, asking, str(q["task"]), int(q["seed"]), MappingProxyType(told), path)


def _line(asking: Asking, cells: tuple[Read, ...]) -> Line:
    main = cells[0].main
    folds, seeds = sorted({c.fold for c in cells}), sorted({c.seed for c in cells})
    by_seed = [_mean([c.measure(main) for c in cells if c.seed == s]) for s in seeds]
    means, below, above = [], [], []
    for fold in folds:
        some = [c for c in cells if c.fold == fold]
        mean = _mean([c.measure(main) for c in some])
        means.append(mean)
        below.append(mean - _mean([c.interval(main)[0] for c in some]))
        above.append(_mean([c.interval(main)[1] for c in some]) - mean)
    mean = _mean(means)
    low, high = mean - _quadrature(below), mean + _quadrature(above)
    spread = float(np.std(by_seed, ddof=1)) if len(seeds) > 1 else math.nan
    return Line(asking, main, mean, low, high, spread, len(seeds), len(folds), cells)


def _order(line: Line) -> tuple[object, ...]:
    asked = line.asking
    rank = math.inf if math.isnan(line.mean) else -better(line.main) * line.mean
    split = asked.protocol != "official", asked.protocol, asked.official
    return asked.suite, asked.question, *split, -asked.fraction, rank, asked.who


def _number(value: object) -> float:
    return math.nan if value is None else float(str(value))


def _mean(values: Sequence[float]) -> float:
    """Not known when one of them is not."""
    return float(np.mean(values)) if values else math.nan


def _quadrature(values: Sequence[float]) -> float:
    return math.sqrt(sum(v * v for v in values)) / len(values)
