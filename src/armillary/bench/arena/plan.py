"""Plan: what a run asks, as one value that is written beside its cells, and the probes that it means."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from armillary.bench.arena.ask import DRAWS
from armillary.bench.arena.baselines import BASELINE_PROBES
from armillary.bench.arena.parts import PROTOCOLS
from armillary.bench.task import Task
from armillary.errors import BadInput, OutputRefused, SceneNotFound
from armillary.probe.answer import Answer, AnyOf, ClassMap, OneOf, is_dense
from armillary.probe.asked import Probe, Tuner
from armillary.probe.dense import DenseProbe
from armillary.probe.linear_head import LinearProbe
from armillary.probe.probes import PROBES, as_published, in_epochs

AUTO = "auto"
PLAN = "plan.json"

SETTLED = ("suite", "epochs", "side_px", "draws")
"""What a question does not say and all cells of one folder share."""

EVERY_PROBE: Mapping[str, Probe | Tuner] = MappingProxyType({**PROBES, **BASELINE_PROBES})
"""Name -> probe, baselines' included."""


@dataclass(frozen=True)
class Plan:
    """What is asked.

    Args:
        suite: name of the suite.
        encoders: names, as `armillary.bench.encoders.zoo.open_encoder` reads them.
        tasks: names; () = all of the suite.
        probes: names; "auto" is what fits the answer (`fitting`).
        protocols: any of `armillary.bench.arena.parts.PROTOCOLS`; blocks are left out where there are no places.
        fractions: shares of the labels.
        seeds: of shares and probes.
        told: whether encoders are asked with (True) and without (False) place, time and area.
        official: as the publication did: its view, its heads and one learning rate, its average over batches.
        baselines: whether constant, pixel statistics, place and time and the untrained encoder stand beside.
        batch_size: items that are encoded at once; it decides no score.
        epochs: of probes that learn step by step; None: their own.
        side_px: samples are resized to this side for the encoders' own view; None: as they choose.
        draws: resamplings of the intervals.
    """

    suite: str
    encoders: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    probes: tuple[str, ...] = (AUTO,)
    protocols: tuple[str, ...] = PROTOCOLS
    fractions: tuple[float, ...] = (1.0,)
    seeds: tuple[int, ...] = (0, 1, 2)
    told: tuple[bool, ...] = (True, False)
    official: bool = False
    baselines: bool = True
    batch_size: int = 16
    epochs: int | None = None
    side_px: int | None = None
    draws: int = DRAWS

    def __post_init__(self) -> None:
        known = {AUTO, *EVERY_PROBE}
        for what, given, right in (
            ("probe", self.probes, known),
            ("protocol", self.protocols, set(PROTOCOLS)),
        ):
            odd = [g for g in given if g not in right]
            if odd or not given:
                raise BadInput(f"{what} {', '.join(odd) or 'none'} was asked; known are {', '.join(sorted(right))}")
        if not self.fractions or not all(0 < f <= 1 for f in self.fractions):
            told = ", ".join(f"{100 * f:g}" for f in self.fractions) or "none"
            raise BadInput(f"shares of {told} % of the labels were asked for; give numbers above 0 and up to 100")
        few = [n for n in ("epochs", "side_px") if (value := getattr(self, n)) is not None and value < 1]
        if few or self.draws < 1:
            raise BadInput(f"{', '.join(few) or 'draws'} was asked to be less than 1; give 1 or more")
        if self.batch_size < 1 or not self.seeds or not self.told:
            raise BadInput("a plan needs a batch of at least one item, a seed, and told or not; give them")


def read_plan(run_folder: Path) -> Plan:
    """The plan with which a run was begun last.

    Raises:
        SceneNotFound: no run is there.
        BadInput: the plan is damaged.
    """
    path = run_folder / PLAN
    if not path.is_file():
        raise SceneNotFound(f"{path} was asked for and is not there; give the folder of a run")
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        told: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
        return Plan(**told)
    except (AttributeError, TypeError, ValueError) as cause:
        raise BadInput(f"{path} is no plan of a benchmark ({cause}); choose another folder") from cause


def settle(plan: Plan, run_folder: Path) -> None:
    """Write the plan down; a folder's cells are asked with one set of settings.

    Raises:
        BadInput: the folder's cells were asked with others.
        OutputRefused: the folder cannot be written to.
    """
    path = run_folder / PLAN
    told = asdict(plan)
    if path.is_file():
        before = asdict(read_plan(run_folder))
        other = [k for k in SETTLED if before[k] != told[k]]
        if other:
            was, now = (", ".join(f"{k}={d[k]}" for k in other) for d in (before, told))
            raise BadInput(f"{run_folder} holds cells with {was}, and {now} was asked; choose another folder")
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        aside = run_folder / f".{PLAN}"
        aside.write_text(json.dumps(told, indent=1) + "\n")
        aside.replace(path)
    except OSError as cause:
        raise OutputRefused(f"{run_folder} cannot be written to ({cause}); choose another folder") from cause


def fitting(probe: str, answer: Answer, *, official: bool = False) -> tuple[str, ...]:
    """Names of the probes that are asked: the given one where it serves the answer; for "auto" the usual one.

    The usual ones are logistic and ridge regression; for `official`, the published heads.

    Example:
        >>> fitting("auto", OneOf(("a", "b"))), fitting("auto", OneOf(("a", "b")), official=True)
        (('logistic',), ('linear',))
        >>> fitting("upernet", OneOf(("a", "b")))
        ()
    """
    if probe == AUTO:
        if official:
            return ("upernet",) if is_dense(answer) else ("linear",)
        return ("logistic",) if isinstance(answer, OneOf | AnyOf | ClassMap) else ("ridge",)
    return (probe,) if EVERY_PROBE[probe].serves(answer) else ()


def probe_of(plan: Plan, name: str, task: Task) -> Probe | Tuner:
    """The probe with the settings that a plan asks for."""
    found = EVERY_PROBE[name]
    if plan.official and task.official is not None:
        found = in_epochs(as_published(found, task.official.lr, task.official.batch), task.official.epochs)
    return found if plan.epochs is None else in_epochs(found, plan.epochs)


def placed(probe: Probe | Tuner, device: str) -> Probe | Tuner:
    """The same probe, trained on another device where it is a head."""
    return replace(probe, device=device) if isinstance(probe, LinearProbe | DenseProbe) else probe
