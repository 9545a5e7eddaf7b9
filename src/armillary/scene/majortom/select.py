"""Select: which products of which cells are taken, and which of them belong together.

Published tables repeat rows, hold several products of one cell, and pair levels 1C and 2A of different overpasses. So
rows are made unique, filtered, and matched: of Sentinel-2 the latest overpass that both levels have, of Sentinel-1 the
product nearest to it in time. `Selection(match="latest")` takes the latest of each set instead, as COP-GEN-Beta does.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from jaxtyping import Bool, Float, Int

from armillary.earth.when import to_days
from armillary.errors import BadInput, OutOfRange
from armillary.scene.majortom.records import Records

MATCHES = ("overpass", "latest")
"""Ways in which the products of a cell are chosen."""

LEVELS = ("Core-S2L2A", "Core-S2L1C")
"""The two levels of one overpass."""

_PRODUCT = re.compile(r"S2([A-D])_MSIL(?:1C|2A)_(\d{8}T\d{6})_.*_(T\d{2}[A-Z]{3})_")


@dataclass(frozen=True)
class Selection:
    """Which rows are taken. Unknown numbers pass a filter: a set without cloud cover is not cloudy.

    Args:
        time: first and last moment, both included; sets without times (heights) pass.
        cloud: smallest and largest percent under cloud.
        nodata: smallest and largest share of pixels without data, 0 to 1.
        box: (west, south, east, north) in degrees, in which the middle of a cell lies; west > east crosses 180.
        need: sets without which a cell is left out; None means all that are given, () none.
        match: "overpass", or "latest" of each set.

    Example:
        >>> Selection.cop_gen_beta().cloud
        (0.0, 10.0)
    """

    time: tuple[datetime, datetime] | None = None
    cloud: tuple[float | int, float | int] = (0.0, 100.0)
    nodata: tuple[float | int, float | int] = (0.0, 1.0)
    box: tuple[float | int, float | int, float | int, float | int] | None = None
    need: tuple[str, ...] | None = None
    match: str = "overpass"

    def __post_init__(self) -> None:
        for name, (low, high) in {"cloud": self.cloud, "nodata": self.nodata}.items():
            if not low <= high:
                raise OutOfRange(f"{name}=({low}, {high}) was asked for; give the smaller number first")
        if self.time is not None and self.time[0] > self.time[1]:
            raise OutOfRange(f"time from {self.time[0]} to {self.time[1]} was asked for; give the earlier first")
        if self.match not in MATCHES:
            raise BadInput(f"match={self.match!r} was asked for; there are 'overpass' and 'latest'")

    @classmethod
    def cop_gen_beta(cls) -> "Selection":
        """As COP-GEN-Beta was trained: 2017 to 2024, at most 10 percent cloud, no missing pixel, the latest."""
        span = datetime.fromisoformat("2017-01-01T00:00Z"), datetime.fromisoformat("2025-01-01T00:00Z")
        return cls(time=span, cloud=(0.0, 10.0), nodata=(0.0, 0.0), match="latest")

    def of(self, records: Records) -> Records:
        """The rows that are taken, one per product and cell."""
        kept = _within(records.cloud, self.cloud) & _within(records.nodata, self.nodata)
        if self.time is not None:
            kept &= _within(records.days, (to_days(self.time[0]), to_days(self.time[1])))
        if self.box is not None:
            west, south, east, north = self.box
            inside = (records.lon >= west) & (records.lon <= east)
            if west > east:
                inside = (records.lon >= west) | (records.lon <= east)
            kept &= inside & (records.lat >= south) & (records.lat <= north)
        return records.take(kept).unique()


@dataclass(frozen=True, eq=False)
class Places:
    """Cells and the row of each set there.

    Args:
        cells: ids, sorted.
        sets: what was matched, each with the rows that are taken.
        rows: position in each set's rows, -1 where the set has none; (cells, sets).
    """

    cells: tuple[str, ...]
    sets: tuple[Records, ...]
    rows: Int[np.ndarray, "n m"]


def match(found: Sequence[Records], selection: Selection) -> Places:
    """The cells that hold what is needed, sorted by id, and one product of each set there.

    Raises:
        BadInput: a set comes twice, or one is needed that is not given.
    """
    names = [r.set.name for r in found]
    needed = set(names if selection.need is None else selection.need)
    if len(set(names)) < len(names) or needed - set(names):
        raise BadInput(f"sets {', '.join(names)} were given and {', '.join(sorted(needed))} are needed; give each once")
    sets = tuple(selection.of(r) for r in found)
    at = [_by_cell(r) for r in sets]
    cells, rows = [], []
    for cell in sorted(set().union(*at)):
        chosen = _chosen(
            {n: a[cell] for n, a in zip(names, at, strict=True) if cell in a},
            dict(zip(names, sets, strict=True)),
            selection,
        )
        if needed <= set(chosen):
            cells.append(cell)
            rows.append([chosen.get(n, -1) for n in names])
    return Places(tuple(cells), sets, np.array(rows, np.int64).reshape(len(cells), len(sets)))


def overpass(product: str, days: float) -> str:
    """What the products of one overpass and tile share: satellite, start of the datatake and tile, else the second.

    Example:
        >>> overpass("S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419", 0.0)
        'A 20220706T085611 T33NZA'
    """
    m = _PRODUCT.search(product)
    if m is not None:
        return " ".join(m.groups())
    return f"{round(days * 86400)}" if np.isfinite(days) else product


def _chosen(there: Mapping[str, Sequence[int]], sets: Mapping[str, Records], selection: Selection) -> dict[str, int]:
    """One row of each set of a cell."""
    chosen = {n: _latest(rows, sets[n]) for n, rows in there.items()}
    if selection.match == "latest":
        return chosen
    if all(level in there for level in LEVELS):
        both = [{_pass_of(sets[level], i): i for i in there[level]} for level in LEVELS]
        shared = [p for p in both[0] if p in both[1]]
        if shared:
            best = max(shared, key=lambda p: _age(sets[LEVELS[0]], both[0][p]))
            chosen |= {level: rows[best] for level, rows in zip(LEVELS, both, strict=True)}
        else:  # no overpass has both: the later product stays
            ages = [_age(sets[level], chosen[level]) for level in LEVELS]
            del chosen[LEVELS[0] if ages[0] < ages[1] else LEVELS[1]]
    anchor = next((n for n in LEVELS if n in chosen), None)
    days = float("nan") if anchor is None else float(sets[anchor].days[chosen[anchor]])
    if "Core-S1RTC" in chosen and np.isfinite(days):
        radar = sets["Core-S1RTC"]
        chosen["Core-S1RTC"] = min(
            there["Core-S1RTC"], key=lambda i: (np.nan_to_num(abs(radar.days[i] - days), nan=np.inf), radar.product[i])
        )
    return chosen


def _pass_of(records: Records, i: int) -> str:
    return overpass(str(records.product[i]), float(records.days[i]))


def _latest(rows: Sequence[int], records: Records) -> int:
    return max(rows, key=lambda i: _age(records, i))


def _age(records: Records, i: int) -> tuple[float, str]:
    """What later products have more of: their time, then their name (it ends in when they were processed)."""
    return float(np.nan_to_num(records.days[i], nan=-np.inf)), str(records.product[i])


def _by_cell(records: Records) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i, cell in enumerate(records.cell.tolist()):
        found.setdefault(cell, []).append(i)
    return found


def _within(values: Float[np.ndarray, " n"], ends: tuple[float | int, float | int]) -> Bool[np.ndarray, " n"]:
    inside: Bool[np.ndarray, " n"] = np.isnan(values) | ((values >= ends[0]) & (values <= ends[1]))
    return inside
