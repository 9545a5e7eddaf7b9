"""The suite `generation` of `armillary bench run`: models that generate, beside what can be told without one."""

import json
import logging
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from armillary.bench.generation.cell import Cell, plain
from armillary.bench.generation.parties import label
from armillary.bench.generation.plan import GenerationPlan, read_plan
from armillary.bench.generation.run import Course, expected, run
from armillary.bench.generation.summary import best_floor, main_of, relative, strands_of
from armillary.bench.generation.teller import open_teller
from armillary.bench.generation.verify import find_cell, verify
from armillary.errors import BadInput, SceneUnreadable


def course_of(plan: GenerationPlan, data: Path, output: Path, *, device: str, precision: str) -> Course:
    """A run on the models of the table."""
    opener = partial(open_teller, steps=plan.steps, device=device, precision=precision)
    return Course(plan, data, output, open_teller=opener)


def ask_generation(course: Course, *, resume: bool, as_json: bool) -> None:
    """Ask everything, print one line per question, and say where the report comes from.

    Raises:
        SceneUnreadable: a question has no answer.
    """
    cells = list(_watched(course, resume=resume, quiet=as_json))
    failed = {
        f"{c.question.kind} {c.question.target} from {label(c.question.given)}": c.error for c in cells if c.error
    }
    if as_json:
        found = {"run": str(course.run), "cells": len(cells), "failed": failed, "table": list(_table(cells))}
        print(json.dumps(plain(found), allow_nan=False))
    else:
        print(*_lines(cells), sep="\n")
        print(f"{len(cells)} cells in {course.run}; the whole report: armillary bench report {course.run}")
    if failed:
        told = "; ".join(f"{what}: {(why or '').rstrip('.')}" for what, why in failed.items())
        raise SceneUnreadable(f"{len(failed)} of {len(cells)} questions have no answer, the others stand; {told}")


def verify_generation(folder: Path, cell: str, data: Path, *, device: str, precision: str, as_json: bool) -> None:
    """Ask one question again.

    Raises:
        BadInput: the answer is another one.
    """
    first = find_cell(folder, cell)
    verdict = verify(course_of(read_plan(folder), data, folder, device=device, precision=precision), first)
    if as_json:
        print(json.dumps({"cell": first.question.id, "agrees": verdict.agrees, "says": str(verdict)}))
    elif verdict.agrees:
        print(verdict)
    if not verdict.agrees:
        raise BadInput(str(verdict))


def _watched(course: Course, *, resume: bool, quiet: bool) -> Iterator[Cell]:
    """Cells, with a bar on a terminal and plain lines otherwise."""
    if quiet:
        logging.getLogger("armillary.bench").setLevel(logging.ERROR)
        yield from run(course, resume=resume)
        return
    total = len(expected(course))
    if not sys.stderr.isatty():
        for count, cell in enumerate(run(course, resume=resume), 1):
            print(f"{count}/{total} {_line(cell)}", file=sys.stderr)
            yield cell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        shown = bar.add_task("reading", total=total)
        for cell in run(course, resume=resume):
            bar.update(shown, description=_line(cell)[:80], advance=1)
            yield cell


def _line(cell: Cell) -> str:
    q = cell.question
    what = f"{q.model} {q.kind} {q.target} from {label(q.given)}"
    if cell.error is not None:
        return f"{what}: failed: {cell.error}"
    ratios = ", ".join(f"{s} {relative(cell, s):.2f}" for s in strands_of(cell))
    return f"{what}: {f'over the best floor {ratios}' if ratios else f'{len(cell.items)} items'}"


def _table(cells: list[Cell]) -> Iterator[dict[str, object]]:
    """What is expected, per strand and given set."""
    for cell in (c for c in cells if c.question.kind == "told" and c.error is None):
        for strand in strands_of(cell):
            floor, value = best_floor(cell, strand)
            yield {
                "model": cell.question.model,
                "strand": strand,
                "given": label(cell.question.given),
                "items": len(cell.items),
                "measure": main_of(cell, strand),
                "best_floor": floor,
                "floor": round(value, 6),
                "over_best_floor": round(relative(cell, strand), 4),
            }


def _lines(cells: list[Cell]) -> Iterator[str]:
    """Models under each other, named where there are several."""
    rows = list(_table(cells))
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    for model in models:
        if len(models) > 1:
            yield f"{model}:"
        yield f"{'strand':<14} {'from':<28} {'over best floor':>15}  best floor"
        for row in (r for r in rows if r["model"] == model):
            what, over = f"{row['strand']:<14} {row['given']:<28}", row["over_best_floor"]
            yield f"{what} {over:>15}  {row['best_floor']} {row['floor']}"
