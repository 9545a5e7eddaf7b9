"""Run: every question of a plan, asked in turn. A finished question is a cell on disk, and is never asked twice.

What goes wrong in one question is told in its cell and does not stop the others.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from armillary.alone import alone
from armillary.bench.arena.facts import environment, revision
from armillary.bench.generation.ask import EXPECTED, Setting, sampled, told
from armillary.bench.generation.cell import FOLDER, Cell, Question, read_cell
from armillary.bench.generation.crowd import Describe, crowd, describe_nano, has_crowd
from armillary.bench.generation.cuts import Cut, Item, Material, open_material
from armillary.bench.generation.dates import REAL, TOLD, UNTOLD, blocks_with_dates, dates
from armillary.bench.generation.drift import drift
from armillary.bench.generation.parties import label, resolve
from armillary.bench.generation.pictures import FOLDER as PICTURES
from armillary.bench.generation.pictures import SYNTHETIC, row, write_pictures
from armillary.bench.generation.plan import GenerationPlan, questions, settle
from armillary.bench.generation.teller import Teller, held_out_by, open_teller
from armillary.earth.when import iso
from armillary.errors import ArmillaryError, BadInput
from armillary.probe.features import fingerprint

_log = logging.getLogger(__name__)

SHOWN_CUTS, SHOWN_SAMPLES = 2, 3
"""Of a cell's pictures."""

Answer = tuple[list[Cut], dict[str, object], dict[str, dict[str, Any]]]
"""Cuts, numbers, rows of pictures."""


@dataclass(frozen=True, eq=False)
class Course:
    """A plan with the places of its data and of its cells.

    Args:
        plan: what is asked.
        data: folder that studies/pairs.py wrote.
        run: folder of the run.
        open_teller: name -> model; one's own table adds models that have no name here.
        open_material: what is asked on, from the plan and the folder.
        describe: makes the features of a crowd.
    """

    plan: GenerationPlan
    data: Path
    run: Path
    open_teller: Callable[[str], Teller] = open_teller
    open_material: Callable[["Course"], Material] = field(
        default=lambda c: open_material(c.plan.base, c.data, c.plan.held_out, c.plan.per_place, c.plan.most)
    )
    describe: Callable[[], Describe] = describe_nano
    _settings: dict[str, Setting] = field(default_factory=dict, repr=False)
    _material: list[Material] = field(default_factory=list, repr=False)

    def setting(self, model: str) -> Setting:
        """Opened once; the models of a run share cuts and floors."""
        if model not in self._settings:
            if not self._material:
                self._material.append(self.open_material(self))
            shared = next((s.kept for s in self._settings.values()), {})
            self._settings[model] = Setting(self.open_teller(model), self._material[0], self.plan, shared)
        return self._settings[model]


def run(course: Course, *, resume: bool = False) -> Iterator[Cell]:
    """Cells as they are finished, those of an earlier run where they are met.

    Args:
        course: the plan and its places.
        resume: go on with a run whose folder holds cells; those with an error are asked again.

    Raises:
        BadInput: the folder holds cells and the run is not to be resumed, or they are of other data or weights; no
            task has such a name, or nothing can be asked.
        OutputRefused: the folder cannot be written to, or another run is writing into it.
    """
    with alone(course.run):
        have = _finished(course.run)
        if have and not resume:
            raise BadInput(f"{course.run} holds {len(have)} cells; go on with --resume, or choose another folder")
        asked = expected(course)
        if not asked:
            what = ", ".join(course.plan.tasks) or "all"
            raise BadInput(f"of tasks {what} no held-out item has what is needed; choose others with --tasks")
        _same_sources(course, have.values())
        settle(course.plan, course.run)
        for question in asked:
            if question.id in have and have[question.id].error is None:
                yield have[question.id]
            else:
                yield _asked(course, question)


def expected(course: Course) -> list[Question]:
    """The questions that some held-out cut can answer."""
    found = []
    for model in dict.fromkeys(course.plan.models):
        _refuse_learned(model, course.plan.held_out)
        setting = course.setting(model)
        found += [q for q in questions(course.plan, model, setting.parties) if _can(setting, q)]
    return found


def _refuse_learned(model: str, group: str) -> None:
    """A run must not be asked about a group that it learned from.

    Raises:
        BadInput: it was.
    """
    held = held_out_by(model)
    if group and held is not None and group not in held:
        told = f"it held out {', '.join(held)}" if held else "it held out none"
        raise BadInput(f"--held-out {group} was given and {model} learned from that group; {told}")


def _can(setting: Setting, q: Question) -> bool:
    match q.kind:
        case "dates":
            return bool(blocks_with_dates(setting, q.target))
        case "crowd":
            return has_crowd(setting, q.target, q.given)
        case _:
            return any(resolve(setting.parties, q.target, q.given, c.item) is not None for c in setting.material.held)


def _same_sources(course: Course, have: Iterable[Cell]) -> None:
    """A folder's cells are asked on one set of data, and a model keeps its weights; what failed is asked again anyway.

    Raises:
        BadInput: data or weights are others now.
    """
    for cell in (c for c in have if c.error is None):
        named = cell.question.model if cell.question.model in course.plan.models else course.plan.models[0]
        setting = course.setting(named)
        now = {"data": setting.material.checksum}
        now |= {"weights": setting.teller.digest} if named == cell.question.model else {}
        other = [k for k in now if cell.facts.get(k, now[k]) != now[k]]
        if other:
            raise BadInput(
                f"{course.run} holds cells of {cell.question.model} with other {' and '.join(other)} than were given; "
                "choose another folder"
            )


def _finished(folder: Path) -> Mapping[str, Cell]:
    """What is no whole cell is asked again."""
    have: dict[str, Cell] = {}
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            have[path.stem] = read_cell(path)
        except BadInput as error:
            _log.warning("%s", error)
    return have


def _asked(course: Course, question: Question) -> Cell:
    begun = time.monotonic()
    setting = course.setting(question.model)
    try:
        cuts, numbers, rows = answer(course, setting, question)
    except Exception as error:
        if not isinstance(error, ArmillaryError):
            _log.debug("unforeseen", exc_info=error)
        why = str(error) if isinstance(error, ArmillaryError) else f"{type(error).__name__}: {error}"
        cell = Cell(question, error=" ".join(why.split()), facts=facts_of(setting, question, time.monotonic() - begun))
        cell.write(course.run)
        return cell
    name = f"{PICTURES}/{question.id}.npz" if rows else None
    if name is not None:
        write_pictures(course.run / name, rows)
    items = tuple((c.key, c.place) for c in cuts)
    cell = Cell(question, items, numbers, name, facts_of(setting, question, time.monotonic() - begun))
    cell.write(course.run)
    return cell


def answer(course: Course, setting: Setting, q: Question) -> Answer:
    """What is known of a question.

    Raises:
        BadInput: no cut can answer it.
    """
    match q.kind:
        case "told":
            cuts, numbers = told(setting, q.target, q.given)
            return cuts, numbers, {}
        case "sampled":
            cuts, numbers, drawn = sampled(setting, q.target, q.given)
            return cuts, numbers, _rows(setting, q, cuts, drawn)
        case "drift":
            cuts, numbers, came = drift(setting, q.target, q.given[0])
            return cuts, numbers, _rounds(setting, q, cuts, came)
        case "dates":
            cuts, numbers, made = dates(setting, q.target)
            return cuts, numbers, _months(setting, q, cuts, made)
        case _:
            cuts, numbers = crowd(setting, q.target, q.given, course.describe())
            return cuts, numbers, {}


def facts_of(setting: Setting, question: Question, seconds: float) -> dict[str, Any]:
    """What decided the numbers, and where and when they were computed."""
    plan = setting.plan
    decided = (
        plan.per_place,
        plan.most,
        plan.sampled,
        plan.samples,
        plan.steps,
        plan.crowd,
        plan.rounds,
        plan.held_out,
    )
    return {
        "config": fingerprint(question, *decided, setting.teller.joint.codes),
        "data": setting.material.checksum,
        "weights": setting.teller.digest,
        "seed": question.seed,
        "device": setting.teller.device,
        "environment": environment(),
        "seconds": round(seconds, 3),
        "when": iso(datetime.now(UTC).replace(microsecond=0)),
        "version": environment()["armillary"],
        "git": revision(),
    }


def _rows(setting: Setting, q: Question, cuts: list[Cut], drawn: list[list[Item]]) -> dict[str, dict[str, Any]]:
    """Per cut and strand: what is given, what is expected, samples, truth."""
    rows: dict[str, dict[str, Any]] = {}
    for cut, samples in list(zip(cuts, drawn, strict=True))[:SHOWN_CUTS]:
        given = resolve(setting.parties, q.target, q.given, cut.item) or ()
        want = setting.strands(q.target)
        mean = setting.teller.expected([cut.item], want, given)[0]
        shown = _shown_given(setting, cut, given)
        for s in (s for s in want if s in cut.item and setting.codes[s].shape[1] > 1):
            made = {f"{SYNTHETIC}{EXPECTED}": mean[s]}
            made |= {f"{SYNTHETIC}sample {k + 1}": d[s] for k, d in enumerate(samples[:SHOWN_SAMPLES])}
            rows[f"{cut.key}: {s} from {label(q.given)}"] = {
                **shown, **row(setting.codes[s], made | {"true": cut.item[s]}, cut.item[s])
            }  # fmt: skip
    return rows


def _shown_given(setting: Setting, cut: Cut, given: tuple[str, ...]) -> dict[str, Any]:
    """The finest of the given pictures."""
    pictures = [g for g in given if setting.codes[g].shape[1] > 1]
    if not pictures:
        return {}
    finest = max(pictures, key=lambda g: setting.codes[g].shape[1])
    return row(setting.codes[finest], {f"given: {finest}": cut.item[finest]}, cut.item[finest])


def _finest(setting: Setting, target: str, cut: Cut) -> str:
    return max((s for s in setting.strands(target) if s in cut.item), key=lambda s: setting.codes[s].shape[1])


def _rounds(setting: Setting, q: Question, cuts: list[Cut], came: list[list[Item]]) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for i, cut in enumerate(cuts[:SHOWN_CUTS]):
        s = _finest(setting, q.target, cut)
        shown = {"true": cut.item[s]} | {f"{SYNTHETIC}round {r + 1}": made[i][s] for r, made in enumerate(came)}
        rows[f"{cut.key}: {s} through {q.given[0]}"] = row(setting.codes[s], shown, cut.item[s])
    return rows


def _months(setting: Setting, q: Question, cuts: list[Cut], made: list[list[Item]]) -> dict[str, dict[str, Any]]:
    s = _finest(setting, q.target, cuts[0])
    code, like, rows = setting.codes[s], cuts[0].item[s], {}
    days = [iso(datetime.fromtimestamp(86400 * c.day, UTC))[:10] for c in cuts]
    told, untold = (f"{SYNTHETIC}{who}" for who in (TOLD, UNTOLD))
    for who, items in ((REAL, [c.item for c in cuts]), (told, made[0]), (untold, made[1])):
        rows[f"{cuts[0].block}: {s}, {who}"] = row(code, {d: i[s] for d, i in zip(days, items, strict=True)}, like)
    return rows
