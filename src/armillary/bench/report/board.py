"""Board: the table that a run prints, one row per task, one column per encoder and probe, the published row last."""

from collections.abc import Sequence

import numpy as np

from armillary.bench.arena.cell import Cell
from armillary.bench.published import REFERENCE
from armillary.bench.report.tables import spelled
from armillary.bench.scores.measures import LOWER_IS_BETTER
from armillary.bench.task import Task
from armillary.probe.answer import MAIN, Answer, Value, ValueMap

FAILED, ABSENT = "failed", "-"


def board(cells: Sequence[Cell], tasks: Sequence[Task]) -> list[tuple[str, ...]]:
    """A head and one row per question: mean and deviation over seeds and folds, all labels, one protocol.

    Args:
        cells: of one run.
        tasks: in the order of the rows.
    """
    shown = _chosen(cells)
    rivals = {(c.question.task, c.question.encoder, c.question.knows, c.question.probe) for c in shown}
    several = len(rivals) > len({r[:3] for r in rivals})
    columns = list(dict.fromkeys(column(c, several=several) for c in shown))
    rows = [("task", "measure", *columns, f"published {REFERENCE.split()[0]}")]
    for name, task in {_question(task.name): task for task in tasks}.items():
        own = [c for c in shown if _question(c.question.task) == name]
        found = [_spelled([c for c in own if column(c, several=several) == each]) for each in columns]
        rows.append((name, _measure(task.answer), *found, _published(task)))
    return rows


def legend(cells: Sequence[Cell]) -> str:
    """One line that says what the numbers of a board are."""
    shown = _chosen(cells)
    if not shown:
        return "nothing was asked"
    q, seeds = shown[0].question, len({c.question.seed for c in shown})
    many = f"{seeds} seeds" if seeds > 1 else "one seed"
    return (
        f"{q.protocol} split, {q.fraction:.0%} of the labels, mean ± deviation over {many}; "
        "^ larger is better, v smaller; +meta: told what it uses of place, time and area; published: as in the paper, "
        "whose averages over batches --official repeats"
    )


def lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as text, every column as wide as its widest word.

    Example:
        >>> lines([("task", "OA"), ("a", "0.5")])
        ['task  OA', 'a     0.5']
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(word.ljust(w) for word, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def column(cell: Cell, *, several: bool = False) -> str:
    """What a column is called: the encoder, "+meta" where it is told anything, the probe where there are several."""
    q = cell.question
    plain = {"none": "constant", "pixels": "pixels+boosting", "place-time": "place-time+boosting"}
    return (
        plain.get(q.encoder) if q.probe in ("constant", "boosting") else None
    ) or f"{q.encoder}{'+meta' if q.knows else ''}{f' {q.probe}' if several else ''}"


def failures(cells: Sequence[Cell]) -> dict[str, str]:
    """Task -> the first sentence that says why one of its cells has no number."""
    out: dict[str, str] = {}
    for cell in cells:
        if cell.error is not None:
            out.setdefault(cell.question.task, cell.error)
    return out


def _question(task: str) -> str:
    """Its name without the fold."""
    return task.partition(".")[0]


def _measure(answer: Answer) -> str:
    """With its unit, and which way is better."""
    main = MAIN[type(answer)]
    unit = f" {answer.unit}" if isinstance(answer, Value | ValueMap) and answer.unit != "1" else ""
    return f"{main}{unit} {'v' if main in LOWER_IS_BETTER else '^'}"


def _chosen(cells: Sequence[Cell]) -> list[Cell]:
    """All labels, or the largest share; the official split where it was asked."""
    if not cells:
        return []
    most = max(c.question.fraction for c in cells)
    protocols = {c.question.protocol for c in cells}
    protocol = "official" if "official" in protocols else sorted(protocols)[0]
    return [c for c in cells if (c.question.fraction, c.question.protocol) == (most, protocol)]


def _spelled(cells: Sequence[Cell]) -> str:
    """Of the seeds of one column; where it was asked, the published protocol's average stands in brackets."""
    if not cells:
        return ABSENT
    scores = [c.score for c in cells if c.error is None]
    if not scores:
        return FAILED
    apart = float(np.std(scores, ddof=1)) if len(set(scores)) > 1 else 0.0
    spread = f"±{spelled(apart)}" if apart else ""
    official = [c.official_score for c in cells if c.official_score is not None]
    return f"{spelled(float(np.mean(scores)))}{spread}" + (
        f" ({spelled(float(np.mean(official)))})" if official else ""
    )


def _published(task: Task) -> str:
    return spelled(task.published[REFERENCE][0]) if REFERENCE in task.published else ABSENT
