"""Arena: every question of a plan, asked in turn. A finished question is a cell on disk, and is never asked twice.

`run` is a generator of cells. What goes wrong in one task is told in its cells and does not stop the others.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from armillary.alone import alone
from armillary.bench.arena.ask import Setting, answered
from armillary.bench.arena.baselines import PLAIN, PLAIN_PROBES, plain_of
from armillary.bench.arena.cell import FOLDER, Cell, Question, read_cell
from armillary.bench.arena.parts import parts_of
from armillary.bench.arena.plan import Plan, fitting, placed, probe_of, settle
from armillary.bench.encoders.encoder import FACTS, Encoder, Look
from armillary.bench.encoders.zoo import RANDOM, open_encoder
from armillary.bench.features.frozen import Shot, freeze
from armillary.bench.features.known import Known, read_known
from armillary.bench.files import Files, open_files
from armillary.bench.task import Items, Suite, Task
from armillary.bench.team import ALONE, Team
from armillary.errors import ArmillaryError, BadInput
from armillary.probe.answer import MAIN, is_dense
from armillary.probe.asked import Probe, Seen, Tuner

CACHE = "cache"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Contender:
    """What stands in one row of a table: an encoder, what it is told, and the probe that is asked on it."""

    encoder: str
    knows: tuple[str, ...]
    probe: str


Opener = Callable[[str], Encoder]


@dataclass(frozen=True, eq=False)
class Arena:
    """A plan with the places of its data and of its cells.

    Args:
        plan: what is asked.
        suite: the tasks.
        root: folder with the archives.
        run: folder of the run; cells/, examples/ and cache/ are made in it.
        cache: folder of frozen features; None: within the run's.
        open_encoder: name -> encoder; a table of one's own adds encoders that have no name here.
        open_files: where a task's files are.
        team: processes that share the work.
        device: where heads are trained.
    """

    plan: Plan
    suite: Suite
    root: Path
    run: Path
    cache: Path | None = None
    open_encoder: Opener = open_encoder
    open_files: Callable[[Path, Task], Files] = field(default=lambda root, task: open_files(root, task.archive))
    team: Team = ALONE
    device: str = "cpu"
    _encoders: dict[str, Encoder] = field(default_factory=dict, repr=False)
    _unasked: set[str] = field(default_factory=set, repr=False)

    def encoder(self, name: str) -> Encoder:
        """Opened once."""
        if name not in self._encoders:
            self._encoders[name] = PLAIN[name] if name in PLAIN else self.open_encoder(name)
        return self._encoders[name]

    @property
    def kept(self) -> Path:
        """Where frozen features lie."""
        return self.cache or self.run / CACHE


@dataclass(frozen=True, eq=False)
class Opened:
    """A task with its items and what is known of them."""

    task: Task
    items: Items
    known: Known


def run(arena: Arena, *, resume: bool = False) -> Iterator[Cell]:
    """Cells as they are finished, those of an earlier run first where they are met.

    Args:
        arena: the plan and its places.
        resume: go on with a run whose folder holds cells; those with an error are asked again.

    Raises:
        BadInput: the folder holds cells and the run is not to be resumed, or a task has no such name.
        OutputRefused: the folder cannot be written to, or another run is writing into it.
    """
    tasks = chosen(arena)
    with ExitStack() as stack:
        arena.team.once(lambda: stack.enter_context(alone(arena.run)))
        have = _finished(arena)
        if have and not resume:
            raise BadInput(f"{arena.run} holds {len(have)} cells; go on with --resume, or choose another folder")
        arena.team.once(lambda: settle(arena.plan, arena.run))
        for task in tasks:
            yield from _run_task(arena, task, have)


def expected(arena: Arena) -> int:
    """How many cells a run has at most."""
    plan = arena.plan
    rows = sum(len(_protocols(plan, task)) * len(list(contenders(arena, task))) for task in chosen(arena))
    return rows * len(plan.fractions) * len(plan.seeds)


def chosen(arena: Arena) -> tuple[Task, ...]:
    """The tasks of a plan, in the order of the suite; the name of a question stands for all its folds.

    Raises:
        BadInput: a task has no such name.
    """
    questions = {name: name.partition(".")[0] for name in arena.suite}
    odd = [name for name in arena.plan.tasks if name not in questions and name not in questions.values()]
    if odd:
        known = ", ".join(dict.fromkeys(questions.values()))
        raise BadInput(f"{arena.plan.suite} has no task {', '.join(odd)}; it has {known}")
    wanted = arena.plan.tasks or tuple(arena.suite)
    return tuple(task for name, task in arena.suite.items() if name in wanted or questions[name] in wanted)


def contenders(arena: Arena, task: Task) -> Iterator[Contender]:
    """The rows of a task: every encoder with and without what it can be told, then the baselines."""
    plan = arena.plan
    probes = tuple(dict.fromkeys(p for name in plan.probes for p in fitting(name, task.answer, official=plan.official)))
    for name in plan.encoders:
        told = tuple(f for f in FACTS if f in task.knows and f in arena.encoder(name).told)
        for probe in probes:
            for knows in dict.fromkeys(told if yes else () for yes in plan.told):
                yield Contender(name, knows, probe)
    if not plan.baselines:
        return
    for twin in dict.fromkeys(f"{n.partition('@')[0]}@{RANDOM}" for n in plan.encoders if ":" not in n):
        if twin not in plan.encoders:
            yield from (Contender(twin, (), probe) for probe in probes[:1])
    for plain in plain_of(task.knows):
        yield Contender(plain.name, tuple(f for f in plain.told if f in task.knows), PLAIN_PROBES[plain.name])


def _protocols(plan: Plan, task: Task) -> list[str]:
    """Blocks need places."""
    return [p for p in plan.protocols if p == "official" or "place" in task.knows]


def _finished(arena: Arena) -> Mapping[str, Cell]:
    """Cells that the folder holds, as the leading process sees them; what is no whole cell is asked again."""
    have: dict[str, Cell] = {}
    for path in sorted((arena.run / FOLDER).glob("*.json")):
        try:
            have[path.stem] = read_cell(path)
        except BadInput as error:
            _log.warning("%s", error)
    return arena.team.gather(have)[0]


def _run_task(arena: Arena, task: Task, have: Mapping[str, Cell]) -> Iterator[Cell]:
    protocols = _protocols(arena.plan, task)
    opened: Opened | ArmillaryError | None = None
    for contender in contenders(arena, task):
        questions = list(_questions(arena, task, contender, protocols))
        left = [q for q in questions if q.id not in have or have[q.id].error is not None]
        yield from (have[q.id] for q in questions if q not in left)
        if not left:
            continue
        if opened is None:
            opened = _opened(arena, task)
        yield from _run_contender(arena, task, opened, left)


def _questions(arena: Arena, task: Task, contender: Contender, protocols: list[str]) -> Iterator[Question]:
    plan = arena.plan
    for protocol in protocols:
        for fraction in plan.fractions:
            for seed in plan.seeds:
                yield Question(
                    plan.suite, task.name, contender.encoder, contender.knows, contender.probe, protocol, fraction,
                    seed, plan.official,
                )  # fmt: skip


def _opened(arena: Arena, task: Task) -> Opened | ArmillaryError:
    """The items of a task and what is known of them, or why they cannot be had."""

    def read() -> tuple[Files, Items]:
        files = arena.open_files(arena.root, task)
        return files, task.read(files)

    try:
        files, items = arena.team.together(read)
        return Opened(task, items, read_known(task, files, items, arena.kept, arena.team))
    except Exception as error:
        return _sentence(error)


def _run_contender(
    arena: Arena, task: Task, opened: Opened | ArmillaryError, questions: list[Question]
) -> Iterator[Cell]:
    """All questions on one encoder's features."""
    if isinstance(opened, ArmillaryError):
        yield from (_failed(arena, task, q, opened) for q in questions)
        return
    first = questions[0]
    probe = placed(probe_of(arena.plan, first.probe, task), arena.device)
    try:
        encoder = arena.team.together(lambda: arena.encoder(first.encoder))
        maps = is_dense(task.answer) or (not isinstance(probe, Tuner) and probe.needs_maps)
        view = task.official if first.official else None
        look = Look(first.knows, maps and not isinstance(probe, Tuner), view, arena.plan.side_px)
        shot = Shot(task, opened.items, opened.known, encoder, look)
        seen = _seen(arena, shot, probe)
    except Exception as error:
        yield from (_failed(arena, task, q, _sentence(error)) for q in questions)
        return
    for question in questions:
        cell = _asked(arena, shot, seen, probe, question)
        if cell is not None:
            yield cell


def _seen(arena: Arena, shot: Shot, probe: Probe | Tuner) -> Seen | None:
    """Frozen features; a probe that trains the model needs none, and one that looks at nothing gets nothing."""
    if isinstance(probe, Tuner):
        return None
    if shot.encoder.name == "none":
        nothing = np.zeros((len(shot.known), 1), dtype=np.float32)
        return Seen(nothing, (nothing[:, :, None, None],) if shot.look.maps else ())
    return freeze(shot, arena.kept, batch_size=arena.plan.batch_size, team=arena.team)


def _asked(arena: Arena, shot: Shot, seen: Seen | None, probe: Probe | Tuner, question: Question) -> Cell | None:
    """One finished cell; None where a task has too few places for blocks."""
    plan = arena.plan
    try:
        parts = parts_of(
            shot.known, shot.task.answer, protocol=question.protocol, fraction=question.fraction, seed=question.seed
        )
    except ArmillaryError as error:
        if question.protocol == "blocks":
            if shot.task.name not in arena._unasked:
                _log.warning("%s is not asked by blocks: %s", shot.task.name, error)
            arena._unasked.add(shot.task.name)
            return None
        return _failed(arena, shot.task, question, error)
    setting = Setting(question, shot, parts, probe, seen, plan.batch_size, plan.draws)
    try:
        cell = answered(setting, arena.run, arena.team)
        arena.team.once(lambda: cell.write(arena.run))
    except Exception as error:
        return _failed(arena, shot.task, question, _sentence(error))
    return cell


def _failed(arena: Arena, task: Task, question: Question, error: ArmillaryError) -> Cell:
    """A cell that tells why there is no number."""
    cell = Cell(question, MAIN[type(task.answer)], error=" ".join(str(error).split()))
    if arena.team.leads:
        cell.write(arena.run)
    return cell


def _sentence(error: Exception) -> ArmillaryError:
    """Any error as one of ours; what nobody foresaw is told with its kind."""
    if isinstance(error, ArmillaryError):
        return error
    _log.debug("unforeseen", exc_info=error)
    return ArmillaryError(f"{type(error).__name__}: {error}")
