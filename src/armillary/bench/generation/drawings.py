"""Drawings: the plots of a report on generation. Each is drawn in memory and returned as a picture file."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from matplotlib import colormaps, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from armillary.bench.generation.cell import Cell
from armillary.bench.generation.measures import MEASURES
from armillary.bench.generation.parties import label
from armillary.bench.generation.pictures import Shown, same_side
from armillary.bench.generation.sheets import by_strand, floats
from armillary.bench.generation.summary import best_floor, dispersion, main_of, place_mean, relative
from armillary.bench.report.plots import INK, LINES, LOOK, MODEL, RULE, WIDTH_IN, Picture, as_svg, new_axes

_DPI = 110
MONTH_DAYS = 30.44
_MOST_COLUMNS = 13


@style.context(LOOK)
def heat_map(cells: Sequence[Cell], words: str) -> Picture | None:
    """Error of what is expected over that of the best floor: rows are told strands, columns given sets."""
    told = [c for c in cells if c.question.kind == "told" and c.error is None]
    rows = dict(by_strand(told))
    columns = list(dict.fromkeys(label(c.question.given) for c in sorted(told, key=_order)))
    table = np.full((len(rows), len(columns)), np.nan)
    for r, (strand, own) in enumerate(rows.items()):
        for cell in own:
            table[r, columns.index(label(cell.question.given))] = relative(cell, strand)
    if not np.isfinite(table).any():
        return None
    figure, axes = new_axes((WIDTH_IN + 0.17 * len(columns), 1.6 + 0.32 * len(rows)))
    colours = colormaps["RdYlBu_r"].with_extremes(bad=RULE)
    drawn = axes.imshow(np.log2(table), cmap=colours, vmin=-1, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=50, ha="right", rotation_mode="anchor", fontsize=7)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.tick_params(length=0)
    for r, c in np.argwhere(np.isfinite(table)):
        ink = "white" if abs(np.log2(table[r, c])) > 0.8 else INK
        axes.text(c, r, f"{table[r, c]:.2f}", ha="center", va="center", fontsize=6, color=ink)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, ticks=[-1, 0, 1])
    bar.ax.set_yticklabels(["half", "as the best floor", "twice"])
    return as_svg(figure, words)


@style.context(LOOK)
def ranks(cells: Sequence[Cell], words: str) -> Picture | None:
    """Rank histograms of every strand and set of which samples were drawn, with the dispersion ratio."""
    found = [(s, label(c.question.given), sums) for s, own in by_strand(cells) for c in own
             if (sums := dispersion(c, s)[0]) is not None]  # fmt: skip
    if not found:
        return None
    across = 6
    down = -(-len(found) // across)
    figure = Figure(figsize=(WIDTH_IN + 2.2, 1.35 * down + 0.2), layout="constrained")
    FigureCanvasAgg(figure)
    for k, (strand, given, sums) in enumerate(found):
        axes = figure.add_subplot(down, across, k + 1)
        shares = np.array(sums.ranks) / sums.count * len(sums.ranks)
        axes.bar(range(len(shares)), shares, width=0.9, color=MODEL)
        axes.axhline(1, color=INK, linewidth=0.7)
        axes.set_ylim(0, max(3, float(shares.max())))
        axes.set_xticks([])
        axes.set_title(f"{strand} from {given}\ndispersion {sums.dispersion:.2f}", fontsize=6)
        axes.tick_params(labelsize=6)
    figure.supxlabel("rank of the truth among the samples, lowest first", fontsize=7)
    figure.supylabel("share over an even one", fontsize=7)
    return as_svg(figure, words)


@style.context(LOOK)
def drift_curves(cells: Sequence[Cell], words: str) -> Picture | None:
    """Correlation, error over that of the mean floor, and contrast after each round, one curve per strand and loop."""
    found = [c for c in cells if c.question.kind == "drift" and c.error is None]
    if not found:
        return None
    figure = Figure(figsize=(WIDTH_IN + 1.5, 2.9), layout="constrained")
    FigureCanvasAgg(figure)
    titles = ("correlation with the truth", "error over that of the mean", "contrast over the true one")
    panels = [figure.add_subplot(1, 3, k + 1) for k in range(3)]
    loops = [(c, s) for c in found for s in c.numbers["rounds"][0]]
    for k, (cell, strand) in enumerate(loops):
        places = [p for _, p in cell.items]
        series = {m: [place_mean(floats(r[strand][m]), places).value for r in cell.numbers["rounds"]]
                  for m in ("correlation", "mae", "contrast")}  # fmt: skip
        mean = cell.numbers["mean"].get(strand)
        scale = place_mean(floats(mean["mae"]), places).value if mean else float("nan")
        rounds = np.arange(1, len(series["mae"]) + 1)
        series["mae"] = [x / scale for x in series["mae"]]
        for axes, y in zip(panels, series.values(), strict=True):
            axes.plot(rounds, y, marker="o", markersize=3, color=LINES[k % len(LINES)], label=_loop(cell, strand))
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=8)
        axes.set_xlabel("round")
        axes.grid(color=RULE, linewidth=0.6)
    for axes in panels[1:]:
        axes.axhline(1, color=INK, linewidth=0.7)
        axes.set_ylim(bottom=0)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7, frameon=False
    )
    return as_svg(figure, words)


@style.context(LOOK)
def seasons(cell: Cell, words: str) -> Picture:
    """Mean of the picture at each date, real and told, for the last band of each strand."""
    means = cell.numbers["means"]
    strands = list(means["real"])
    figure = Figure(figsize=(min(2.9 * len(strands) + 0.6, WIDTH_IN + 2), 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    days = floats(cell.numbers["days"])
    for k, strand in enumerate(strands):
        axes = figure.add_subplot(1, len(strands), k + 1)
        for who, colour in zip(means, (INK, LINES[0], LINES[3]), strict=False):
            last = [floats(row)[-1] for row in means[who][strand]]
            axes.plot((days - days.min()) / MONTH_DAYS, last, marker="o", markersize=3, color=colour, label=who)
        axes.set_title(f"{strand}, mean of its last band", fontsize=8)
        axes.set_xlabel("months since the first date")
        axes.grid(color=RULE, linewidth=0.6)
        axes.legend(fontsize=6.5, frameon=False)
    return as_svg(figure, words)


@style.context(LOOK)
def errors(cells: Sequence[Cell], words: str) -> Picture | None:
    """Main error of what is expected against the number of given parties, as a share of the mean floor's."""
    told = [c for c in cells if c.question.kind == "told" and c.error is None]
    targets = list(dict.fromkeys(c.question.target for c in told))
    if not targets:
        return None
    figure, axes = new_axes((WIDTH_IN, 3.2))
    for k, target in enumerate(targets):
        own = [c for c in told if c.question.target == target]
        points = [(_order(c), _over_mean(c)) for c in own]
        known = [(x, y) for x, y in points if np.isfinite(y)]
        colour = LINES[k % len(LINES)]
        shift = 0.06 * (k - len(targets) / 2)
        axes.plot([x + shift for x, _ in known], [y for _, y in known], "o", markersize=3, color=colour, alpha=0.6)
        steps = sorted({x for x, _ in known})
        axes.plot(steps, [np.mean([y for x, y in known if x == s]) for s in steps], color=colour, label=target)
    axes.axhline(1, color=INK, linewidth=0.7)
    axes.set_xticks(range(6), ["nothing", "notes", "one", "one + notes", "two", "all others"])
    axes.set_ylabel("error over that of the mean")
    axes.grid(color=RULE, linewidth=0.6)
    axes.legend(fontsize=7, frameon=False, ncols=3)
    return as_svg(figure, words)


def panel(rows: Mapping[str, Mapping[str, Shown]], words: str) -> Picture:
    """Rows of pictures with their captions, as PNG."""
    with style.context(LOOK):
        across = min(max(len(r) for r in rows.values()), _MOST_COLUMNS)
        side = 1.15
        figure = Figure(figsize=(side * across + 0.1, (side + 0.42) * len(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        for r, (title, found) in enumerate(rows.items()):
            shown = dict(list(found.items())[:across])
            for k, (caption, picture) in enumerate(zip(shown, same_side(list(shown.values())), strict=True)):
                axes = figure.add_subplot(len(rows), across, r * across + k + 1)
                axes.imshow(picture, interpolation="nearest")
                axes.set_axis_off()
                axes.set_title(
                    f"{title}\n{caption}" if k == 0 else caption, fontsize=5.5, loc="left" if k == 0 else "center"
                )
        out = BytesIO()
        figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return Picture("png", out.getvalue(), words, round(figure.get_figwidth() * 100))


def _loop(cell: Cell, strand: str) -> str:
    return f"{strand} via {cell.question.given[0]}"


def _order(cell: Cell) -> int:
    given, notes = cell.question.given, "notes" in cell.question.given
    pictures = len(given) - notes
    if "all others" in given:
        return 5
    return {0: 1 if notes else 0, 1: 3 if notes else 2}.get(pictures, 4)


def _over_mean(cell: Cell) -> float:
    """Mean over strands of the main error over that of the mean floor."""
    found = []
    places = [p for _, p in cell.items]
    for strand, teller in cell.numbers["fidelity"]["expected"].items():
        measure = main_of(cell, strand)
        floor = cell.numbers["fidelity"].get("mean", {}).get(strand)
        if floor is None:
            continue
        ours, theirs = (place_mean(floats(x[measure]), places).value for x in (teller, floor))
        ours, theirs = (1 - ours, 1 - theirs) if MEASURES[measure][1] > 0 else (ours, theirs)
        found.append(ours / theirs if theirs else float("nan"))
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def headline(cells: Sequence[Cell]) -> list[str]:
    """Sentences with the figures that are asked for first."""
    told = [c for c in cells if c.question.kind == "told" and c.error is None and c.question.given]
    ratios = [(relative(c, s), s, c) for s, own in by_strand(told) for c in own]
    known = [(r, s, c) for r, s, c in ratios if np.isfinite(r)]
    if not known:
        return []
    better = sum(r < 1 for r, _, _ in known)
    best = min(known, key=lambda k: k[0])
    floor = best_floor(best[2], best[1])[0]
    return [
        f"{better} of {len(known)} pairs of told strand and given set beat the best of their floors on the same items.",
        f"The largest gain is {best[1]} from {label(best[2].question.given)}: {best[0]:.2f} of the error of {floor}.",
    ]
