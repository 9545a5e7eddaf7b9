"""Summary: means over places, their intervals, and whether what is added to the given helps.

A mean is over places, each counted once, of means over its items, for items of one place are alike. Intervals draw
whole places; where there are fewer than three, items are drawn, and the interval says nothing of other places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from armillary.bench.generation.ask import BEST_OF, EXPECTED, MEAN_OF, SAMPLE
from armillary.bench.generation.calibration import Calibration
from armillary.bench.generation.cell import Cell
from armillary.bench.generation.measures import MEASURES
from armillary.bench.generation.parties import NOTES, OTHERS, label
from armillary.bench.generation.references import MEAN, UNFAIR

LEAST_PLACES = 3

SAME = 1e-6
"""Changes below this are of items that have nothing more to give, and are left out."""

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Mean:
    """A mean with its interval at 95 %; ends are nan where there is one group alone.

    Args:
        value: the mean.
        low: end of the interval.
        high: the other end.
        items: that were measured.
        places: that they are of.
    """

    value: float
    low: float
    high: float
    items: int
    places: int

    @property
    def over_places(self) -> bool:
        """Whether the interval is over places, not over the items of one or two."""
        return self.places >= LEAST_PLACES

    @property
    def sure(self) -> bool:
        """Whether 0 lies outside."""
        return bool(self.low > 0 or self.high < 0)


def column(cell: Cell, teller: str, strand: str, measure: str) -> Values:
    """One value per item; nan where there is none."""
    found = cell.numbers.get("fidelity", {}).get(teller, {}).get(strand, {}).get(measure)
    missing = [None] * len(cell.items)
    return np.array([np.nan if v is None else v for v in (found or missing)], np.float64)


def strands_of(cell: Cell) -> tuple[str, ...]:
    """Strands that the model told."""
    return tuple(cell.numbers.get("fidelity", {}).get(EXPECTED, {}))


def tellers_of(cell: Cell, strand: str) -> tuple[str, ...]:
    """Who told a strand: the model's ways and floors."""
    return tuple(t for t, strands in cell.numbers.get("fidelity", {}).items() if strand in strands)


def main_of(cell: Cell, strand: str) -> str:
    """What counts first: the mean absolute error, or agreement where classes are told."""
    return "mae" if "mae" in cell.numbers["fidelity"][EXPECTED][strand] else "agreement"


def place_mean(values: Values, places: Sequence[str], draws: int = 0, seed: int = 0) -> Mean:
    """Mean over places of means over items."""
    known = np.isfinite(values)
    if not known.any():
        return Mean(float("nan"), float("nan"), float("nan"), 0, 0)
    names, at = np.unique(np.array(places)[known], return_inverse=True)
    total, count = np.bincount(at, values[known]), np.bincount(at)
    if len(names) < LEAST_PLACES:
        low, high = _ends(values[known], draws, seed)
    else:
        low, high = _ends(total / count, draws, seed)
    return Mean(float((total / count).mean()), low, high, int(known.sum()), len(names))


def best_floor(cell: Cell, strand: str) -> tuple[str, float]:
    """The floor that does best on these very items, which favours the floor; and its main measure.

    Floors that some of the items have not, such as those of one of several given sets, do not count.
    """
    measure, places = main_of(cell, strand), [p for _, p in cell.items]
    sign = MEASURES[measure][1]
    asked = np.isfinite(column(cell, EXPECTED, strand, measure))
    columns = {t: column(cell, t, strand, measure) for t in tellers_of(cell, strand) if _is_floor(t)}
    whole = {t: v for t, v in columns.items() if np.isfinite(v[asked]).all()}
    found = {t: place_mean(v, places).value for t, v in whole.items()}
    known = {t: v for t, v in found.items() if np.isfinite(v)}
    if not known:
        return "", float("nan")
    name = max(known, key=lambda t: sign * known[t])
    return name, known[name]


def relative(cell: Cell, strand: str, teller: str = EXPECTED) -> float:
    """Error of a teller over that of the best floor, below 1 where it is better; of agreement, what is missing of 1."""
    measure, places = main_of(cell, strand), [p for _, p in cell.items]
    ours, theirs = place_mean(column(cell, teller, strand, measure), places).value, best_floor(cell, strand)[1]
    if measure == "agreement":
        ours, theirs = 1 - ours, 1 - theirs
    return ours / theirs if theirs else float("nan")


def dispersion(cell: Cell, strand: str, draws: int = 0, seed: int = 0) -> tuple[Calibration | None, float, float]:
    """Sums over all items, and the interval of the dispersion ratio over places, or items; None where not measured."""
    sums = cell.numbers.get("calibration", {}).get(strand) or []
    rows = [(c, cell.items[i][1]) for i, c in enumerate(sums) if c is not None and c["count"]]
    if not rows:
        return None, float("nan"), float("nan")
    whole = Calibration(
        **{k: sum(c[k] for c, _ in rows) for k in ("count", "variance", "squared", "crps")},
        ranks=tuple(int(r) for r in np.sum([c["ranks"] for c, _ in rows], axis=0)),
    )
    places = [place for _, place in rows]
    groups = np.unique(places, return_inverse=True)[1]
    if groups.max() + 1 < LEAST_PLACES:
        groups = np.arange(len(rows))
    parts = np.array([np.bincount(groups, [c[k] for c, _ in rows]) for k in ("variance", "squared")])
    if parts.shape[1] < 2 or not draws:
        return whole, float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(parts.shape[1], size=(draws, parts.shape[1]))
    variance, squared = parts[:, drawn].sum(axis=2)
    low, high = np.quantile(np.sqrt(variance * (1 + 1 / whole.samples) / np.maximum(squared, 1e-30)), (0.025, 0.975))
    return whole, float(low), float(high)


@dataclass(frozen=True)
class Added:
    """What happens on average to a target's error when something more is given.

    Args:
        target: name of the party.
        steps: pairs of given sets of which the second has one party, or all others, more.
        change: of the error, as a share of that of the mean floor, below 0 where it falls.
        worse: share of the steps that raise the error.
        worst: the step that raises it most.
    """

    target: str
    steps: int
    change: Mean
    worse: float
    worst: str


def added(cells: Sequence[Cell], draws: int, seed: int = 0) -> Iterator[Added]:
    """For each target of told cells of one model, over items that were asked with both sets."""
    by_target: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.question.kind == "told" and cell.error is None:
            by_target.setdefault(cell.question.target, []).append(cell)
    for target, own in by_target.items():
        changes: list[tuple[str, str, float, str]] = []
        for less in own:
            for more in own:
                if _is_step(less.question.given, more.question.given):
                    step = f"{label(less.question.given)} → {label(more.question.given)}"
                    changes += [(step, place, value, key) for key, place, value in _changes(less, more)]
        if changes:
            yield _averaged(target, changes, draws, seed)


def _averaged(target: str, changes: list[tuple[str, str, float, str]], draws: int, seed: int) -> Added:
    steps: dict[str, tuple[list[float], list[str]]] = {}
    for step, place, value, _ in changes:
        values, places = steps.setdefault(step, ([], []))
        values.append(value)
        places.append(place)
    each = {step: place_mean(np.array(v), p).value for step, (v, p) in steps.items()}
    whole = place_mean(np.array([c[2] for c in changes]), [c[1] for c in changes], draws, seed)
    worst = max(each, key=lambda s: each[s])
    items = len({c[3] for c in changes})
    change = Mean(whole.value, whole.low, whole.high, items, whole.places)
    return Added(
        target, len(each), change, float(np.mean([v > 0 for v in each.values()])), f"{worst}: {each[worst]:+.2f}"
    )


def _changes(less: Cell, more: Cell) -> Iterator[tuple[str, str, float]]:
    """Key, place and change of each item that was asked with both."""
    at = {key: i for i, (key, _) in enumerate(more.items)}
    places = [p for _, p in less.items]
    for strand in strands_of(less):
        if strand not in strands_of(more):
            continue
        measure = main_of(less, strand)
        scale = place_mean(column(less, MEAN, strand, measure), places).value
        scale = 1 - scale if measure == "agreement" else scale
        before, after = column(less, EXPECTED, strand, measure), column(more, EXPECTED, strand, measure)
        sign = -MEASURES[measure][1]
        for i, (key, place) in enumerate(less.items):
            value = sign * (after[at[key]] - before[i]) / scale if key in at and scale > 0 else np.nan
            if np.isfinite(value) and abs(value) > SAME:
                yield key, place, float(value)


def _is_step(less: tuple[str, ...], more: tuple[str, ...]) -> bool:
    if OTHERS in more and OTHERS not in less:
        return (NOTES in less) == (NOTES in more)
    return set(less) < set(more) and len(more) == len(less) + 1


def _is_floor(teller: str) -> bool:
    return teller not in (EXPECTED, SAMPLE, MEAN_OF, BEST_OF, *UNFAIR)


def _ends(values: Values, draws: int, seed: int) -> tuple[float, float]:
    if len(values) < 2 or not draws:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
