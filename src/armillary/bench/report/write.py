"""Write finished cells as Markdown, CSV, Parquet and one HTML page.

`report(folder, tasks)` reads OUT/cells and writes OUT/report.md, results.csv, results.parquet and report.html. Nothing
is asked again and nothing is chosen: every line is shown, in the order of its score.
"""

import logging
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq

from armillary.bench.arena.cell import Cell
from armillary.bench.report import page, paired, tables
from armillary.bench.report.cells import Line, failed, gather, read_all
from armillary.bench.report.examples import draw_examples, read_examples
from armillary.bench.report.page import Section
from armillary.bench.report.plots import Picture, bars, confusion, curves, region_map
from armillary.bench.task import Task
from armillary.errors import OutputRefused, SceneUnreadable
from armillary.probe.answer import AnyOf, ClassMap, OneOf, is_dense

_LOG = logging.getLogger(__name__)

HOW = (
    "A score is the mean over seeds, ± their standard deviation, and over folds where a question has some. "
    "The interval says how far the score would move if other items, or other places, had been asked: 95 %, bootstrap. "
    "Baselines stand in every table: the most frequent class or the mean (none, constant), statistics of raw pixels, "
    "place and time alone, each with gradient boosting, and the encoder with random weights. A paired difference asks "
    "two of them the same items in every draw; better or worse is said where 0 lies outside its interval. Published "
    "rows were averaged over batches by their authors; the column official holds ours averaged in that way."
)


def report(folder: Path, tasks: Mapping[str, Task], *, title: str = "Benchmark report") -> tuple[Path, ...]:
    """Write the report of all cells of a run; returns the files.

    Args:
        folder: OUT of the run.
        tasks: of all suites, by name; a cell of a task that is not there is reported without its title.
        title: of the report.

    Raises:
        SceneNotFound: no cell is there.
        OutputRefused: the folder cannot be written to.
    """
    cells, complaints = read_all(folder)
    for complaint in complaints:
        _LOG.warning("%s", complaint)
    parts = sections(folder, cells, tasks, complaints)
    rows = tables.records(cells)
    parquet = BytesIO()
    pq.write_table(tables.as_table(rows), parquet)
    contents = {
        "report.md": page.markdown(title, (HOW,), parts).encode(),
        "results.csv": tables.as_csv(rows).encode(),
        "results.parquet": parquet.getvalue(),
        "report.html": page.page(title, (HOW,), parts).encode(),
    }
    return tuple(_write(folder / name, content) for name, content in contents.items())


def sections(
    run: Path, cells: Sequence[Cell], tasks: Mapping[str, Task], complaints: Sequence[str] = ()
) -> tuple[Section, ...]:
    """Summary, one section per question, what failed, where scores come from.

    Args:
        run: its folder, for examples.
        cells: of it.
        tasks: by name.
        complaints: sentences about files that are no cells.
    """
    lines = gather(cells)
    found = [Section("summary", "Summary", tables=_summaries(lines, tasks))] if lines else []
    order = list(dict.fromkeys(n.partition(".")[0] for n in tasks))
    by_question = groupby(sorted(lines, key=lambda x: _place(x, order)), key=lambda x: x.asking.question)
    found += [_question(run, question, tuple(some), tasks) for question, some in by_question]
    errors = failed(cells)
    if errors or complaints:
        table = (tables.failures(errors),) if errors else ()
        found.append(Section("failed", "Not answered", tuple(complaints), table))
    found.append(Section("provenance", "Where the scores come from", (), (tables.provenance(cells),)))
    return tuple(found)


def _place(line: Line, order: Sequence[str]) -> tuple[str, int, str]:
    """Suite, then the order of its tasks."""
    name = line.asking.question
    return line.asking.suite, order.index(name) if name in order else len(order), name


def _summaries(lines: Sequence[Line], tasks: Mapping[str, Task]) -> tuple[tables.Table, ...]:
    """One table per suite."""
    suites = groupby(lines, key=lambda x: x.asking.suite)
    return tuple(tables.summary(tuple(some), tasks) for _, some in suites)


def _question(run: Path, name: str, lines: Sequence[Line], tasks: Mapping[str, Task]) -> Section:
    task = next((t for n, t in tasks.items() if n == name or n.startswith(f"{name}.")), None)
    title = name if task is None or task.name != name else f"{task.title} ({name})"
    note = "" if task is None else f"{task.note[:1].upper()}{task.note[1:]}".rstrip(".")
    words = tuple(w for w in (_items(lines), note and f"{note}.") if w)
    found = (*tables.scores(lines, tasks), *_paired(run, lines))
    return Section(name, title, words, found, _pictures(run, name, lines, task, tasks))


def _paired(run: Path, lines: Sequence[Line]) -> tuple[tables.Table, ...]:
    """With the largest share of the labels, one table for each protocol."""
    largest = max(x.asking.fraction for x in lines)
    blocks = (some for (_, _, fraction), some in tables.blocks(lines) if fraction == largest)
    return tuple(t for t in (paired.table(paired.differences(run, some)) for some in blocks) if t is not None)


def _items(lines: Sequence[Line]) -> str:
    """How many items taught, chose and were asked, with all labels."""
    whole = [c for x in lines if x.asking.fraction == max(y.asking.fraction for y in lines) for c in x.cells]
    counts = [c.items for c in whole if c.items]
    if not counts:
        return ""
    low, high = ({p: f(int(c.get(p, 0)) for c in counts) for p in ("train", "val", "test")} for f in (min, max))
    said = {p: f"{low[p]}" if low[p] == high[p] else f"{low[p]} to {high[p]}" for p in low}
    return f"Items: {said['train']} teach, {said['val']} choose, {said['test']} are asked."


def _pictures(
    run: Path, name: str, lines: Sequence[Line], task: Task | None, tasks: Mapping[str, Task]
) -> tuple[Picture, ...]:
    found: list[Picture | None] = []
    published, unit = {} if task is None else task.published, tables.unit_of(name, tasks)
    for (protocol, official, fraction), block in tables.blocks(lines):
        if fraction == max(x.asking.fraction for x in lines):
            what = f"{name}: {block[0].main}, protocol {protocol}{', as published' if official else ''}"
            theirs = ", of published rows their standard deviation" if published else ""
            measure = " ".join(w for w in (block[0].main, unit and f"in {unit}") if w)
            found.append(bars(block, published, f"{what}; whiskers: 95 % over items{theirs}", measure))
    for split in dict.fromkeys((x.asking.protocol, x.asking.official) for x in lines):
        some = tuple(x for x in lines if (x.asking.protocol, x.asking.official) == split)
        found.append(curves(some, f"{name}: over the share of labels, protocol {split[0]}"))
    trained = (x for x in lines if not (x.asking.is_plain or x.asking.is_untrained))
    shown = next(trained, lines[0])
    classes = task.answer.classes if task is not None and isinstance(task.answer, OneOf | AnyOf | ClassMap) else ()
    found.append(confusion(shown, classes, f"{name}: share of each true class, {shown.asking.who}"))
    found.append(region_map(shown, f"{name}: {shown.main} by region, {shown.asking.who}"))
    found.append(_examples(run, name, shown, task))
    return tuple(p for p in found if p is not None)


def _examples(run: Path, name: str, line: Line, task: Task | None) -> Picture | None:
    if task is None:
        return None
    for cell in line.cells:
        try:
            examples = read_examples(run, cell)
        except SceneUnreadable as cause:
            _LOG.warning("%s", cause)
            continue
        if examples is not None and (examples.has_texture or is_dense(task.answer)):
            return draw_examples(examples, task.answer, f"{name}: examples, {line.asking.who}")
    return None


def _write(path: Path, content: bytes) -> Path:
    """Completely or not at all."""
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as cause:
        aside.unlink(missing_ok=True)
        raise OutputRefused(
            f"the report cannot be written to {path}: {cause.strerror}; choose another folder"
        ) from cause
    return path
