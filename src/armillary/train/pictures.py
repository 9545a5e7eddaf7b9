"""Pictures of a training: its loss, and what its objective makes of places that it never saw."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from armillary.train.health import HEALTH
from armillary.train.objective import Panel

_INCH = 2.2
"""Side of one picture of a panel."""

_SMOOTH = 50
"""The drawn curve is a running mean over about a fiftieth of the run; the raw one stands pale behind it."""


def draw_losses(
    path: Path, train: Mapping[int, Mapping[str, float]], held_out: Mapping[int, Mapping[str, float]]
) -> None:
    """Loss and terms over steps, one picture for each, held-out places beside those trained on."""
    names = list(dict.fromkeys(n for facts in (*train.values(), *held_out.values()) for n in facts))
    names = [n for n in names if n not in {"lr", "grad_norm"} and not n.startswith(HEALTH)]
    columns = min(3, max(len(names), 1))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.2 * max(rows, 1)), layout="constrained")
    FigureCanvasAgg(figure)
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        steps, values = _series(train, name)
        axes.plot(steps + 1, values, color="0.8", linewidth=0.8)
        axes.plot(steps + 1, _running_mean(values), color="C0", marker="." if len(steps) < 3 else None, label="train")
        held_steps, held_values = _series(held_out, name)
        axes.plot(held_steps + 1, held_values, color="C3", marker="o", markersize=3, label="held-out places")
        if len(values) and values.min() > 0:
            axes.set_yscale("log")
        axes.set_title(name)
        axes.set_xlabel("steps")
        axes.legend(fontsize="small")
    _save(figure, path)


def draw_health(path: Path, held_out: Mapping[int, Mapping[str, float]]) -> None:
    """Health of the embeddings of held-out places over steps, one picture for each number; none where there is none."""
    names = list(dict.fromkeys(n for facts in held_out.values() for n in facts if n.startswith(HEALTH)))
    if not names:
        return
    figure = Figure(figsize=(3.6 * len(names), 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for i, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), i + 1)
        steps, values = _series(held_out, name)
        axes.plot(steps + 1, values, color="C2", marker="o", markersize=3)
        axes.set_title(name.removeprefix(HEALTH))
        axes.set_xlabel("steps")
    _save(figure, path)


def draw_panels(path: Path, panels: Sequence[Panel], title: str = "") -> None:
    """Rows of pictures, each with its caption."""
    columns = max(len(p.pictures) for p in panels)
    figure = Figure(figsize=(_INCH * columns, (_INCH + 0.35) * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for row, panel in enumerate(panels):
        for column, (caption, picture) in enumerate(panel.pictures.items()):
            axes = figure.add_subplot(len(panels), columns, row * columns + column + 1)
            axes.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(caption, fontsize="small")
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(panel.title, fontsize="small")
    _save(figure, path)


def _series(facts: Mapping[int, Mapping[str, float]], name: str) -> tuple[np.ndarray, np.ndarray]:
    there = sorted(step for step, values in facts.items() if name in values)
    return np.asarray(there), np.asarray([facts[step][name] for step in there])


def _running_mean(values: np.ndarray) -> np.ndarray:
    width = max(1, len(values) // _SMOOTH)
    total = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - width, 0)
    return np.asarray((total[ends] - total[starts]) / (ends - starts))


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    figure.savefig(aside, dpi=110, format="png")
    aside.replace(path)
