"""Plan: what a run on generation asks, as one value that is written beside its cells."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from armillary.bench.generation.cell import GENERATION, Kind, Question, written
from armillary.bench.generation.parties import OTHERS, Party, given_sets, loops, sampled_sets, targets_of
from armillary.errors import BadInput, SceneNotFound

PLAN = "plan.json"


@dataclass(frozen=True)
class GenerationPlan:
    """What is asked. The defaults are meant to end within a quarter of an hour on two cores for cop-gen-nano.

    Args:
        models: names, as `teller.open_teller` reads them; one base in one run, for all are asked the same items.
        tasks: targets and kinds of cells; () is all.
        held_out: group of flood sites that is asked; "" where the folder says what is held out.
        per_place: most cuts of one place, evenly over it.
        most: most cuts in all.
        sampled: cuts of which samples are drawn, one of each place in turn.
        samples: of each of them.
        steps: of the sampler.
        crowd: generated items that are compared with real ones.
        rounds: of a drift, there and back.
        draws: resamplings behind an interval.
        seed: of samples.
        suite: always this one.

    Raises:
        BadInput: numbers that cannot be, unknown kinds, or models of several bases.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    held_out: str = ""
    per_place: int = 8
    most: int = 44
    sampled: int = 3
    samples: int = 8
    steps: int = 20
    crowd: int = 32
    rounds: int = 8
    draws: int = 1000
    seed: int = 0
    suite: str = GENERATION

    def __post_init__(self) -> None:
        bases = {name.partition("@")[0] for name in self.models}
        if len(bases) != 1:
            raise BadInput(
                f"models {', '.join(self.models) or '(none)'} were asked together; give one model, or one with several "
                "weights (NAME,NAME@random,NAME@FILE): each has places of its own that are held out"
            )
        least = {"samples": 2, "crowd": 4}
        few = [
            f"{k}={v}" for k in ("per_place", "most", "sampled", "samples", "steps", "crowd", "rounds", "draws")
            if not isinstance(v := getattr(self, k), int) or v < least.get(k, 1)
        ]  # fmt: skip
        if few:
            raise BadInput(f"{', '.join(few)} was asked; give whole numbers, 1 or more, 2 samples and 4 of a crowd")

    @property
    def base(self) -> str:
        """The model's name without weights."""
        return self.models[0].partition("@")[0]


def questions(plan: GenerationPlan, model: str, parties: Sequence[Party]) -> Iterator[Question]:
    """Every question of a plan to one model, cheap ones first.

    Raises:
        BadInput: a task is neither a target nor a kind.
    """
    targets, kinds = targets_of(parties), get_args(Kind)
    odd = [t for t in plan.tasks if t not in (*targets, *kinds)]
    if odd:
        raise BadInput(f"{', '.join(odd)} was asked; there are {', '.join(targets)} and {', '.join(kinds)}")
    asked_targets = [t for t in targets if t in plan.tasks] or targets
    asked_kinds = [k for k in kinds if k in plan.tasks] or kinds
    for kind, target, given in _all(parties, tuple(asked_targets)):
        if kind in asked_kinds:
            yield Question(kind, model, target, given, plan.seed)


def _all(parties: Sequence[Party], targets: Sequence[str]) -> Iterator[tuple[Kind, str, tuple[str, ...]]]:
    sensors = [p.name for p in parties if p.kind == "sensor" and p.name in targets]
    for target in targets:
        yield from (("told", target, given) for given in given_sets(parties, target))
    for target in sensors:
        yield ("dates", target, ())
    for target in targets:
        yield from (("sampled", target, given) for given in sampled_sets(parties, target))
    for target in sensors:
        yield from (("drift", target, (via,)) for own, via in loops(parties) if own == target)
    for target in sensors:
        yield from (("crowd", target, given) for given in ((), (OTHERS,)))


def read_plan(run: Path) -> GenerationPlan:
    """The plan with which a run was begun last.

    Raises:
        SceneNotFound: no run is there.
        BadInput: it is no plan of this suite.
    """
    path = run / PLAN
    if not path.is_file():
        raise SceneNotFound(f"{path} was asked for and is not there; give the folder of a run")
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
        return GenerationPlan(**told)
    except (AttributeError, TypeError, ValueError) as cause:
        raise BadInput(f"{path} is no plan on generation ({cause}); choose another folder") from cause


def suite_in(run: Path) -> str | None:
    """The suite of the run in a folder, None where it cannot be told."""
    try:
        found = json.loads((run / PLAN).read_text(encoding="utf-8"))
        return str(found["suite"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def settle(plan: GenerationPlan, run: Path) -> None:
    """Write the plan down; a folder's cells are asked with one set of settings, models and tasks apart.

    Raises:
        BadInput: the folder's cells were asked with others, or are of another suite.
        OutputRefused: the folder cannot be written to.
    """
    now = asdict(plan)
    if (run / PLAN).is_file():
        before = asdict(read_plan(run))
        other = [k for k in now if k not in ("models", "tasks") and before[k] != now[k]]
        if other or read_plan(run).base != plan.base:
            was, is_now = (", ".join(f"{k}={d[k]}" for k in other or ["models"]) for d in (before, now))
            raise BadInput(f"{run} holds cells with {was}, and {is_now} was asked; choose another folder")
    written(run / PLAN, (json.dumps(now, indent=1) + "\n").encode())
