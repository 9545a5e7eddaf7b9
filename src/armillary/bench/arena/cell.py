"""Cell: one question of a table and everything that is known of its answer, as one small JSON file.

A *question* names a task, an encoder, a probe and how they are asked; its id is a hash of that, so that a run that was
stopped knows what it has. Two runs of one question differ in `facts` alone (seconds, when), never in numbers.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from armillary.errors import BadInput, OutputRefused
from armillary.probe.features import fingerprint

FOLDER = "cells"


@dataclass(frozen=True)
class Question:
    """What one cell asks.

    Args:
        suite: name of the suite.
        task: name of the task.
        encoder: as `armillary.bench.encoders.zoo.open_encoder` reads it, or a plain one.
        knows: what the encoder is told beside pixels.
        probe: name of the probe.
        protocol: "official" or "blocks".
        fraction: share of the labels.
        seed: of the share and of the probe.
        official: whether samples are shown, heads trained and scores averaged as the publication did.
    """

    suite: str
    task: str
    encoder: str
    knows: tuple[str, ...]
    probe: str
    protocol: str = "official"
    fraction: float = 1.0
    seed: int = 0
    official: bool = False

    @property
    def id(self) -> str:
        """Twenty letters that no other question has."""
        return fingerprint(*(f"{k}={v}" for k, v in asdict(self).items()))[:20]


@dataclass(frozen=True)
class Cell:
    """A question and its answer; docs/bench.md tells every field.

    Args:
        question: what was asked.
        main: name of the measure that counts first.
        measures: name -> value over all test items; nan where it is not defined.
        intervals: name -> ends of the bootstrap interval at 95 %.
        official_score: the published protocol's average over batches; None unless it was asked.
        worst_region: the region with the worst score: longitude, latitude, items, score.
        items: how many items taught, chose and were asked.
        confusion: rows are truths; None where an item may have several classes.
        choices: settings that the probe chose.
        regions: score of each region.
        examples: an .npz of a few predictions beside their truths, relative to the run's folder.
        draws: an .npy of the main measure in every draw of its interval, relative to the run's folder. Cells of one
            task, protocol and seed drew the same groups, so their differences can be taken draw by draw.
        facts: what decided the numbers, and where and when they were computed.
        error: why there is no answer, in one sentence.
    """

    question: Question
    main: str
    measures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    official_score: float | None = None
    worst_region: Mapping[str, float] | None = None
    items: Mapping[str, int] = field(default_factory=dict)
    confusion: list[Any] | None = None
    choices: Mapping[str, float | str] = field(default_factory=dict)
    regions: tuple[Mapping[str, float], ...] | None = None
    examples: str | None = None
    draws: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def score(self) -> float:
        """The main measure; nan where there is no answer."""
        return float(self.measures.get(self.main, math.nan))

    def write(self, run: Path) -> Path:
        """Into the folder of a run; whole or not at all.

        Raises:
            OutputRefused: the folder cannot be written to.
        """
        path = run / FOLDER / f"{self.question.id}.json"
        aside = path.with_name(f".{self.question.id}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(_plain(asdict(self)), indent=1, allow_nan=False) + "\n")
            aside.replace(path)
        except OSError as cause:
            raise OutputRefused(f"a cell cannot be written to {path.parent}: {cause}; choose another folder") from cause
        return path


def read_cell(path: Path) -> Cell:
    """One cell from its file.

    Raises:
        BadInput: it is no cell.
    """
    try:
        found = json.loads(path.read_text())
        asked = found.pop("question")
        question = Question(**asked | {"knows": tuple(asked["knows"])})
        measures = {k: math.nan if v is None else float(v) for k, v in found.pop("measures").items()}
        ends = {k: (_number(low), _number(high)) for k, (low, high) in found.pop("intervals").items()}
        regions = found.pop("regions")
        items = {part: int(count) for part, count in found.pop("items").items()}
        cell = Cell(
            question, measures=measures, intervals=ends, items=items,
            regions=None if regions is None else tuple(regions), **found,
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise BadInput(f"{path} is no cell of a benchmark ({cause!r}); ask it again with --resume") from cause
    if question.id != path.stem or (cell.error is None and cell.main not in measures):
        raise BadInput(f"{path} was changed: its name or its measures are not its own; ask it again with --resume")
    return cell


def read_cells(run: Path) -> Iterator[Cell]:
    """All cells of a run, in the order of their ids."""
    for path in sorted((run / FOLDER).glob("*.json")):
        yield read_cell(path)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    """What JSON holds: nan and infinity are null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(k): _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v) for v in value]
        case _:
            return value
