"""`armillary bench`: encoders on labelled tasks, beside baselines that learn nothing, resumable, verifiable."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from armillary.bench.archives.fetch import fetch as fetch_archives
from armillary.bench.arena import run as arenas
from armillary.bench.arena.ask import DRAWS
from armillary.bench.arena.baselines import PLAIN
from armillary.bench.arena.cell import Cell
from armillary.bench.arena.plan import AUTO, Plan, read_plan
from armillary.bench.arena.run import Arena
from armillary.bench.arena.verify import TOLERANCE, find_cell
from armillary.bench.arena.verify import verify as ask_again
from armillary.bench.encoders.zoo import open_encoder
from armillary.bench.generation.cell import GENERATION
from armillary.bench.generation.plan import GenerationPlan, suite_in
from armillary.bench.report.board import board, failures, legend, lines
from armillary.bench.specimens.write import write_specimens
from armillary.bench.suites import SUITES, suite_of
from armillary.bench.team import open_team
from armillary.cli.bench_generation import ask_generation, course_of, verify_generation
from armillary.cli.flags import Json, Switch, Whole
from armillary.errors import BadInput, SceneUnreadable
from armillary.generate.joint import JOINT
from armillary.models.zoo import ZOO
from armillary.probe.probes import PROBES
from armillary.product.generate import DEFAULT_GENERATOR

Output = Annotated[Path, Parameter(name=["--output", "-o"])]

bench = App(
    name="bench",
    help="Ask encoders the tasks of a benchmark, with baselines, intervals and seeds.\n\n"
    "Example: armillary bench run --suite copernicus --model copernicus-fm-nano --data DIR -o OUT",
    help_format="plaintext",
)


@bench.command
def run(
    *,
    data: Path,
    suite: str = "copernicus",
    model: str | None = None,
    output: Output = Path("bench-run"),
    tasks: str = "",
    probe: str = AUTO,
    protocol: str = "official,blocks",
    labels: str = "100",
    seeds: Whole = 3,
    metadata: Literal["both", "on", "off"] = "both",
    official: Switch = False,
    baselines: bool = True,
    resume: Switch = False,
    batch_size: Whole = 16,
    epochs: Whole | None = None,
    side: Whole | None = None,
    draws: Whole = DRAWS,
    cache: Path | None = None,
    device: str = "cpu",
    precision: str = "float32",
    processes: Whole = 1,
    held_out: str = "",
    samples: Whole = 8,
    steps: Whole = 20,
    as_json: Json = False,
) -> None:
    """Ask every task of a suite, print a table, and leave one small file per answer.

    Example: armillary bench run --suite copernicus --model copernicus-fm-nano --data DIR -o OUT

    Args:
        data: the folder that holds the archives, zipped or extracted.
        suite: copernicus, copernicus-variants, kuro-siwo or real-mini; generation asks models that generate. See
            `armillary bench list`.
        model: encoders, separated by commas; NAME@random is untrained, NAME@FILE has other weights. Of generation
            NAME@FOLDER may be a training run. Without it copernicus-fm-nano, of generation cop-gen-nano.
        output: the folder of the run.
        tasks: only these, separated by commas; the name before the dot asks all folds. Of generation targets or kinds.
        probe: auto (logistic or ridge regression), or any of `armillary bench list`, separated by commas.
        protocol: official (the published split), blocks (whole squares of the Earth are held out), or both.
        labels: shares of the labels in percent, separated by commas.
        seeds: how many, from 0.
        metadata: whether encoders are told place, time and area: on, off, or both.
        official: samples shown, heads trained and scores averaged over batches as published.
        baselines: constant, pixel statistics, place and time, untrained encoder.
        resume: go on with a run that was stopped.
        batch_size: items that are encoded at once; scores do not depend on it.
        epochs: of probes that learn step by step; without it, their own.
        side: samples are resized to so many pixels; without it, as the encoder chooses.
        draws: resamplings behind an interval.
        cache: folder of frozen features; without it, within the output.
        device: cpu or cuda.
        precision: float32, bfloat16 or auto.
        processes: so many share the work; or start this under torchrun.
        held_out: of generation: the group of flood sites that the model did not learn from.
        samples: of generation: drawn for each item.
        steps: of generation: of the sampler.
        as_json: print one JSON object instead of lines.
    """
    usual = DEFAULT_GENERATOR if suite == GENERATION else "copernicus-fm-nano"
    models = _words(usual if model is None else model)
    if suite == GENERATION:
        plan_made = GenerationPlan(models, _words(tasks), held_out, samples=samples, steps=steps, draws=draws)
        course = course_of(plan_made, data, output, device=device, precision=precision)
        ask_generation(course, resume=resume, as_json=as_json)
        return
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        sys.exit(_together(processes))
    plan = Plan(
        suite,
        models,
        _words(tasks),
        probes=_words(probe),
        protocols=_words(protocol),
        fractions=tuple(_number(x) / 100 for x in _words(labels)),
        seeds=tuple(range(seeds)),
        told={"both": (True, False), "on": (True,), "off": (False,)}[metadata],
        official=official,
        baselines=baselines,
        batch_size=batch_size,
        epochs=epochs,
        side_px=side,
        draws=draws,
    )
    with open_team() as team:
        arena = Arena(
            plan,
            suite_of(suite),
            data,
            output,
            cache=cache,
            open_encoder=lambda name: open_encoder(name, device=device, precision=precision),
            team=team,
            device=device,
        )
        cells = list(_watched(arena, resume=resume, quiet=as_json or not team.leads))
        leads = team.leads
    if not cells:
        raise BadInput("nothing was asked: no encoder, or no probe that gives such answers; see `armillary bench list`")
    if leads:
        _tell(arena, cells, as_json=as_json)


@bench.command
def report(run_folder: Path, *, as_json: Json = False) -> None:
    """Write report.md, results.csv, results.parquet and report.html from the cells of a run.

    Example: armillary bench report OUT

    Args:
        run_folder: the folder of a run.
        as_json: print one JSON object instead of lines.
    """
    # plots take a while to import
    from armillary.bench.generation.report import report as write_generation
    from armillary.bench.report.write import report as write_report

    if suite_in(run_folder) == GENERATION:
        files = write_generation(run_folder)
    else:
        files = write_report(run_folder, {name: task for made in SUITES.values() for name, task in made().items()})
    if as_json:
        print(json.dumps({"files": [str(f) for f in files]}))
        return
    for file in files:
        print(file)


@bench.command
def verify(
    run_folder: Path,
    cell: str,
    *,
    data: Path,
    tolerance: float = TOLERANCE,
    device: str = "cpu",
    precision: str = "float32",
    as_json: Json = False,
) -> None:
    """Ask one question again, from the files on, and say whether the answer is the same; exit code 2 when it is not.

    Example: armillary bench verify OUT 3f2a --data DIR

    Args:
        run_folder: the folder of a run.
        cell: how the id of the cell begins; ids are the names of the files in cells/.
        data: the folder that holds the archives.
        tolerance: largest difference of a measure, relative to its size; generation has its own.
        device: cpu or cuda.
        precision: float32, bfloat16 or auto.
        as_json: print one JSON object instead of a line.
    """
    if suite_in(run_folder) == GENERATION:
        verify_generation(run_folder, cell, data, device=device, precision=precision, as_json=as_json)
        return
    first = find_cell(run_folder, cell)
    opener = lambda name: open_encoder(name, device=device, precision=precision)  # noqa: E731
    plan, suite = read_plan(run_folder), suite_of(first.question.suite)
    arena = Arena(plan, suite, data, run_folder, open_encoder=opener, device=device)
    verdict = ask_again(arena, first, tolerance)
    if as_json:
        told = {"cell": first.question.id, "agrees": verdict.agrees, "says": str(verdict)}
        print(json.dumps(told | {"differences": verdict.differences, "other": verdict.other}))
    elif verdict.agrees:
        print(verdict)
    if not verdict.agrees:
        raise BadInput(str(verdict))


@bench.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """Print the suites with their tasks, the encoders and the probes.

    Example: armillary bench list

    Args:
        as_json: print one JSON object instead of lines.
    """
    if as_json:
        found = {name: list(made()) for name, made in SUITES.items()}
        found[GENERATION] = list(JOINT)
        print(json.dumps({"suites": found, "encoders": [*ZOO, *PLAIN], "probes": list(PROBES)}))
        return
    for name, made in SUITES.items():
        print(f"{name}:")
        for task in made().values():
            sizes = "/".join(str(n) for n in task.sizes.values()) or "-"
            print(f"  {task.name:<24} {type(task.answer).__name__:<9} {task.sensor.name:<9} {sizes}")
    print(f"{GENERATION}: any strand from any others; models {', '.join(JOINT)}")
    print(f"encoders: {', '.join(ZOO)}; torchgeo:MODEL@WEIGHTS")
    print(f"probes: {', '.join(PROBES)}")


@bench.command
def fetch(folder: Path, *, suite: str = "copernicus", tasks: str = "", as_json: Json = False) -> None:
    """Download the archives of a suite from the hub and check them; what is there already stays.

    Example: armillary bench fetch DIR --tasks eurosat-s2

    Args:
        folder: where they go; `run --data` takes it.
        suite: as in `armillary bench list`.
        tasks: only the archives of these, separated by commas.
        as_json: print one JSON object instead of lines.
    """
    arena = Arena(Plan(suite, (), _words(tasks)), suite_of(suite), folder, folder)
    done = []
    for file in fetch_archives((task.archive for task in arenas.chosen(arena)), folder):
        done.append({"name": file.name, "path": str(file.path), "state": file.state})
        if not as_json:
            print(f"{file.path} {file.state}")
    if as_json:
        print(json.dumps({"files": done}))


@bench.command
def specimens(folder: Path, *, zipped: Switch = False, nested: Switch = False, as_json: Json = False) -> None:
    """Write tiny synthetic files in the layout of every archive of Copernicus-Bench, to try a run without a download.

    Example: armillary bench specimens DIR

    Args:
        folder: where to write.
        zipped: leave archives zipped, as they are downloaded.
        nested: in the folders of the published repository.
        as_json: print one JSON object instead of lines.
    """
    written = write_specimens(folder, form="zipped" if zipped else "extracted", nested=nested)
    if as_json:
        print(json.dumps({"synthetic": True, "files": [str(p) for p in written]}))
        return
    for path in written:
        print(f"{path} (synthetic)")


def _together(processes: int) -> int:
    """This command again, as so many processes."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run([*launch, "-m", "armillary", *sys.argv[1:]], check=False).returncode  # noqa: S603


def _watched(arena: Arena, *, resume: bool, quiet: bool) -> Iterator[Cell]:
    """Cells, with a bar on a terminal and plain lines otherwise."""
    cells = arenas.run(arena, resume=resume)
    total = arenas.expected(arena)
    if quiet:
        logging.getLogger("armillary.bench").setLevel(logging.ERROR)
        yield from cells
    elif sys.stderr.isatty():
        yield from _with_bar(cells, total)
    else:
        for number, cell in enumerate(cells, 1):
            print(f"{number}/{total} {_line(cell)}", file=sys.stderr)
            yield cell


def _with_bar(cells: Iterable[Cell], total: int) -> Iterator[Cell]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        shown = bar.add_task("reading", total=total)
        for cell in cells:
            bar.update(shown, description=_line(cell)[:80], advance=1)
            yield cell


def _line(cell: Cell) -> str:
    q = cell.question
    told = f"{cell.main} {cell.score:.4g}" if cell.error is None else f"failed: {cell.error}"
    knows = "+" + "+".join(q.knows) if q.knows else ""
    return f"{q.task} {q.encoder}{knows} {q.probe} {q.protocol} {q.fraction:.0%} seed {q.seed}: {told}"


def _tell(arena: Arena, cells: list[Cell], *, as_json: bool) -> None:
    """The table, and what failed.

    Raises:
        SceneUnreadable: a task has no score.
    """
    tasks = arenas.chosen(arena)
    rows, failed = board(cells, tasks), failures(cells)
    if as_json:
        print(json.dumps({"run": str(arena.run), "cells": len(cells), "failed": failed, "table": rows}))
    else:
        print(*lines(rows), legend(cells), sep="\n")
        print(f"{len(cells)} cells in {arena.run}; the whole report: armillary bench report {arena.run}")
    if failed:
        told = "; ".join(f"{task}: {why.rstrip('.')}" for task, why in failed.items())
        raise SceneUnreadable(
            f"{len(failed)} of {len(tasks)} tasks have cells without a score, the others stand; {told}"
        )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as cause:
        raise BadInput(f"labels={text!r} is no share in percent; give numbers such as 1,5,10,100") from cause
