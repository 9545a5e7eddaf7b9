"""Verify: ask a finished question again, from the files on, and say whether the answer is the same.

Nothing of the first run is used: features are computed anew in a folder of their own.
"""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from armillary.bench.arena.cell import Cell, read_cells
from armillary.bench.arena.run import Arena, run
from armillary.errors import BadInput, SceneNotFound

TOLERANCE = 1e-4
"""Largest difference of a measure between two runs that agree, relative to its size (at least 1): another number of
threads or another machine adds up in another order."""

COMPARED = ("config", "data", "weights", "version")
"""Facts that explain why two answers differ."""


@dataclass(frozen=True)
class Verdict:
    """What a second answer says of the first.

    Args:
        first: as it was found.
        again: as it was answered now.
        differences: measure, or another number of the cell -> first and second value, where they differ by more than
            the tolerance.
        other: fact -> first and second, where they differ.
    """

    first: Cell
    again: Cell
    differences: Mapping[str, tuple[float, float]]
    other: Mapping[str, tuple[object, object]]

    @property
    def agrees(self) -> bool:
        """Whether every number is the same."""
        return not self.differences and self.again.error is None and self.first.error is None

    def __str__(self) -> str:
        name = f"{self.first.question.id} ({self.first.question.task}, {self.first.question.encoder})"
        faults = [e for e in (self.first.error, self.again.error) if e]
        if faults:
            return f"{name} does not agree: {faults[0]}"
        told = "; ".join(f"{k} {a!r} is now {b!r}" for k, (a, b) in self.other.items())
        if self.agrees:
            score = f"{self.first.main} {self.again.score:.6g}"
            return f"{name} agrees: {score}" + (f", though {told}" if told else "")
        worst = max(self.differences, key=lambda k: abs(self.differences[k][0] - self.differences[k][1]))
        a, b = self.differences[worst]
        return f"{name} does not agree: {worst} {a:.6g} is now {b:.6g}" + (f"; {told}" if told else "")


def find_cell(run_folder: Path, start: str) -> Cell:
    """The cell whose id begins so.

    Raises:
        SceneNotFound: none does.
        BadInput: several do.
    """
    found = [c for c in read_cells(run_folder) if c.question.id.startswith(start)]
    if not found:
        raise SceneNotFound(f"no cell of {run_folder} has an id that begins with {start!r}; see its cells/ folder")
    if len(found) > 1:
        raise BadInput(f"{len(found)} cells begin with {start!r}: {found[0].question.id}, {found[1].question.id}, ...")
    return found[0]


def verify(arena: Arena, first: Cell, tolerance: float = TOLERANCE) -> Verdict:
    """Ask the question of a cell again.

    Args:
        arena: suite, data and settings of the run; what it asks is replaced by the cell's question.
        first: the cell.
        tolerance: as `TOLERANCE`.
    """
    q = first.question
    plan = replace(
        arena.plan,
        suite=q.suite,
        encoders=(q.encoder,),
        tasks=(q.task,),
        probes=(q.probe,),
        protocols=(q.protocol,),
        fractions=(q.fraction,),
        seeds=(q.seed,),
        told=(bool(q.knows),),
        official=q.official,
        baselines=False,
    )
    with tempfile.TemporaryDirectory(prefix="armillary-verify-") as folder:
        cells = list(run(replace(arena, plan=plan, run=Path(folder), cache=None)))
    again = next((c for c in cells if c.question == q), None)
    if again is None:
        raise BadInput(f"{q.task} no longer asks the question of cell {q.id}; it was asked by another version")
    was, now = numbers(first), numbers(again)
    pairs = {name: (was.get(name, math.nan), now.get(name, math.nan)) for name in {**was, **now}}
    differences = {name: (a, b) for name, (a, b) in pairs.items() if not same(a, b, tolerance)}
    if first.main != again.main:
        differences["the main measure"] = first.score, again.score
    other = {k: (first.facts.get(k), again.facts.get(k)) for k in COMPARED if first.facts.get(k) != again.facts.get(k)}
    return Verdict(first, again, differences, other)


def numbers(cell: Cell) -> Mapping[str, float]:
    """What a cell claims, name by name: measures, ends of intervals, and what is told beside them."""
    found = dict(cell.measures)
    for name, (low, high) in cell.intervals.items():
        found |= {f"{name}, low": low, f"{name}, high": high}
    found |= {f"{part} items": float(count) for part, count in cell.items.items()}
    if cell.official_score is not None:
        found["official score"] = cell.official_score
    if cell.worst_region is not None:
        found["score of the worst region"] = cell.worst_region.get("score", math.nan)
    if cell.confusion is not None:
        counts = np.array(cell.confusion, dtype=np.float64)
        shares = (counts / max(counts.sum(), 1)).ravel()
        found |= {f"confusion {at}": float(share) for at, share in enumerate(shares)}
    return found


def same(a: float, b: float, tolerance: float) -> bool:
    """Whether two values differ by no more than the tolerance of their size; nan is the same as nan.

    Example:
        >>> same(0.5, 0.50001, 1e-4), same(1600.0, 1601.0, 1e-4), same(float("nan"), float("nan"), 0.0)
        (True, False, True)
    """
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))
