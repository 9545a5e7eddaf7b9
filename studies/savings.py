"""Savings: how much smaller one method's error is than another's, with an interval; tables and bars of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from armillary.probe.intervals import LEVEL, RESAMPLES
from rebuilding import BASELINES, ORACLE, OURS, RANDOM, Score


@dataclass(frozen=True)
class Saving:
    """1 - ours / theirs: the mean over places of one error over that of another.

    Args:
        mean: of all places.
        low, high: ends of the 95 % interval by bootstrap over units; nan for a single unit.
        won: share of places where ours is smaller.
    """

    mean: float
    low: float
    high: float
    won: float

    def __str__(self) -> str:
        between = "" if np.isnan(self.low) else f" [{100 * self.low:+.0f}, {100 * self.high:+.0f}]"
        return f"{100 * self.mean:+.1f}{between}"


@dataclass(frozen=True, eq=False)
class Found:
    """Errors of all methods on one group of places.

    Args:
        name: of the group.
        unit: of the physical errors.
        units: number of each place's unit of resampling.
        error: method -> mean error of each place, normalised.
        physical: the same in the square of the unit.
    """

    name: str
    unit: str
    units: Int[np.ndarray, " n"]
    error: Mapping[str, Float[np.ndarray, " n"]]
    physical: Mapping[str, Float[np.ndarray, " n"]]

    def best(self) -> str:
        """The baseline with the smallest normalised error."""
        return min((m for m in BASELINES if m in self.error), key=lambda m: float(self.error[m].mean()))

    def saving(self, other: str, ours: str = OURS) -> Saving:
        """Of normalised error."""
        return saving(self.error[ours], self.error[other], self.units)


def saving(
    ours: Float[np.ndarray, " n"], theirs: Float[np.ndarray, " n"], units: Int[np.ndarray, " n"], seed: int = 0
) -> Saving:
    """How much of the other's error is saved; whole units are drawn with replacement."""
    k = int(units.max()) + 1
    a, b = (np.bincount(units, x, k) for x in (ours, theirs))
    low = high = float("nan")
    if k > 1:
        drawn = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), size=RESAMPLES)
        low, high = np.quantile(1 - (drawn @ a) / (drawn @ b), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Saving(float(1 - a.sum() / b.sum()), float(low), float(high), float((ours < theirs).mean()))


def gathered(scores: Sequence[Score], units: Mapping[str, str], key: Callable[[Score], str]) -> list[Found]:
    """Scores by group; crops are averaged over their place and sensor."""
    groups: dict[str, list[Score]] = {}
    for s in scores:
        groups.setdefault(key(s), []).append(s)
    return [_found(name, members, units) for name, members in groups.items()]


def _found(name: str, members: Sequence[Score], units: Mapping[str, str]) -> Found:
    places: dict[tuple[str, str], dict[str, list[Score]]] = {}
    for s in members:
        places.setdefault((s.sensor, s.place), {}).setdefault(s.method, []).append(s)
    methods = list(dict.fromkeys(s.method for s in members))
    methods = [m for m in methods if all(m in told for told in places.values())]
    first = [next(iter(told.values()))[0].unit for told in places.values()]
    error, physical = (
        {m: np.array([np.mean([getattr(s, what) for s in told[m]]) for told in places.values()]) for m in methods}
        for what in ("error", "physical")
    )
    return Found(name, units[members[0].sensor], np.unique(first, return_inverse=True)[1], error, physical)


def table(found: Sequence[Found], methods: Sequence[str]) -> Iterator[str]:
    """Normalised errors, one row per method and one column per group."""
    yield "| method | " + " | ".join(f.name for f in found) + " |"
    yield "|---|" + "---|" * len(found)
    yield "| *places* | " + " | ".join(str(len(f.units)) for f in found) + " |"
    for m in methods:
        cells = (f"{f.error[m].mean():.4f}" if m in f.error else "—" for f in found)
        yield f"| {m} | " + " | ".join(cells) + " |"


def verdicts(found: Sequence[Found]) -> Iterator[str]:
    """Ours against the best baseline and the oracle, one row per group."""
    yield (
        "| group | places | best baseline | its error | ours | oracle | less than the best, % | places won "
        "| physical: best, ours, oracle |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for f in found:
        best = f.best()
        saved = f.saving(best)
        errors = " | ".join(f"{f.error[m].mean():.4f}" for m in (best, OURS, ORACLE))
        told = ", ".join(_physical(float(f.physical[m].mean()), f.unit) for m in (best, OURS, ORACLE))
        unit = "RMSE" if f.unit == "reflectance" else f"({f.unit})²"
        yield f"| {f.name} | {len(f.units)} | {best} | {errors} | {saved} | {100 * saved.won:.0f} % | {told} {unit} |"


def _physical(square: float, unit: str) -> str:
    return f"{np.sqrt(square):.4f}" if unit == "reflectance" else f"{square:.3g}"


def bars(found: Sequence[Found], path: Path) -> None:
    """Errors as shares of the best baseline's: ours with its interval, the oracle, random weights."""
    figure = Figure(figsize=(8, 0.42 * len(found) + 1.6), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(found))
    saved = [f.saving(f.best()) for f in found]
    ours = np.array([1 - s.mean for s in saved])
    ends = np.array([[max(0.0, s.high - s.mean), max(0.0, s.mean - s.low)] for s in saved]).T
    axes.barh(at, np.minimum(ours, 2), color=["#3a7d44" if x < 1 else "#b5542a" for x in ours], label="this model")
    axes.errorbar(np.minimum(ours, 2), at, xerr=np.nan_to_num(ends), fmt="none", ecolor="black", elinewidth=1)
    floor = [f.error[ORACLE].mean() / f.error[f.best()].mean() for f in found]
    axes.plot(floor, at, "D", color="#27408b", markersize=5, linestyle="none", label=ORACLE)
    far = [min(2.0, f.error[RANDOM].mean() / f.error[f.best()].mean()) if RANDOM in f.error else np.nan for f in found]
    axes.plot(far, at, "x", color="0.5", linestyle="none", label=f"{RANDOM} (2 or more at the edge)")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(yticks=at, yticklabels=[f"{f.name} ({len(f.units)})" for f in found], xlim=(0, 2.05))
    axes.set_xlabel("masked error / that of the best baseline; bars end at 95 % intervals over places")
    axes.invert_yaxis()
    axes.legend(fontsize="small", loc="lower right")
    aside = path.with_name(f".{path.name}")
    figure.savefig(aside, dpi=110, format="png")
    aside.replace(path)
