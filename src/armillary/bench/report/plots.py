"""Scores as bars, curves, matrices and maps. Each is drawn in memory and returned as a picture file."""

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from armillary.bench.report.cells import Line, better
from armillary.bench.report.tables import spelled

INK, DIM, RULE = "#1a2733", "#66788a", "#d8dfe6"
MODEL, UNTRAINED_BAR, PLAIN_BAR, PUBLISHED_BAR = "#2f6f9f", "#9cc1db", "#a9b4bf", "#e8d5a9"
LINES = ("#2f6f9f", "#c8553d", "#4c8c4a", "#8a5aa8", "#c79a2b", "#2b9c95", "#7d5a4f", "#66788a")
WIDTH_IN = 7.2
MOST_NUMBERS = 12
"""Classes above which a matrix has no numbers in its cells."""

LOOK: dict[str, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": DIM,
    "xtick.color": DIM,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "armillary",
}


@dataclass(frozen=True)
class Picture:
    """A drawn file.

    Args:
        kind: "svg+xml" or "png".
        content: of the file.
        words: what it shows, for those who cannot see it.
        width: in CSS pixels.
    """

    kind: str
    content: bytes
    words: str
    width: int

    @property
    def href(self) -> str:
        """The whole file as an address, so that a page needs no other file."""
        return f"data:image/{self.kind};base64,{b64encode(self.content).decode()}"


@style.context(LOOK)
def bars(lines: Sequence[Line], published: Mapping[str, tuple[float, float]], words: str, measure: str = "") -> Picture:
    """Main measure of every line with its interval over items, published rows below.

    Args:
        lines: of one question, protocol and share, the best first.
        published: model -> mean and deviation.
        words: what is shown.
        measure: with its unit, below the axis; "": its name.
    """
    rows = [(x.asking.who, x.mean, x.mean - x.low, x.high - x.mean, _colour(x)) for x in lines]
    rows += [(f"published: {m}", mean, std, std, PUBLISHED_BAR) for m, (mean, std) in published.items()]
    figure, axes = new_axes((WIDTH_IN, 0.6 + 0.27 * len(rows)))
    at = np.arange(len(rows))[::-1]
    means = [r[1] for r in rows]
    axes.barh(at, means, color=[r[4] for r in rows], height=0.72)
    ends = np.nan_to_num(np.array([[r[2], r[3]] for r in rows]).T).clip(0)
    axes.errorbar(means, at, xerr=ends, fmt="none", ecolor=INK, elinewidth=1, capsize=2.5)
    axes.set_yticks(at, [r[0] for r in rows])
    axes.set_xlabel(measure or lines[0].main)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    tops = [m + e for m, e in zip(means, ends[1], strict=True) if not math.isnan(m)]
    for y, mean, end in zip(at, means, ends[1], strict=True):
        axes.text(mean + end, y, f"  {spelled(mean)}", va="center", fontsize=8, color=INK)
    axes.set_xlim(min([0.0, *(m for m in means if not math.isnan(m))]), max([0.0, *tops]) * 1.12 or 1.0)
    return as_svg(figure, words)


def _colour(line: Line) -> str:
    return PLAIN_BAR if line.asking.is_plain else UNTRAINED_BAR if line.asking.is_untrained else MODEL


@style.context(LOOK)
def curves(lines: Sequence[Line], words: str) -> Picture | None:
    """Main measure over the share of labels, one curve per encoder and probe; None where one share is all there is."""
    by_who: dict[str, list[Line]] = {}
    for line in lines:
        by_who.setdefault(line.asking.who, []).append(line)
    several = {who: sorted(some, key=lambda x: x.asking.fraction) for who, some in by_who.items() if len(some) > 1}
    if not several:
        return None
    figure, axes = new_axes((WIDTH_IN, 3.6 + 0.16 * len(several)))
    for k, (who, some) in enumerate(several.items()):
        x = [s.asking.fraction for s in some]
        colour = LINES[k % len(LINES)]
        dashes = "--" if some[0].asking.is_plain else "-"
        axes.plot(x, [s.mean for s in some], dashes, marker="o", markersize=3.5, color=colour, label=who)
        axes.fill_between(x, [s.low for s in some], [s.high for s in some], color=colour, alpha=0.1, linewidth=0)
    shares = sorted({s.asking.fraction for some in several.values() for s in some})
    axes.set_xscale("log")
    axes.set_xticks(shares, [f"{s:.0%}" for s in shares])
    axes.minorticks_off()
    axes.set_xlabel("share of the labels")
    axes.set_ylabel(lines[0].main)
    axes.grid(color=RULE, linewidth=0.6)
    axes.legend(fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return as_svg(figure, words)


@style.context(LOOK)
def confusion(line: Line, classes: Sequence[str], words: str) -> Picture | None:
    """How often each class was answered, as a share of its truth; None where nobody counted."""
    counts = confusion_of(line)
    if counts is None:
        return None
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    k = len(counts)
    names = list(classes) if len(classes) == k else [str(i) for i in range(k)]
    side = min(2.4 + 0.34 * k, 8.5)
    figure, axes = new_axes((side + 0.6, side))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(k), names)
    if max(map(len, names)) > 3:
        for name in axes.get_xticklabels():
            name.set(rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k), names)
    axes.set_xlabel("answered")
    axes.set_ylabel("truth")
    axes.tick_params(length=0)
    for row, col in np.ndindex(share.shape) if k <= MOST_NUMBERS else ():
        if not math.isnan(share[row, col]) and share[row, col] >= 0.005:
            ink = "white" if share[row, col] > 0.55 else INK
            axes.text(col, row, f"{share[row, col]:.2f}", ha="center", va="center", fontsize=7.5, color=ink)
    return as_svg(figure, words)


def confusion_of(line: Line) -> Float[np.ndarray, "k k"] | None:
    """Counts of all cells of a line (row: truth, column: answer); None where one has no such counts."""
    counts = [np.array(c.confusion or 0, dtype=np.float64) for c in line.cells]
    return np.sum(counts, axis=0) if counts and all(c.ndim == 2 for c in counts) else None


@style.context(LOOK)
def region_map(line: Line, words: str) -> Picture | None:
    """Score of each region where it lies; None where no place is known."""
    found = [r for c in line.cells for r in c.regions or () if r.get("score") is not None]
    table = np.array([[r["lon"], r["lat"], r["n"], r["score"]] for r in found], dtype=np.float64)
    table = table[np.isfinite(table).all(axis=1)] if found else table
    if not len(table):
        return None
    west, south, east, north = _around(table[:, :2])
    tall = 1 / max(math.cos(math.radians((south + north) / 2)), 0.3)
    figure, axes = new_axes((WIDTH_IN, float(np.clip(5.6 * tall * (north - south) / (east - west), 2.4, 5.2)) + 0.4))
    for ring in _coasts():
        axes.fill(*ring.T, facecolor="#eef1f4", edgecolor=RULE, linewidth=0.5)
    size = 14 + 90 * np.sqrt(table[:, 2] / table[:, 2].max())
    drawn = axes.scatter(
        table[:, 0],
        table[:, 1],
        c=table[:, 3],
        s=size,
        cmap="viridis" if better(line.main) > 0 else "viridis_r",  # bright is good
        edgecolors=INK,
        linewidths=0.4,
    )
    if better(line.main) > 0:
        drawn.set_clim(min(0.0, float(table[:, 3].min())), 1.0)
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect(tall)
    axes.set_xlabel("longitude in degrees")
    axes.set_ylabel("latitude in degrees")
    figure.colorbar(drawn, ax=axes, label=line.main, shrink=0.85)
    return as_svg(figure, words)


def _around(lonlat: Float[np.ndarray, "n 2"]) -> tuple[float, float, float, float]:
    """West, south, east and north of a frame with room around places; the whole Earth where they are spread."""
    low, high = lonlat.min(axis=0), lonlat.max(axis=0)
    room = np.maximum(0.15 * (high - low), 5.0)
    west, south = np.maximum(low - room, (-180, -90))
    east, north = np.minimum(high + room, (180, 90))
    return (-180.0, -65.0, 180.0, 85.0) if east - west > 240 else (float(west), float(south), float(east), float(north))


@cache
def _coasts() -> tuple[Float[np.ndarray, "p 2"], ...]:
    text = (files("armillary") / "data" / "land.json").read_text(encoding="utf-8")
    return tuple(np.array(ring, dtype=np.float64) for ring in json.loads(text)["rings"])


def new_axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure of so many inches with one pair of axes."""
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def as_svg(figure: Figure, words: str) -> Picture:
    """The same bytes for the same drawing."""
    out = BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return Picture("svg+xml", out.getvalue(), words, round(figure.get_figwidth() * 100))
