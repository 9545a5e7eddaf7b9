"""Paired differences: by how much a model is better than what stands beside it, asked the same items.

Cells of one task, protocol and seed drew the same groups of items for their intervals, and kept the score of every
draw; so a difference is taken draw by draw, which makes it far surer than two intervals side by side.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.bench.arena.cell import Cell
from armillary.bench.report.cells import Line, better, over_folds
from armillary.bench.report.tables import DASH, Table, signed
from armillary.errors import SceneUnreadable
from armillary.probe.intervals import LEVEL, Interval

TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
Key = tuple[str, int]
"""Task and seed."""


@dataclass(frozen=True, eq=False)
class Difference:
    """By how much ours is better than theirs in the main measure, whichever way that counts.

    Args:
        ours: a model's line.
        theirs: another line of the same question, protocol and share.
        gain: above 0 where ours is better; its ends are nan where nothing tells how far it can be trusted.
        pairs: cells of equal task and seed.
    """

    ours: Line
    theirs: Line
    gain: Interval
    pairs: int


def differences(run: Path, lines: Sequence[Line]) -> Iterator[Difference]:
    """Every trained model's line less every baseline's, and less its own without what it was told.

    Args:
        run: folder of the cells, for their draws.
        lines: of one question, protocol and share.

    Raises:
        SceneUnreadable: a file of draws is damaged.
    """
    for ours in lines:
        if ours.asking.is_plain or ours.asking.is_untrained:
            continue
        for theirs in lines:
            if theirs.asking.is_plain or theirs.asking.is_untrained or _is_untold(ours, theirs):
                found = difference(run, ours, theirs)
                if found is not None:
                    yield found


def difference(run: Path, ours: Line, theirs: Line) -> Difference | None:
    """Of the cells that both have; None where there are none.

    Raises:
        SceneUnreadable: a file of draws is damaged.
    """
    mine, others = _by_key(ours.cells), _by_key(theirs.cells)
    both = sorted(set(mine) & set(others))
    if not both:
        return None
    tasks = dict.fromkeys(task for task, _ in both)
    folds = [_fold(run, [(mine[k], others[k]) for k in both if k[0] == task]) for task in tasks]
    return Difference(ours, theirs, over_folds(folds), len(both))


def table(found: Iterable[Difference]) -> Table | None:
    """One row for each difference; what is beyond doubt is marked. None where there is none."""
    some = list(found)
    if not some:
        return None
    rows = tuple(
        (d.ours.asking.who, d.theirs.asking.who, signed(d.gain.mean), _ends(d.gain), verdict(d.gain)) for d in some
    )
    first = some[0].ours
    title = f"Better by, in {first.main}, {first.asking.fraction:.0%} of the labels: asked the same items, paired"
    return Table(("model", "against", "better by", "95 % over items", "says"), rows, title)


def verdict(gain: Interval) -> str:
    """What an interval says.

    Example:
        >>> verdict(Interval(0.1, 0.05, 0.2)), verdict(Interval(0.1, -0.05, 0.2))
        ('better', 'undecided')
    """
    if np.isnan(gain.low) or not gain.sure:
        return "undecided" if not np.isnan(gain.low) else DASH
    return "better" if gain.low > 0 else "worse"


def _fold(run: Path, pairs: Sequence[tuple[Cell, Cell]]) -> Interval:
    """Mean over seeds of the difference and of the ends of its interval."""
    sign = better(pairs[0][0].main)
    ends = [_quantiles(sign * (_draws(run, a) - _draws(run, b))) for a, b in pairs]
    mean = float(np.mean([sign * (a.score - b.score) for a, b in pairs]))
    low, high = (float(np.mean(side)) for side in zip(*ends, strict=True))
    return Interval(mean, low, high)


def _quantiles(x: Float[np.ndarray, " d"]) -> tuple[float, float]:
    known = x[~np.isnan(x)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, TAILS)
    return float(low), float(high)


def _draws(run: Path, cell: Cell) -> Float[np.ndarray, " d"]:
    """One nan where a cell kept none."""
    path = None if cell.draws is None else run / cell.draws
    if path is None or not path.is_file():
        return np.full(1, np.nan)
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    except (ValueError, EOFError) as cause:
        raise SceneUnreadable(f"{path.name} holds no draws ({cause}); delete the cell and run it again") from cause


def _by_key(cells: Iterable[Cell]) -> Mapping[Key, Cell]:
    return {(c.question.task, c.question.seed): c for c in cells}


def _is_untold(ours: Line, theirs: Line) -> bool:
    """The same model and probe, told nothing."""
    a, b = ours.asking, theirs.asking
    return bool(a.knows) and not b.knows and (a.encoder, a.probe) == (b.encoder, b.probe)


def _ends(gain: Interval) -> str:
    return DASH if np.isnan(gain.low) else f"{signed(gain.low)} to {signed(gain.high)}"
