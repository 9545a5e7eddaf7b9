"""Verify: ask a finished question on generation again, from the files on, and say whether the answer is the same."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from armillary.bench.generation.cell import Cell, plain, read_cells
from armillary.bench.generation.run import Course, answer, facts_of
from armillary.errors import BadInput, SceneNotFound

TOLERANCE = 2e-3
"""Largest difference of a number, relative to the largest beside it: cells hold six digits, and twenty steps of a
network add up in another order on another number of threads."""

LEAST_SIZE, MOST_SIZE = 0.01, 1.0
"""What a number is compared with is at least so large, for what cancels out is rounding; and at most, for heights."""

UNCOMPARED = "ranks"
"""Counts that turn over when a value moves by nothing."""

COMPARED = ("config", "data", "weights")


@dataclass(frozen=True)
class Verdict:
    """What a second answer says of the first.

    Args:
        first: as it was found.
        differences: path of a number, or of an item -> first and second value, where they differ by more than the
            tolerance.
        other: fact -> first and second, where they differ.
    """

    first: Cell
    differences: Mapping[str, tuple[Any, Any]]
    other: Mapping[str, tuple[Any, Any]]

    @property
    def agrees(self) -> bool:
        """Whether every item and number is the same."""
        return not self.differences

    def __str__(self) -> str:
        q = self.first.question
        name = f"{q.id} ({q.kind} {q.target}, {q.model})"
        told = "; ".join(f"{k} {a!r} is now {b!r}" for k, (a, b) in self.other.items())
        if self.agrees:
            return f"{name} agrees" + (f", though {told}" if told else "")
        where, (a, b) = next(iter(self.differences.items()))
        return f"{name} does not agree: {where} {a} is now {b}" + (f"; {told}" if told else "")


def find_cell(run: Path, begins: str) -> Cell:
    """The cell of a run whose id begins so.

    Raises:
        SceneNotFound: there is none.
        BadInput: there are several, it has no answer, or it is no cell.
    """
    found = list(read_cells(run, begins))
    if not found:
        raise SceneNotFound(f"no cell of {run} begins with {begins!r}; its ids are the names of the files in cells/")
    if len(found) > 1 or found[0].error is not None:
        raise BadInput(f"{begins!r} names {len(found)} cells, or one without an answer; give more of one that has one")
    return found[0]


def verify(course: Course, first: Cell, tolerance: float = TOLERANCE) -> Verdict:
    """The same question, asked again."""
    setting = course.setting(first.question.model)
    cuts, numbers, _ = answer(course, setting, first.question)
    facts = facts_of(setting, first.question, 0.0)
    other = {k: (first.facts.get(k), facts.get(k)) for k in COMPARED if first.facts.get(k) != facts.get(k)}
    items = [(c.key, c.place) for c in cuts]
    pairs = [
        *_apart(plain(first.items), plain(items), "/items"),
        *_apart(dict(first.numbers), plain(numbers), ""),
    ]
    sizes = _sizes(pairs)
    apart = {k: (a, b) for k, a, b in pairs if _differ(a, b, tolerance, sizes.get(_column(k), MOST_SIZE))}
    return Verdict(first, apart, other)


def _apart(one: Any, again: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every number with its path; what only one of them has is compared with None."""
    if path.endswith(UNCOMPARED):
        return
    if isinstance(one, Mapping) and isinstance(again, Mapping):
        for key in dict.fromkeys((*one, *again)):
            yield from _apart(one.get(key), again.get(key), f"{path}/{key}")
    elif isinstance(one, list) and isinstance(again, list) and len(one) == len(again):
        for i, (a, b) in enumerate(zip(one, again, strict=True)):
            yield from _apart(a, b, f"{path}/{i}")
    else:
        yield path, _short(one), _short(again)


def _short(value: Any) -> Any:
    """A whole list or table as its length."""
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | Mapping) else value


def _sizes(pairs: Iterable[tuple[str, Any, Any]]) -> dict[str, float]:
    """Column -> the largest number in it, within bounds; what is no column is not in it."""
    found: dict[str, float] = {}
    for path, *values in pairs:
        known = [abs(float(v)) for v in values if isinstance(v, int | float)]
        column = _column(path)
        if column != path:
            found[column] = min(max(LEAST_SIZE, found.get(column, 0.0), *known), MOST_SIZE)
    return found


def _column(path: str) -> str:
    """The path without the numbers of items."""
    return re.sub(r"/\d+(?=/|$)", "", path)


def _differ(a: Any, b: Any, tolerance: float, size: float) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return not math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * size)
    return bool(a != b)
