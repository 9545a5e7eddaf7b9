"""Lines of scores as Markdown, and every cell as one row of CSV and Parquet."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from itertools import groupby

import pyarrow as pa

from armillary.bench.arena.cell import Cell
from armillary.bench.published import REFERENCE
from armillary.bench.report.cells import Line, better
from armillary.bench.task import Task
from armillary.probe.answer import Value, ValueMap

FURTHER = ("balanced accuracy", "OA", "macro F1", "micro mAP", "R2", "MAE", "bias", "ECE")
"""Measures that are shown beside the main one, where they are there and are not it."""

MOST_FURTHER = 3
DASH = "–"
Block = tuple[str, bool, float]
"""Protocol, official or not, share of the labels."""


@dataclass(frozen=True)
class Table:
    """Words in rows and columns.

    Args:
        head: of the columns.
        rows: of as many words.
        title: above it.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""

    def markdown(self) -> str:
        """As GitHub reads it; a bar in a word is escaped."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        body = "\n".join("| " + " | ".join(w.replace("|", "\\|") for w in row) + " |" for row in lines)
        return f"**{self.title}**\n\n{body}" if self.title else body


def summary(lines: Sequence[Line], tasks: Mapping[str, Task]) -> Table:
    """One row per question, one column per encoder and probe: all labels, whichever protocol comes first."""
    whole = [x for x in lines if x.asking.fraction == 1.0]
    protocols = sorted(
        {(x.asking.official, x.asking.protocol) for x in whole}, key=lambda p: (p[0], p[1] != "official")
    )
    chosen = [x for x in whole if (x.asking.official, x.asking.protocol) == protocols[0]] if protocols else []
    columns = tuple(dict.fromkeys(x.asking.role for x in sorted(chosen, key=_plain_first)))
    held = {(x.asking.question, x.asking.role): x for x in chosen}
    order = [n.partition(".")[0] for n in tasks]
    questions = sorted({x.asking.question for x in chosen}, key=lambda q: (order.index(q) if q in order else 10**6, q))
    rows = []
    for q in questions:
        found = [held.get((q, c)) for c in columns]
        main = next(x.main for x in found if x is not None)
        folds = max(x.folds for x in found if x is not None)
        values = (DASH if x is None else _value(x) + _missing(x, folds) for x in found)
        published = _reference(_published(q, tasks).get(REFERENCE))
        rows.append((q, _arrow(main, unit_of(q, tasks)), *values, published))
    title = f"protocol {protocols[0][1]}{', as published' if protocols[0][0] else ''}" if protocols else ""
    return _lean(Table(("task", "measure", *columns, f"published: {REFERENCE}"), tuple(rows), title))


def blocks(lines: Sequence[Line]) -> Iterable[tuple[Block, tuple[Line, ...]]]:
    """Lines of one question by protocol, official or not, and share of the labels."""
    for block, some in groupby(lines, key=lambda x: (x.asking.protocol, x.asking.official, x.asking.fraction)):
        yield block, tuple(some)


def scores(lines: Sequence[Line], tasks: Mapping[str, Task]) -> tuple[Table, ...]:
    """Tables of one question: for each protocol all lines with the largest share of the labels, then all shares."""
    found = []
    for _, split in groupby(lines, key=lambda x: (x.asking.protocol, x.asking.official)):
        some = tuple(split)
        largest = max(x.asking.fraction for x in some)
        found += [_scores(block, part, tasks) for block, part in blocks(some) if block[2] == largest]
        if any(x.asking.fraction != largest for x in some):
            found.append(_shares(some, tasks))
    return tuple(found)


def unit_of(question: str, tasks: Mapping[str, Task]) -> str:
    """Unit of a value that is asked; "" where there is none."""
    task = next((t for n, t in tasks.items() if n.partition(".")[0] == question), None)
    found = task.answer.unit if task is not None and isinstance(task.answer, Value | ValueMap) else ""
    return "" if found == "1" else found


def failures(found: Mapping[str, Sequence[Cell]]) -> Table:
    """What was not answered, and why."""
    rows = tuple((_names(cells), str(len(cells)), _cut(why)) for why, cells in found.items())
    return Table(("task and encoder", "cells", "why"), rows)


def provenance(cells: Iterable[Cell]) -> Table:
    """One row for each set of weights, environment and version: what a score must be read with."""
    seen: dict[tuple[str, ...], int] = {}
    for cell in cells:
        told = (_short(cell.facts.get(k)) for k in ("weights", "version", "git", "environment"))
        row = (cell.question.encoder, *told)
        seen[row] = seen.get(row, 0) + 1
    rows = tuple((*row, str(n)) for row, n in sorted(seen.items()))
    return Table(("encoder", "weights", "version", "git", "environment", "cells"), rows)


def records(cells: Sequence[Cell]) -> list[dict[str, object]]:
    """One flat row per cell: question, measures with their intervals, items, choices, facts; None where unknown."""
    rows = []
    for cell in cells:
        row: dict[str, object] = {"id": cell.question.id, **asdict(cell.question)}
        row |= {"knows": " ".join(cell.question.knows), "question": cell.question.task.partition(".")[0]}
        row |= {"main": cell.main, "official_score": cell.official_score, "error": cell.error}
        row |= {f"items {part}": n for part, n in cell.items.items()}
        for name, value in cell.measures.items():
            low, high = cell.intervals.get(name, (math.nan, math.nan))
            row |= {name: _known(value), f"{name} low": _known(low), f"{name} high": _known(high)}
        row |= {"worst region": _text(cell.worst_region), "choices": _text(cell.choices)}
        row |= {f"fact {name}": _fact(value) for name, value in cell.facts.items()}
        rows.append(row)
    return rows


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of all columns that any of them has."""
    out = StringIO()
    writer = csv.DictWriter(out, _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    return out.getvalue()


def as_table(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """The same with types, for Parquet: numbers stay numbers."""
    return pa.table({name: _column([row.get(name) for row in rows]) for name in _columns(rows)})


def spelled(value: float) -> str:
    """Three digits behind the point of a share, four that count of anything larger.

    Example:
        >>> spelled(0.97812), spelled(789.44), spelled(float("nan"))
        ('0.978', '789.4', '–')
    """
    if math.isnan(value):
        return DASH
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"


def signed(value: float) -> str:
    """The same with its sign, which 0 lacks.

    Example:
        >>> signed(0.0211), signed(-12.3456), signed(0.0)
        ('+0.021', '-12.35', '0.000')
    """
    word = spelled(value)
    if word == DASH:
        return word
    return word.removeprefix("-") if not float(word) else f"+{word}" if value > 0 else word


def _scores(block: Block, lines: Sequence[Line], tasks: Mapping[str, Task]) -> Table:
    protocol, official, fraction = block
    main, question = lines[0].main, lines[0].asking.question
    further = [m for m in FURTHER if m != main and any(not math.isnan(x.measure(m)) for x in lines)][:MOST_FURTHER]
    published = _published(question, tasks) if fraction == 1.0 else {}
    reference = published.get(REFERENCE)
    folds = max(x.folds for x in lines)
    rows = [_row(x, further, reference, folds) for x in lines]
    for model, (mean, std) in published.items():
        delta = "" if reference is None else f"{mean - reference[0]:+.3f}"
        rows.append((f"*published: {model}*", "", "", f"{spelled(mean)} ± {spelled(std)}", "", delta, *_blank(further)))
    labels = f"{fraction:.0%} of the labels"
    measure = _arrow(main, unit_of(question, tasks))
    title = f"{measure}, protocol {protocol}{', as published' if official else ''}, {labels}"
    head = ("encoder", "told", "probe", main, "95 % over items", f"less {REFERENCE}", *further, "official", "seeds")
    if reference is None:
        rows = [(*r[:5], *r[6:]) for r in rows]
        head = (*head[:5], *head[6:])
    return _lean(Table(head, tuple(rows), title))


def _shares(lines: Sequence[Line], tasks: Mapping[str, Task]) -> Table:
    """Main measure of every line of one protocol over the share of the labels."""
    first = lines[0].asking
    shares = sorted({x.asking.fraction for x in lines})
    held = {(x.asking.who, x.asking.fraction): x for x in lines}
    rows = tuple(
        (who, *(_value(held[who, f]) if (who, f) in held else DASH for f in shares))
        for who in dict.fromkeys(x.asking.who for x in lines)
    )
    measure = _arrow(lines[0].main, unit_of(first.question, tasks))
    title = f"{measure}, protocol {first.protocol}{', as published' if first.official else ''}, by share of the labels"
    return Table(("encoder and probe", *(f"{f:.0%}" for f in shares)), rows, title)


def _lean(table: Table) -> Table:
    """Without the columns in which nothing is said."""
    kept = [k for k in range(len(table.head)) if any(row[k] not in ("", DASH) for row in table.rows)]
    rows = tuple(tuple(row[k] for k in kept) for row in table.rows)
    return Table(tuple(table.head[k] for k in kept), rows, table.title)


def _row(line: Line, further: Sequence[str], reference: tuple[float, float] | None, folds: int) -> tuple[str, ...]:
    asked = line.asking
    ours = line.official_score if asked.official and not math.isnan(line.official_score) else line.mean
    some = f"{line.seeds}" + (f" x {line.folds} of {folds} folds" if folds > 1 else "")
    return (
        asked.encoder,
        ", ".join(asked.knows) or DASH,
        asked.probe,
        _value(line),
        DASH if math.isnan(line.low) else f"{spelled(line.low)} to {spelled(line.high)}",
        "" if reference is None else f"{ours - reference[0]:+.3f}",
        *(spelled(line.measure(m)) for m in further),
        spelled(line.official_score),
        some,
    )


def _blank(further: Sequence[str]) -> tuple[str, ...]:
    return ("",) * (len(further) + 2)


def _value(line: Line) -> str:
    """With the spread over seeds, where that is more than nothing."""
    spread = "" if math.isnan(line.spread) else spelled(line.spread)
    return spelled(line.mean) + (f" ± {spread}" if spread and float(spread) else "")


def _missing(line: Line, folds: int) -> str:
    """A word about folds that were not answered, whose mean is that of others."""
    return "" if line.folds == folds else f" ({line.folds} of {folds} folds)"


def _reference(found: tuple[float, float] | None) -> str:
    return DASH if found is None else f"{spelled(found[0])} ± {spelled(found[1])}"


def _arrow(main: str, unit: str = "") -> str:
    return f"{main}{f' in {unit}' if unit else ''} {'↑' if better(main) > 0 else '↓'}"


def _plain_first(line: Line) -> tuple[bool, str]:
    return not line.asking.is_plain, line.asking.who


def _published(question: str, tasks: Mapping[str, Task]) -> Mapping[str, tuple[float, float]]:
    return tasks[question].published if question in tasks else {}


def _names(cells: Sequence[Cell]) -> str:
    return "; ".join(dict.fromkeys(f"{c.question.task}, {c.question.encoder}" for c in cells))


def _short(value: object) -> str:
    return _cut(_text(value) or DASH, 60)


def _cut(text: str, most: int = 300) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True, default=dict)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _fact(value: object) -> object:
    """Numbers and words as they are, tables as JSON."""
    return value if isinstance(value, int | float) else _text(value)


def _columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _column(values: list[object]) -> pa.Array:
    """Of one type; words where they are mixed."""
    known = [v for v in values if v is not None]
    if all(isinstance(v, bool) for v in known) or all(isinstance(v, str) for v in known):
        return pa.array(values)
    if all(isinstance(v, int) and not isinstance(v, bool) for v in known):
        return pa.array(values, pa.int64())
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
        return pa.array(values, pa.float64())
    return pa.array([None if v is None else str(v) for v in values])
