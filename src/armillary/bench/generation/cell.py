"""Cell: one question on generation and everything that is known of its answer, as one JSON file.

As the cells of labelled tasks are: its name is a hash of the question, it is written aside and renamed, and two runs
of one question differ in `facts` alone. docs/bench.md tells what `numbers` holds for each kind.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from armillary.bench.generation.parties import Given
from armillary.errors import BadInput, OutputRefused
from armillary.probe.features import fingerprint

FOLDER = "cells"
GENERATION = "generation"
"""The suite's name."""

Kind = Literal["told", "sampled", "crowd", "drift", "dates"]
"""What is asked. "told": what is expected, one asking per item, beside all floors. "sampled": samples, their
calibration, and the same floors on the same items. "crowd": generated items as a whole against real ones. "drift":
rounds from one sensor to another and back. "dates": one place at other dates."""

DIGITS = 6
"""Of the numbers of a cell."""

PARTS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "told": ("fidelity",),
        "sampled": ("fidelity", "calibration"),
        "crowd": ("crowds", "spread"),
        "drift": ("rounds", "mean"),
        "dates": ("days", "means", "spread"),
    }
)
"""Kind -> what the numbers of an answer hold at least."""

PER_ITEM = ("fidelity", "rounds", "mean")
"""Parts that hold one number per item and measure."""


@dataclass(frozen=True)
class Question:
    """What one cell asks.

    Args:
        kind: see `Kind`.
        model: as `teller.open_teller` reads it.
        target: name of the party that is asked for.
        given: what it is told from.
        seed: of samples.
        suite: always this one.
    """

    kind: Kind
    model: str
    target: str
    given: Given = ()
    seed: int = 0
    suite: str = GENERATION

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.suite != GENERATION:
            raise BadInput(f"{self.kind!r} of suite {self.suite!r} was asked; kinds are {', '.join(get_args(Kind))}")

    @property
    def id(self) -> str:
        """Twenty letters that no other question has."""
        return fingerprint(*(f"{k}={v}" for k, v in asdict(self).items()))[:20]


@dataclass(frozen=True)
class Cell:
    """A question and its answer.

    Args:
        question: what was asked.
        items: key and place of each item asked.
        numbers: what was measured; None where it could not be.
        pictures: an .npz of pictures, relative to the run's folder.
        facts: what decided the numbers, and where and when they were computed.
        error: why there is no answer, in one sentence.
    """

    question: Question
    items: tuple[tuple[str, str], ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    pictures: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    def write(self, run: Path) -> Path:
        """Into the folder of a run; whole or not at all.

        Raises:
            OutputRefused: the folder cannot be written to.
        """
        text = json.dumps(plain(asdict(self)), allow_nan=False) + "\n"
        return written(run / FOLDER / f"{self.question.id}.json", text.encode())


def read_cell(path: Path) -> Cell:
    """One cell from its file.

    Raises:
        BadInput: it is no cell, or not a whole one.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        asked = found.pop("question")
        question = Question(**asked | {"given": tuple(asked["given"])})
        items = tuple((str(key), str(place)) for key, place in found.pop("items"))
        cell = Cell(question, items, **found)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as cause:
        raise BadInput(f"{path} is no cell on generation ({cause!r}); ask it again with --resume") from cause
    if question.id != path.stem:
        raise BadInput(f"{path} was changed: its name is not its own; ask it again with --resume")
    if not _is_whole(cell):
        raise BadInput(f"{path} was changed: it does not hold what an answer holds; ask it again with --resume")
    return cell


def read_cells(run: Path, begins: str = "") -> Iterator[Cell]:
    """The cells of a run whose ids begin so, in the order of their ids; others are not read."""
    for path in sorted((run / FOLDER).glob("*.json")):
        if path.stem.startswith(begins):
            yield read_cell(path)


def written(path: Path, content: bytes) -> Path:
    """A file, whole or not at all.

    Raises:
        OutputRefused: it cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as cause:
        aside.unlink(missing_ok=True)
        raise OutputRefused(f"{path} cannot be written ({cause.strerror}); choose another folder") from cause
    return path


def _is_whole(cell: Cell) -> bool:
    """Whether a cell that was read holds all parts, and one number or null per item where there are to be such."""
    words, tables = (cell.error, cell.pictures), (cell.numbers, cell.facts)
    if not (all(isinstance(w, str | None) for w in words) and all(isinstance(t, Mapping) for t in tables)):
        return False
    if cell.error is not None:
        return True
    if not cell.items or not set(PARTS[cell.question.kind]) <= set(cell.numbers) or cell.numbers.get("rounds") == []:
        return False
    columns = (column for part in PER_ITEM for column in _leaves(cell.numbers.get(part, {})))
    return all(
        isinstance(c, list) and len(c) == len(cell.items) and all(isinstance(v, float | int | None) for v in c)
        for c in columns
    )


def _leaves(value: Any) -> Iterator[Any]:
    """What is no table, below tables and lists of tables."""
    match value:
        case Mapping():
            for below in value.values():
                yield from _leaves(below)
        case [Mapping(), *_]:
            for below in value:
                yield from _leaves(below)
        case _:
            yield value


def plain(value: Any) -> Any:
    """What JSON holds: six digits, and null for nan and infinity."""
    match value:
        case float() | np.floating():
            return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple():
            return [plain(v) for v in value]
        case np.ndarray():
            return plain(value.tolist())
        case np.integer():
            return int(value)
        case _:
            return value
