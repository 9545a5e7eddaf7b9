"""Ask: one probe learns from frozen features, or from the model itself, and every test item is asked and scored."""

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from armillary.bench.arena.cell import Cell, Question
from armillary.bench.arena.examples import write_examples
from armillary.bench.arena.facts import environment, revision
from armillary.bench.arena.parts import block_deg, regions
from armillary.bench.encoders.zoo import ZooEncoder
from armillary.bench.features.frozen import Shot, read_sized
from armillary.bench.scores.measures import Region, intervals, measures, official_of, regional, resampled, worst
from armillary.bench.scores.processes import gathered, share
from armillary.bench.scores.sums import Sums, tally, total
from armillary.bench.team import ALONE, Team
from armillary.earth.when import iso
from armillary.errors import BadInput
from armillary.probe.answer import MAIN
from armillary.probe.asked import Asked, Learned, Live, Parts, Probe, Seen, Tuner
from armillary.probe.features import fingerprint
from armillary.probe.splits import blocks
from armillary.sample.batch import Batch

REGION_ITEMS = 5
"""Fewest items of a region that may be called the worst."""

DRAWN = "draws"
"""Folder of a run with the draws behind intervals."""

DRAWS = 1000
"""Resamplings of an interval."""


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything that a question is answered with.

    Args:
        question: what is asked.
        shot: task, items, encoder and look.
        parts: who teaches, chooses, is asked.
        probe: that learns; its settings are in the configuration's hash.
        seen: frozen features; None for a probe that trains the model.
        batch_size: items that a model in training is given at once when it predicts.
        draws: resamplings of the intervals.
    """

    question: Question
    shot: Shot
    parts: Parts
    probe: Probe | Tuner
    seen: Seen | None
    batch_size: int = 16
    draws: int = DRAWS


def answered(setting: Setting, run: Path | None = None, team: Team = ALONE) -> Cell:
    """Learn, ask, score.

    Args:
        setting: the question and what it is answered with.
        run: folder of the run, for examples; None: none are kept.
        team: processes that share the test items.
    """
    begun = time.monotonic()
    shot, test = setting.shot, setting.parts.test
    answer, truths = shot.task.answer, shot.known.truths
    learned = team.together(lambda: learn(setting))
    mine = test[list(share(len(test), team.rank, team.size))]
    told = zip(mine, learned.predict(mine), strict=True)
    sums = team.together(lambda: [tally(answer, prediction, truths[int(n)]) for n, prediction in told])
    per_item = gathered(sums)
    whole = total(per_item)
    scores, drawn = measures(answer, whole), _drawn(setting, per_item)
    cell = Cell(
        question=setting.question,
        main=MAIN[type(answer)],
        measures=scores,
        intervals={name: (i.low, i.high) for name, i in intervals(scores, drawn).items()},
        official_score=_official(setting, per_item),
        items={part: len(getattr(setting.parts, part)) for part in ("train", "val", "test")},
        confusion=_confusion(whole),
        choices=dict(learned.choices),
        facts=facts_of(setting, time.monotonic() - begun),
    )
    cell = _by_region(cell, setting, per_item)
    if run is None:
        return cell
    cell = replace(cell, draws=f"{DRAWN}/{setting.question.id}.npy")
    team.once(lambda: _keep(run / str(cell.draws), drawn[cell.main]))
    if not _is_shown(setting.question):
        return cell
    name = f"examples/{setting.question.id}.npz"
    team.once(lambda: write_examples(run / name, shot.items, answer, test, learned.predict))
    return replace(cell, examples=name)


def learn(setting: Setting) -> Learned:
    """The probe after training.

    Raises:
        BadInput: a probe that trains the model was given an encoder that is none of the zoo.
    """
    shot, probe, seed = setting.shot, setting.probe, setting.question.seed
    answer, truths = shot.task.answer, shot.known.truths
    if setting.seen is not None and not isinstance(probe, Tuner):
        return probe.learn(Asked(answer, setting.seen, truths, setting.parts), seed)
    encoder = shot.encoder
    if not isinstance(probe, Tuner) or not isinstance(encoder, ZooEncoder):
        raise BadInput(f"{probe.name} trains a model, and {encoder.name} is none of the zoo; ask it of one that is")

    def read(numbers: Sequence[int]) -> tuple[Batch, tuple[int, ...]]:
        items = [read_sized(shot, int(n)) for n in numbers]
        batch = encoder.batch([s for item in items for s in item.samples], shot.look)
        return batch.to(encoder.device), tuple(len(item.samples) for item in items)

    return probe.tune(Live(answer, truths, setting.parts, encoder.model, read, shot.task.joined), seed)


def facts_of(setting: Setting, seconds: float) -> dict[str, Any]:
    """What decided the numbers, and where and when they were computed."""
    shot = setting.shot
    task = shot.task
    decided = (task.answer, task.sensor.name, task.sensor.band_names, task.joined, shot.look)
    config = fingerprint(setting.question, *decided, setting.probe, setting.draws)
    return {
        "config": config,
        "data": shot.known.digest,
        "weights": shot.encoder.digest,
        "environment": environment(),
        "seconds": round(seconds, 3),
        "when": iso(datetime.now(UTC).replace(microsecond=0)),
        "version": environment()["armillary"],
        "git": revision(),
    }


def _drawn(setting: Setting, per_item: Sequence[Sums]) -> dict[str, Float[np.ndarray, " d"]]:
    """Every measure in every draw: groups of the task where it has some, else whole blocks of the Earth, else items."""
    known, test = setting.shot.known, setting.parts.test
    groups = _groups(known.lonlat[test], block_deg(known)) if not known.groups else np.array(known.groups)[test]
    rng = np.random.default_rng(setting.question.seed)
    return resampled(setting.shot.task.answer, per_item, groups, rng, setting.draws)


def _keep(path: Path, draws: Float[np.ndarray, " d"]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    with aside.open("wb") as out:
        np.save(out, draws.astype(np.float32), allow_pickle=False)
    aside.replace(path)


def _groups(lonlat: Float[np.ndarray, "q 2"], side_deg: float) -> Int[np.ndarray, " q"]:
    """Number of each item's block; items without a place stand alone."""
    found = blocks(lonlat, side_deg)
    alone = found < 0
    found[alone] = -1 - np.arange(int(alone.sum()))
    return found


def _official(setting: Setting, per_item: Sequence[Sums]) -> float | None:
    """Batches are those of the publication, in the order of the items."""
    task = setting.shot.task
    if not setting.question.official or task.official is None:
        return None
    return official_of(task.answer, per_item, task.official.batch)


def _confusion(whole: Sums) -> list[Any] | None:
    counts = whole.counts.get("confusion")
    return None if counts is None else list(counts.tolist())


def _by_region(cell: Cell, setting: Setting, per_item: Sequence[Sums]) -> Cell:
    """With scores by region, where places are known."""
    answer, lonlat = setting.shot.task.answer, setting.shot.known.lonlat[setting.parts.test]
    where = regions(lonlat)
    placed = np.flatnonzero(where >= 0)
    if not len(placed):
        return cell
    some, names = [per_item[int(i)] for i in placed], where[placed].tolist()
    middle: dict[Hashable, list[float]] = {
        name: lonlat[placed][where[placed] == name].mean(axis=0).tolist() for name in set(names)
    }

    def row(region: Region) -> dict[str, float]:
        lon, lat = middle[region.name]
        return {"lon": lon, "lat": lat, "n": region.items, "score": region.score}

    found = worst(answer, some, names, least=REGION_ITEMS)
    rows = tuple(row(r) for r in regional(answer, some, names))
    return replace(cell, regions=rows, worst_region=None if found is None else row(found))


def _is_shown(question: Question) -> bool:
    """Examples are kept of the first seed with all labels."""
    return question.seed == 0 and question.fraction == 1.0
