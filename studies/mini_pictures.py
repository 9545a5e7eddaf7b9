"""Pictures of the page on real-mini: how much better, and over how many labels."""

import math
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from armillary.bench.report.cells import Line
from armillary.bench.report.paired import Difference
from armillary.bench.report.plots import DIM, INK, LINES, RULE
from armillary.bench.report.tables import unit_of
from armillary.bench.task import Task

DPI = 110

COLOURS = {"pixels": 1, "place-time": 2}
"""Number of a role's colour; the model's is the first, that of its untrained twin is UNTRAINED."""

UNTRAINED = 3


def differences_picture(
    found: Mapping[str, Mapping[str, Difference]], constant: Mapping[str, float], rivals: Mapping[str, str]
) -> bytes:
    """Gains with their intervals, shares left, errors right as a share of the constant's; as a PNG.

    Args:
        found: question -> role of a rival -> difference.
        constant: question -> error of the mean.
        rivals: role -> what it is called.
    """
    sides = [
        [q for q, some in found.items() if (next(iter(some.values())).ours.main == "RMSE") == error]
        for error in (False, True)
    ]
    figure = _figure((11.5, 1.2 + 0.62 * max(map(len, sides))))
    axes = figure.subplots(1, 2)
    words = ("gain in OA, mAP or mIoU", "gain in RMSE, as a share of the constant's")
    for axis, questions, word in zip(axes, sides, words, strict=True):
        _gains(axis, {q: found[q] for q in questions}, constant, rivals)
        axis.set_xlabel(f"← worse · {word} · better →")
    handles, labels = axes[1].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True)) | dict(zip(*axes[0].get_legend_handles_labels()[::-1], strict=True))
    order = [n for n in rivals.values() if n in named]
    figure.legend(
        [named[n] for n in order], [f"less {n}" for n in order], loc="outside lower center", ncols=4, frameon=False
    )
    return _png(figure)


def shares_picture(curves: Mapping[str, Sequence[Line]], tasks: Mapping[str, Task]) -> bytes:
    """One small plot for each question: main measure over the share of the labels; as a PNG."""
    drawn = {q: some for q, some in curves.items() if len({x.asking.fraction for x in some}) > 1}
    columns = min(3, max(len(drawn), 1))
    rows = math.ceil(len(drawn) / columns) or 1
    figure = _figure((3.8 * columns, 2.9 * rows + 0.4))
    grid = np.array(figure.subplots(rows, columns, squeeze=False)).ravel()
    roles = list(dict.fromkeys(_called(x) for some in drawn.values() for x in some))
    named = {}
    for axis, (question, some) in zip(grid, drawn.items(), strict=False):
        for role in roles:
            line = sorted((x for x in some if _called(x) == role), key=lambda x: x.asking.fraction)
            if line:
                (named[role],) = axis.plot(
                    [x.asking.fraction for x in line],
                    [x.mean for x in line],
                    "--" if line[0].asking.is_plain else "-",
                    marker="o",
                    markersize=3.5,
                    color=LINES[UNTRAINED if line[0].asking.is_untrained else COLOURS.get(role, 0)],
                )
        shares = sorted({x.asking.fraction for x in some})
        axis.set_xscale("log")
        axis.set_xticks(shares, [f"{s:.0%}" for s in shares])
        axis.minorticks_off()
        unit = unit_of(question, tasks)
        axis.set_title(f"{question}: {some[0].main}{f', {unit}' if unit else ''}", fontsize=9, color=INK)
        axis.grid(color=RULE, linewidth=0.6)
    for axis in grid[len(drawn) :]:
        axis.set_visible(False)
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
    return _png(figure)


def fewer_colours(png: bytes) -> bytes:
    """The same picture in 64 colours: a third of the bytes."""
    out = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").quantize(64).save(out, "png", optimize=True)
    return out.getvalue()


def _called(line: Line) -> str:
    return line.asking.role.removesuffix(", told")


def _gains(
    axis: Axes, found: Mapping[str, Mapping[str, Difference]], constant: Mapping[str, float], rivals: Mapping[str, str]
) -> None:
    for row, (question, some) in enumerate(found.items()):
        for k, role in enumerate(rivals):
            if role not in some:
                continue
            gain, ours = some[role].gain, some[role].ours
            scale = constant.get(question, math.nan) if ours.main == "RMSE" else 1.0
            y = -row - 0.17 * (k - 1.5)
            faint = 1.0 if gain.sure else 0.45
            axis.plot([gain.low / scale, gain.high / scale], [y, y], color=LINES[k], linewidth=1.6, alpha=faint)
            axis.plot([gain.mean / scale], [y], "o", color=LINES[k], markersize=4.5, alpha=faint)
    for k, called in enumerate(rivals.values()):
        axis.plot([], [], "o-", color=LINES[k], label=called)
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.set_yticks([-r for r in range(len(found))], list(found))
    axis.set_ylim(-len(found) + 0.4, 0.6)
    axis.grid(axis="x", color=RULE, linewidth=0.6)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", colors=DIM)
    for row in range(1, len(found)):
        axis.axhline(-row + 0.5, color=RULE, linewidth=0.6)


def _figure(size: tuple[float, float]) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    out = BytesIO()
    figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()
