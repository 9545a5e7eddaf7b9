"""Dates: one place at other dates: do samples follow the season, and do they differ as real dates differ?"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from armillary.bench.generation.ask import Setting
from armillary.bench.generation.cuts import Cut, Item, evenly
from armillary.bench.generation.spans import spans_of
from armillary.errors import BadInput
from armillary.generate.noise import seed_of

LEAST_DATES, MOST_DATES = 6, 12

DATE = "date"
"""The note that is changed."""

REAL, TOLD, UNTOLD = "real", "date told", "date not told"


def blocks_with_dates(setting: Setting, target: str) -> list[tuple[Cut, ...]]:
    """Held-out blocks of which the target was measured at several dates that are known."""
    want = setting.strands(target)
    found = []
    for cuts in setting.material.dates.values():
        able = tuple(c for c in cuts if DATE in c.item and any(s in c.item for s in want))
        if len({round(c.day) for c in able}) >= LEAST_DATES:
            found.append(evenly(able, MOST_DATES))
    return found


def dates(setting: Setting, target: str) -> tuple[list[Cut], dict[str, object], list[list[Item]]]:
    """One sample of a place for each of its real dates, told the maps, the place and the date; and without the date.

    Returns:
        The cuts; {"days": of each, "means": whose -> strand -> mean of each band at each date, "spread": whose ->
        strand -> mean difference of two pictures in spans}; the samples, told and not told.

    Raises:
        BadInput: no held-out block was seen at six dates.
    """
    blocks = blocks_with_dates(setting, target)
    if not blocks:
        raise BadInput(f"no held-out place shows {target} at {LEAST_DATES} dates or more; ask for another target")
    cuts, want = list(blocks[0]), setting.strands(target)
    kept = {p.strands[0] for p in setting.parties if p.kind == "note"}
    kept |= {s for p in setting.parties if p.kind == "map" and p.name != target for s in p.strands}
    given = tuple(s for s in setting.codes if s in kept and all(s in c.item for c in cuts))
    seeds = [seed_of(setting.plan.seed, "dates", c.key) for c in cuts]
    items = [c.item for c in cuts]
    told = setting.teller.drawn_each(items, want, given, seeds)
    untold = setting.teller.drawn_each(items, want, tuple(s for s in given if s != DATE), seeds)
    have = tuple(s for s in want if all(s in c.item for c in cuts))
    seen = (
        [_as_seen(made, c.item, have) for made, c in zip(some, cuts, strict=True)] for some in (items, told, untold)
    )
    whose = dict(zip((REAL, TOLD, UNTOLD), seen, strict=True))
    return (
        cuts,
        {
            "days": [c.day for c in cuts],
            "given": given,
            "means": {w: {s: [_means(i[s]) for i in some] for s in have}
                      for w, some in whose.items()},
            "spread": {w: {s: _spread(setting, s, some) for s in have} for w, some in whose.items()},
        },
        [told, untold],
    )  # fmt: skip


def _as_seen(made: Item, truth: Item, strands: Sequence[str]) -> Item:
    """Unknown wherever the truth is."""
    return {s: np.where(np.isfinite(truth[s]), made[s], np.float32(np.nan)) for s in strands}


def _means(values: np.ndarray) -> list[float]:
    """Of each band."""
    return [float(v[np.isfinite(v)].mean()) if np.isfinite(v).any() else float("nan") for v in values]


def _spread(setting: Setting, strand: str, items: list[Item]) -> float:
    """Mean absolute difference of two pictures as a share of the spans, over all pairs."""
    spans = spans_of(setting.codes[strand])
    if spans is None:
        return float("nan")
    apart = [np.abs(a[strand] - b[strand]) / spans[:, None, None] for a, b in combinations(items, 2)]
    return float(np.mean([d[np.isfinite(d)].mean() for d in apart if np.isfinite(d).any()]))
