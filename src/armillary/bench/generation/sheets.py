"""Sheets: the tables of a report on generation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from armillary.bench.generation.ask import BEST_OF, EXPECTED, MEAN_OF, SAMPLE
from armillary.bench.generation.cell import Cell
from armillary.bench.generation.measures import MEASURES
from armillary.bench.generation.parties import OTHERS, label
from armillary.bench.generation.references import MEAN, OTHER_DATE, UNFAIR
from armillary.bench.generation.summary import (
    added,
    best_floor,
    column,
    dispersion,
    main_of,
    place_mean,
    relative,
    strands_of,
    tellers_of,
)
from armillary.bench.report.tables import DASH, Table

NOTHING = 1e-6
"""Numbers below this are rounding."""

WAYS = (EXPECTED, SAMPLE, MEAN_OF, BEST_OF)

SHOWN = ("rmse", "level", "correlation", "psnr", "ssim", "angle", "overlap")
"""Measures beside the main one."""


def number(value: float) -> str:
    """Three digits, a dash for what cannot be measured."""
    if not np.isfinite(value):
        return DASH
    return f"{value:.3g}" if abs(value) >= NOTHING else "0"


def matrix(cells: Sequence[Cell]) -> Iterator[Table]:
    """One table per target: what is expected from each given set, beside the best floor and the mean."""
    for strand, own in by_strand(cells):
        main = main_of(own[0], strand)
        rows = tuple(_matrix_row(c, strand, main) for c in own)
        head = ("from", "items / places", main, "best floor", "its " + main, "mean", "over best floor", *SHOWN)
        yield _lean(Table(head, rows, f"{strand}: what is expected, in one asking"))


def overview(cells: Sequence[Cell]) -> Table | None:
    """Error over that of the best floor for every told strand from nothing, each other party, and all others."""
    told = [c for c in cells if c.question.kind == "told" and c.error is None and len(c.question.given) < 2]
    columns = list(
        dict.fromkeys(label(c.question.given) for c in sorted(told, key=lambda c: OTHERS in c.question.given))
    )
    rows = []
    for strand, own in by_strand(told):
        found = {label(c.question.given): number(relative(c, strand)) for c in own}
        rows.append((strand, *(found.get(c, DASH) for c in columns)))
    title = "error of what is expected over that of the best floor on the same items; below 1 is better"
    return Table(("told", *columns), tuple(rows), title) if rows else None


def other_dates(cells: Sequence[Cell]) -> Table | None:
    """What the nearest other date tells, and the model, on the items of which there is one."""
    rows = []
    for cell in (c for c in cells if c.question.kind == "told" and c.error is None):
        places = [p for _, p in cell.items]
        for strand in strands_of(cell):
            main = main_of(cell, strand)
            real = column(cell, OTHER_DATE, strand, main)
            keep = np.isfinite(real)
            if keep.any():
                who = (EXPECTED, OTHER_DATE, MEAN)
                found = (place_mean(np.where(keep, column(cell, w, strand, main), np.nan), places) for w in who)
                rows.append(
                    (strand, label(cell.question.given), str(keep.sum()), main, *(number(f.value) for f in found))
                )
    head = ("strand", "from", "items", "", "what is expected", OTHER_DATE, MEAN)
    return Table(head, tuple(rows), "beside what was measured at another date") if rows else None


def samples(cells: Sequence[Cell], draws: int) -> Iterator[Table]:
    """One table per target: one sample, the mean, the best, what is expected, and every floor, on the same items."""
    for strand, own in by_strand(cells):
        main = main_of(own[0], strand)
        rows = tuple(row for c in own for row in _sample_rows(c, strand, main))
        yield _lean(Table(("from", "who", "items / places", main, *SHOWN), rows, f"{strand}: samples and floors"))
    calibrated = tuple(
        row for strand, own in by_strand(cells) for c in own if (row := _calibration_row(c, strand, draws))
    )
    if calibrated:
        head = (
            "target",
            "from",
            "items / places",
            "dispersion ratio",
            "CRPS",
            "MAE of what is expected",
            "unevenness of ranks",
        )
        yield Table(head, calibrated, "calibration: 1 is calibrated, below 1 too sure; CRPS in the unit of the strand")


def added_table(cells: Sequence[Cell], draws: int) -> Table | None:
    """Whether more that is given helps, on average."""
    rows = tuple(
        (
            a.target,
            str(a.steps),
            f"{a.change.items} / {a.change.places}",
            _signed(a.change.value),
            f"{_signed(a.change.low)} to {_signed(a.change.high)}" + ("" if a.change.over_places else " (over items)"),
            "helps" if a.change.high < 0 else "hurts" if a.change.low > 0 else "cannot be told",
            f"{a.worse:.0%}",
            a.worst,
        )
        for a in added(cells, draws)
    )
    head = ("target", "steps", "items / places", "change of the error", "95 %", "", "steps that raise it", "worst step")
    return (
        Table(head, rows, "when one thing more is given; change as a share of the error of the mean") if rows else None
    )


def crowds(cells: Sequence[Cell]) -> Table | None:
    """All crowd cells."""
    rows = []
    for cell in (c for c in cells if c.question.kind == "crowd" and c.error is None):
        for who, found in cell.numbers["crowds"].items():
            told = f"{number(_of(found, 'told_apart'))} [{number(_of(found, 'low'))}, {number(_of(found, 'high'))}]"
            rest = (_of(found, k) for k in ("precision", "recall", "density", "coverage", "frechet", "frechet_endless"))
            spread = cell.numbers["spread"]
            ratio = _of(spread, who) / _of(spread, "real") if who in spread else float("nan")
            rows.append((cell.question.target, label(cell.question.given), who, str(found["rows"]), told,
                         *map(number, rest), number(ratio)))  # fmt: skip
    head = ("target", "from", "whose", "n", "1-NN accuracy", "precision", "recall", "density", "coverage", "Frechet",
            "Frechet, endless n", "spread over real")  # fmt: skip
    return Table(head, tuple(rows), "crowds, as Copernicus-FM nano sees pixels alone") if rows else None


def drifts(cells: Sequence[Cell]) -> Iterator[Table]:
    """One table per loop: measures after each round."""
    for cell in (c for c in cells if c.question.kind == "drift" and c.error is None):
        places = [p for _, p in cell.items]
        rows = []
        for strand in cell.numbers["rounds"][0]:
            found = [("mean of training places", cell.numbers["mean"])]
            found += [(f"round {r + 1}", x) for r, x in enumerate(cell.numbers["rounds"])]
            rows += [
                (
                    strand,
                    who,
                    *(
                        number(place_mean(floats(x[strand][m]), places).value)
                        for m in ("mae", "level", "correlation", "contrast")
                    ),
                )
                for who, x in found
                if strand in x
            ]
        title = f"{cell.question.target} to {cell.question.given[0]} and back, {len(cell.items)} items"
        yield Table(("strand", "", "mae", "level", "correlation", "contrast over true"), tuple(rows), title)


def spreads(cells: Sequence[Cell]) -> Table | None:
    """How much one place varies: its real dates, samples told each date, samples told none."""
    rows = []
    for cell in (c for c in cells if c.question.kind == "dates" and c.error is None):
        spread = cell.numbers["spread"]
        for strand, real in spread["real"].items():
            made = [_of(spread[w], strand) for w in ("date told", "date not told")]
            truth, told = (cell.numbers["means"][w][strand] for w in ("real", "date told"))
            alike = _correlation(truth, told)
            ratios = (m / real if real else float("nan") for m in made)
            rows.append(
                (strand, str(len(cell.items)), number(real or float("nan")), *map(number, ratios), number(alike))
            )
    head = ("strand", "dates", "real: mean difference of two dates, in spans", "samples told the date, over real",
            "samples not told, over real", "correlation of band means over dates")  # fmt: skip
    return Table(head, tuple(rows), "one place at other dates") if rows else None


def provenance(cells: Sequence[Cell]) -> Table:
    """Weights, data, seconds, versions."""
    rows = []
    for model in dict.fromkeys(c.question.model for c in cells):
        own = [c for c in cells if c.question.model == model]
        facts = [c.facts for c in own]
        seconds = sum(f.get("seconds") or 0 for f in facts)
        said = ("weights", "data", "version", "git", "when")
        rows.append(
            (model, str(len(own)), f"{seconds:.0f}", *(_several(str(f.get(k, "")) for f in facts) for k in said))
        )
    return Table(("model", "cells", "seconds", "weights", "data", "version", "commit", "when"), tuple(rows))


def records(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """One row per cell, strand, teller and place, and per cell, strand and teller of all places: for programs."""
    rows = []
    for cell in (c for c in cells if c.question.kind in ("told", "sampled") and c.error is None):
        places = [p for _, p in cell.items]
        q = cell.question
        for strand in strands_of(cell):
            for teller in tellers_of(cell, strand):
                for place in (*dict.fromkeys(places), "all"):
                    keep = np.array([place in (p, "all") for p in places])
                    found = {
                        m: place_mean(np.where(keep, column(cell, teller, strand, m), np.nan), places) for m in MEASURES
                    }
                    some = next((m for m in found.values() if m.items), None)
                    if some is not None:
                        base = {"model": q.model, "kind": q.kind, "target": q.target, "given": label(q.given)}
                        base |= {"strand": strand, "teller": teller, "place": place, "items": str(some.items)}
                        rows.append(base | {m: f"{v.value:.5g}" if v.items else "" for m, v in found.items()})
    return rows


def by_strand(cells: Sequence[Cell]) -> Iterator[tuple[str, list[Cell]]]:
    """Answered cells by the strands that they tell, in the order of the questions."""
    found: dict[str, list[Cell]] = {}
    for cell in (c for c in cells if c.error is None):
        for strand in strands_of(cell):
            found.setdefault(strand, []).append(cell)
    yield from found.items()


def _matrix_row(cell: Cell, strand: str, main: str) -> tuple[str, ...]:
    places = [p for _, p in cell.items]
    ours = place_mean(column(cell, EXPECTED, strand, main), places)
    floor, theirs = best_floor(cell, strand)
    mean = place_mean(column(cell, MEAN, strand, main), places).value
    rest = (number(place_mean(column(cell, EXPECTED, strand, m), places).value) for m in SHOWN)
    return (
        label(cell.question.given), f"{ours.items} / {ours.places}", number(ours.value), floor or DASH, number(theirs),
        number(mean), number(relative(cell, strand)), *rest,
    )  # fmt: skip


def _sample_rows(cell: Cell, strand: str, main: str) -> Iterator[tuple[str, ...]]:
    places = [p for _, p in cell.items]
    have = tellers_of(cell, strand)
    order = [
        *(w for w in WAYS if w in have),
        *(t for t in have if t not in (*WAYS, *UNFAIR)),
        *(t for t in have if t in UNFAIR),
    ]
    for who in order:
        found = {m: place_mean(column(cell, who, strand, m), places) for m in (main, *SHOWN)}
        if found[main].items:
            name = f"*{who}*" if who in UNFAIR else who
            counts = f"{found[main].items} / {found[main].places}"
            yield label(cell.question.given), name, counts, *(number(found[m].value) for m in (main, *SHOWN))


def _calibration_row(cell: Cell, strand: str, draws: int) -> tuple[str, ...] | None:
    sums, low, high = dispersion(cell, strand, draws)
    if sums is None:
        return None
    places = [p for _, p in cell.items]
    mae = place_mean(column(cell, EXPECTED, strand, "mae"), places)
    ratio = f"{number(sums.dispersion)} [{number(low)}, {number(high)}]"
    return (
        strand, label(cell.question.given), f"{mae.items} / {mae.places}", ratio, number(sums.mean_crps),
        number(mae.value), number(sums.unevenness),
    )  # fmt: skip


def _lean(table: Table) -> Table:
    """Without columns that say nothing."""
    keep = [i for i in range(len(table.head)) if any(row[i] != DASH for row in table.rows)]
    return Table(tuple(table.head[i] for i in keep), tuple(tuple(r[i] for i in keep) for r in table.rows), table.title)


def _of(found: Mapping[str, Any], key: str) -> float:
    value = found.get(key)
    return float("nan") if value is None else float(value)


def floats(values: Sequence[float | None]) -> Float[np.ndarray, " n"]:
    """Numbers of a cell; null is nan."""
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _correlation(truth: Sequence[Sequence[float | None]], told: Sequence[Sequence[float | None]]) -> float:
    """Of each band's means over dates, then the mean over bands."""
    x, y = (np.array([floats(row) for row in rows]) for rows in (truth, told))
    found = []
    for a, b in zip(x.T, y.T, strict=True):
        known = np.isfinite(a) & np.isfinite(b)
        if known.sum() > 2 and a[known].std() > 0 and b[known].std() > 0:
            found.append(np.corrcoef(a[known], b[known])[0, 1])
    return float(np.mean(found)) if found else float("nan")


def _signed(value: float) -> str:
    return f"{value:+.3f}" if np.isfinite(value) else DASH


def _several(values: Iterator[str]) -> str:
    known = list(dict.fromkeys(values))
    return known[0] if len(known) == 1 else f"{known[0]} and {len(known) - 1} more"
