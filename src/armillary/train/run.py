"""A run: a training with its folder, which holds all that decided it and all that came of it.

    config.yaml         give it to --config to train again
    about.json          versions, git commit, checksums of data and labels
    journal.jsonl ...   see `journal`
    checkpoints/        see `checkpoint`
    pictures/           losses; health of embeddings; panels before and after
    weights.safetensors the trained model, when the last step is done

A run that was stopped or killed goes on from its last checkpoint and ends as if nothing had happened.
"""

import json
import platform
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

import torch
import yaml
from torch import nn

from armillary import __version__
from armillary.errors import ArmillaryError, BadInput, Diverged, OutputRefused
from armillary.models.weights import save as save_weights
from armillary.sample.stream import Draw, Stream
from armillary.train import checkpoint
from armillary.train.checkpoint import Checkpoint
from armillary.train.config import TrainConfig, differences, from_plain, to_plain, to_yaml
from armillary.train.devices import Devices, open_devices
from armillary.train.health import Embedded, gathered, health_of
from armillary.train.journal import BOARD, JOURNAL, SPEED, Journal, read_journal
from armillary.train.loop import Step, Training, train
from armillary.train.objective import Objective, Panel, module_of
from armillary.train.pictures import draw_health, draw_losses, draw_panels

CONFIG, ABOUT, CHECKPOINTS, PICTURES, WEIGHTS = (
    "config.yaml",
    "about.json",
    "checkpoints",
    "pictures",
    "weights.safetensors",
)
_PACKAGES = ("torch", "numpy", "lightning-fabric", "safetensors", "rasterio")


@dataclass(frozen=True, eq=False)
class Job:
    """What a recipe makes of a configuration.

    Args:
        name: of the recipe.
        build: makes the objective, the same at every call.
        model: the part of the objective whose weights are what the run is for.
        stream: of whole batches.
        held_out: draws that nothing is learned from; None evaluates nothing.
        config: of the recipe.
        facts: text kept in the header of the weights.
        panels: pictures of what the objective makes of a draw; None makes none.
        embed: vectors of what a draw holds, whose health every evaluation tells; None tells none.
        labels: one word for the labels that are learned from; "" where none are.
    """

    name: str
    build: Callable[[], Objective]
    model: Callable[[Objective], nn.Module]
    stream: Stream
    held_out: Stream | None
    config: TrainConfig
    facts: Mapping[str, str]
    panels: Callable[[Objective, Draw], tuple[Panel, ...]] | None = None
    embed: Callable[[Objective, Draw], Embedded] | None = None
    labels: str = ""


@dataclass(frozen=True)
class Progress:
    """A step of a run; `held_out` where an evaluation followed it, `saved` where a checkpoint did."""

    step: Step | None
    steps: int
    held_out: Mapping[str, float] | None = None
    saved: bool = False


def run(
    job: Job, folder: Path, *, resume: bool = False, stop: Callable[[], bool] = lambda: False
) -> Iterator[Progress]:
    """Train to the end, and leave a whole folder behind; nothing, where the data are refused before the first step.

    Args:
        job: what is trained.
        folder: of the run.
        resume: go on from the last checkpoint in the folder, where there is one.
        stop: asked after each step; once it says yes, a checkpoint is written and the run ends there.

    Raises:
        BadInput: the folder holds a run and resume is not asked, or one of another configuration or other data.
        SceneNotFound, SceneUnreadable: what the data hold cannot be read.
        OutputRefused: the folder cannot be written.
        Diverged: the loss is no number any more.
    """
    devices = open_devices(job.config)
    before = {path.name for path in folder.iterdir()} if folder.is_dir() else None
    stepped = False
    try:
        for progress in _run(job, folder, devices, resume, stop):
            stepped = stepped or progress.step is not None
            yield progress
    except ArmillaryError as cause:
        told = isinstance(cause, Diverged | OutputRefused)  # of the training, or of the folder itself
        if devices.rank == 0 and not (stepped or told) and CONFIG not in (before or ()):
            _withdraw(folder, before)
        raise


def _run(job: Job, folder: Path, devices: Devices, resume: bool, stop: Callable[[], bool]) -> Iterator[Progress]:
    first = devices.rank == 0
    if first:
        _prepare(folder, job, resume=resume)
    devices.wait()
    training = Training(job.build(), job.config, devices)
    kept = checkpoint.load_last(folder / CHECKPOINTS) if resume else None
    if kept is not None:
        training.restore(kept.tensors, step=kept.step)
    journal = Journal(folder, step=training.step) if first else None
    try:
        yield from _steps(job, training, folder, journal, stop)
    finally:
        if journal is not None:
            journal.close()
    if training.step >= job.config.steps:
        _finish(job, training, folder)


def _steps(
    job: Job, training: Training, folder: Path, journal: Journal | None, stop: Callable[[], bool]
) -> Iterator[Progress]:
    config, held = job.config, _held_out(job, training.devices)
    if training.step == 0:
        before = _evaluate(job, training, held, journal, -1)
        _show(job, training, held, folder / PICTURES / "panels-before.png", "before the first step")
        yield Progress(None, config.steps, before)
    for step in train(training.objective, job.stream, config, training=training):
        done = step.index + 1
        if journal is not None:
            journal.write(step)
        facts = None
        if done % config.held_out_every == 0 or done == config.steps:
            facts = _evaluate(job, training, held, journal, step.index)
        stopped = _agreed(stop(), training.devices)
        saved = stopped or done % config.checkpoint_every == 0 or done == config.steps
        if saved:
            save(training, folder)
        yield Progress(step, config.steps, facts, saved)
        if stopped:
            return


def save(training: Training, folder: Path) -> None:
    """A checkpoint of a training into the folder of its run; every process must ask."""
    found = Checkpoint(training.step, training.tensors(), to_plain(training.config))
    if training.devices.rank == 0:
        checkpoint.save(folder / CHECKPOINTS, found, keep=training.config.keep)
    training.devices.wait()


def _prepare(folder: Path, job: Job, *, resume: bool) -> None:
    """The folder, with what decides the run; one that holds another run is refused."""
    about, asked = _about(job), to_plain(job.config)
    try:
        if (folder / CONFIG).exists():
            if not resume:
                raise BadInput(f"{folder} holds a run; --resume goes on with it, or choose another -o")
            kept = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")) or {}
            # a key that this version has new counts with its default
            other = differences(to_plain(from_plain(type(job.config), kept, source=str(folder / CONFIG))), asked)
            was = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["data"]
            other = other or ("" if was == about["data"] else f"the data were {was}, now {about['data']}")
            if other:
                raise BadInput(
                    f"{folder} holds another run: {other}; resume with what it began with, or choose another -o"
                )
            return
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / ABOUT, json.dumps(about, indent=1) + "\n")
        _write(folder / CONFIG, f"# armillary train {job.name}\n{to_yaml(job.config)}")
    except (OSError, ValueError, KeyError) as cause:
        if isinstance(cause, BadInput):
            raise
        raise checkpoint.refusal(folder, cause) from cause


def _withdraw(folder: Path, before: Collection[str] | None) -> None:
    """Take away what a run wrote that made no step; what was there `before` stays, None: not even the folder was."""
    for name in {ABOUT, CONFIG, JOURNAL, SPEED, BOARD, PICTURES}.difference(before or ()):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if before is None and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _about(job: Job) -> dict[str, object]:
    """Everything beside the configuration that decides a run."""
    found = {"armillary": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    data = {"train": job.stream.source.checksum(), "places": len(job.stream.source)}
    if job.held_out is not None:
        data |= {"held_out": job.held_out.source.checksum()}
    if job.labels:
        data |= {"labels": job.labels}
    return {"recipe": job.name, "git": _commit(), "versions": found, "data": data}


def _commit() -> str | None:
    """The git commit of this program's sources, "+" when they have changed since; None when they are installed."""
    here = Path(__file__)
    if _git("ls-files", "--error-unmatch", here.name) is None:
        return None
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "..")
    return f"{_git('rev-parse', 'HEAD')}{'+' if changed else ''}"


def _git(*words: str) -> str | None:
    """What git says in the folder of this file, None where it has nothing to say."""
    command = ("git", "-C", str(Path(__file__).parent), *words)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None


def _held_out(job: Job, devices: Devices) -> Callable[[], list[Draw]]:
    """Reads the same held-out draws at every call; nothing is kept in memory between evaluations."""
    stream, n = job.held_out, job.config.held_out_batches
    if stream is None or n == 0:
        return list
    mine = stream.shared_by(devices.rank, devices.ranks)
    return lambda: list(islice(mine, n))


def _evaluate(
    job: Job, training: Training, held: Callable[[], list[Draw]], journal: Journal | None, index: int
) -> Mapping[str, float] | None:
    draws = held()
    if not draws:
        return None
    facts = {**training.held_out(draws), **_health(job, training, draws)}
    if journal is not None:
        journal.write_held_out(index, facts)
    return facts


@torch.no_grad()
def _health(job: Job, training: Training, draws: Sequence[Draw]) -> dict[str, float]:
    """Health of the embeddings of held-out draws, over all processes; where each process has the whole model."""
    if job.embed is None or training.devices.shards:
        return {}
    training.module.eval()
    with training.averaged(), training.devices.autocast():
        mine = gathered([job.embed(training.objective, draw) for draw in draws])
    everybody = training.devices.gather((mine.z, mine.places, mine.sensors))
    return health_of(gathered([Embedded(*found) for found in everybody if isinstance(found, tuple)]))


@torch.no_grad()
def _show(job: Job, training: Training, held: Callable[[], list[Draw]], path: Path, title: str) -> None:
    """Panels of the first held-out draw, where the job has some to show and one process has the whole model."""
    if training.devices.rank or training.devices.shards or job.panels is None:
        return
    draws = held()
    if draws:
        training.module.eval()
        with training.averaged():
            panels = job.panels(training.objective, draws[0])
        if panels:
            draw_panels(path, panels, title)


def _finish(job: Job, training: Training, folder: Path) -> None:
    """Weights and pictures of a run whose last step is done."""
    tensors = training.tensors()
    if training.devices.rank == 0:
        path = folder / WEIGHTS
        values = {**tensors["model"], **tensors["ema"]}
        objective = job.build()
        module_of(objective).load_state_dict(values, strict=False)
        try:
            save_weights(job.model(objective), path, {"steps": str(training.step), **job.facts})
            path.chmod(0o644)  # safetensors keeps its files to their owner
            held_out = read_journal(folder, "held_out")
            draw_losses(folder / PICTURES / "losses.png", read_journal(folder, "train"), held_out)
            draw_health(folder / PICTURES / "health.png", held_out)
            _show(
                job,
                training,
                _held_out(job, training.devices),
                folder / PICTURES / "panels-after.png",
                "after the last step",
            )
        except OSError as cause:
            raise checkpoint.refusal(folder, cause) from cause
    training.devices.wait()


def _agreed(here: bool, devices: Devices) -> bool:
    """Whether any process says yes."""
    if devices.ranks == 1:
        return here
    return bool(devices.sum(torch.tensor(float(here), device=devices.device)) > 0)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    checkpoint.flush(aside)
    aside.replace(path)
