"""`armillary train`: a recipe from data to weights, on one process or many, resumable."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from armillary.cli.flags import Json, Switch
from armillary.errors import BadInput
from armillary.recipes.softcon import labelled_places
from armillary.recipes.table import RECIPES
from armillary.train import run as runs
from armillary.train.config import read

LINE_EVERY_S = 10.0
"""Where no terminal shows a bar, a line is printed this often, and after every evaluation."""


KNOWN = ". ".join(f"{name}: {recipe.line}" for name, recipe in RECIPES.items()) + "."
"""What `--help` says of the recipes."""

DATA = (
    "a folder of tiles, of Copernicus-Pretrain shards or of its GeoTIFFs, for "
    f"{', '.join(name for name, recipe in RECIPES.items() if recipe.places is labelled_places)} of SSL4EO-S12 as well; "
    "without one, the packaged sample. cop-gen-thumb and cop-gen-nano need what studies/pairs.py makes, cop-gen-world "
    "none."
)
"""What `--help` says of data."""


def train(
    recipe: Annotated[str, Parameter(help=KNOWN)],
    *overrides: str,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    config: Path | None = None,
    data: Annotated[Path | None, Parameter(help=DATA)] = None,
    on: str | None = None,
    resume: Switch = False,
    as_json: Json = False,
) -> None:
    """Train a model by a recipe, and leave a folder with weights, checkpoints, journal and pictures.

    Stop it with Ctrl-C or SIGTERM: it writes a checkpoint first. Under torchrun it is one of several processes.

    Example: armillary train copernicus-fm -o run --data tiles optim.lr=1e-4 steps=2000
    Example: armillary train softcon --on copernicus-fm-nano -o run

    Args:
        recipe: one of `armillary.recipes.table`.
        overrides: key=value, such as optim.lr=1e-4, over what the configuration says.
        output: the folder of the run.
        config: a YAML file, such as the config.yaml of another run.
        data: a folder to learn from; without one, the packaged sample.
        on: the encoder that softcon and its controls go on with, such as copernicus-fm-nano; the same as on=NAME.
        resume: go on with an interrupted run.
        as_json: print one JSON object instead of lines.
    """
    if recipe not in RECIPES:
        raise BadInput(f"no recipe is called {recipe!r}; known are {', '.join(RECIPES)}")
    chosen = RECIPES[recipe]
    named = overrides if on is None else (*overrides, f"on={on}")
    asked = read(type(chosen.start), config, named, start=chosen.start)
    job = chosen.job(asked, chosen.places(data, asked))
    stop = _Stop.on_signals()
    begun = time.monotonic()
    shown = _Shown()
    steps = runs.run(job, output, resume=resume, stop=lambda: stop.asked)
    if int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))):
        for _ in steps:
            pass
        return
    _watch(shown.through(steps), quiet=as_json)
    if stop.asked and shown.done < job.config.steps:
        raise KeyboardInterrupt
    seconds = time.monotonic() - begun
    files = [output / name for name in (runs.WEIGHTS, runs.CONFIG, runs.PICTURES)]
    if as_json:
        facts = {
            "run": str(output),
            "steps": job.config.steps,
            "seconds": round(seconds, 1),
            "held_out": shown.held_out,
        }
        print(json.dumps(facts | {"before": shown.before, "files": [str(f) for f in files]}))
        return
    print(
        f"{output}: {job.config.steps} steps done"
        + (f", {seconds:.0f} s" if shown.done else "; nothing was left to do")
    )
    if "loss" in shown.held_out and "loss" in shown.before:
        print(f"  held-out loss {shown.before['loss']:.4f} -> {shown.held_out['loss']:.4f}")
    for file in files:
        print(f"  {file.name}")


@dataclass
class _Stop:
    """Whether a signal has asked for the end; the second one ends at once."""

    asked: bool = False

    @classmethod
    def on_signals(cls) -> "_Stop":
        stop = cls()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop._heard)
        return stop

    def _heard(self, _: int, __: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@dataclass
class _Shown:
    """What is known of a run by now."""

    done: int = 0
    before: dict[str, float] = field(default_factory=dict)
    held_out: dict[str, float] = field(default_factory=dict)
    pace: float = 0.0

    def through(self, steps: Iterator[runs.Progress]) -> Iterator[tuple[runs.Progress, str]]:
        """Each step with the line that tells of it."""
        for progress in steps:
            if progress.step is None:
                self.before = dict(progress.held_out or {})
                yield progress, "before the first step" + self._held(progress)
                continue
            step = progress.step
            self.done = step.index + 1
            self.pace = step.samples_per_s if not self.pace else 0.9 * self.pace + 0.1 * step.samples_per_s
            line = (
                f"step {self.done}/{progress.steps}  loss {step.loss:.4f}  lr {step.lr:.2e}  {self.pace:.1f} samples/s"
            )
            yield progress, line + self._left(progress) + self._held(progress)

    def _left(self, progress: runs.Progress) -> str:
        """Time that the rest will take at this pace."""
        step = progress.step
        if step is None or not self.pace > 0:
            return ""
        minutes, seconds = divmod(round((progress.steps - self.done) * step.samples / self.done / self.pace), 60)
        return f"  {minutes}:{seconds:02d} left"

    def _held(self, progress: runs.Progress) -> str:
        if not progress.held_out:
            return ""
        self.held_out = dict(progress.held_out)
        return f"  held-out loss {progress.held_out['loss']:.4f}"


def _watch(steps: Iterator[tuple[runs.Progress, str]], *, quiet: bool) -> None:
    """Run to the end, with a bar on a terminal and plain lines otherwise."""
    if quiet:
        for _ in steps:
            pass
    elif sys.stderr.isatty():
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("reading", total=None)
            for progress, line in steps:
                done = 0 if progress.step is None else progress.step.index + 1
                bar.update(task, description=line.partition("  ")[2] or line, completed=done, total=progress.steps)
                if progress.held_out:
                    bar.console.print(line)
    else:
        _lines(steps)


def _lines(steps: Iterator[tuple[runs.Progress, str]]) -> None:
    last, begun = -LINE_EVERY_S, time.monotonic()
    for progress, line in steps:
        now = time.monotonic() - begun
        if now - last < LINE_EVERY_S and not progress.held_out:
            continue
        print(line, file=sys.stderr, flush=True)
        last = now
