"""What was answered beside what is true, for a few items of a cell.

`armillary.bench.arena.examples` wrote them: pixels to look at, truths and predictions, classes where a class map was
asked.
"""

import math
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from armillary.bench.arena.cell import Cell
from armillary.bench.report.plots import Picture
from armillary.errors import SceneUnreadable
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, ValueMap

MOST = 6
"""Items that are shown."""

LONGEST, MOST_NAMES = 24, 2
"""Letters of a class, and classes, that are named above an item of several."""

SIDE_IN = 1.75
UNKNOWN = "#d8dfe6"
_DPI = 110


@dataclass(frozen=True, eq=False)
class Examples:
    """A few answered items.

    Args:
        pixels: to look at, 0 to 1.
        truths: one per item.
        predictions: one per item.
        keys: names.
    """

    pixels: Float[np.ndarray, "m h w 3"]
    truths: Shaped[np.ndarray, "m ..."]
    predictions: Shaped[np.ndarray, "m ..."]
    keys: tuple[str, ...]

    @property
    def has_texture(self) -> bool:
        """Whether there is anything to look at: single pixels as flat patches and empty patches have nothing."""
        return bool(np.ptp(self.pixels, axis=(1, 2)).any())


def read_examples(run: Path, cell: Cell) -> Examples | None:
    """Examples of a cell of a run, None where it has none.

    Raises:
        SceneUnreadable: the file is damaged.
    """
    path = None if cell.examples is None else run / cell.examples
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {k: held[k] for k in ("pixels", "truths", "predictions")}
            keys = tuple(map(str, held["keys"])) if "keys" in held else ()
    except (ValueError, KeyError, OSError, BadZipFile) as cause:
        raise SceneUnreadable(f"{path.name} holds no examples ({cause}); delete the cell and run it again") from cause
    few = {k: a[:MOST] for k, a in arrays.items()}
    return Examples(np.asarray(few["pixels"], dtype=np.float32), few["truths"], few["predictions"], keys[:MOST])


def draw_examples(examples: Examples, answer: Answer, words: str) -> Picture:
    """One column per item: what was seen, and the answer beside the truth (maps below it, words as its title)."""
    maps = isinstance(answer, ClassMap | ValueMap)
    rows, columns = (3, len(examples.pixels)) if maps else (1, len(examples.pixels))
    figure = Figure(figsize=(SIDE_IN * columns + 0.9 * maps, SIDE_IN * rows + 0.55), layout="constrained")
    FigureCanvasAgg(figure)
    grid = np.array(figure.subplots(rows, columns, squeeze=False))
    for k in range(columns):
        _bare(grid[0, k]).imshow(examples.pixels[k].clip(0, 1), interpolation="nearest")
        if not maps:
            grid[0, k].set_title(_sentence(examples.truths[k, ...], examples.predictions[k, ...], answer), fontsize=7)
    if isinstance(answer, ClassMap):
        _class_maps(figure, grid, examples, answer)
    elif isinstance(answer, ValueMap):
        _value_maps(figure, grid, examples, answer)
    for row, name in enumerate(("seen", "truth", "answered") if maps else ()):
        grid[row, 0].set_ylabel(name, fontsize=8)
    out = BytesIO()
    figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return Picture("png", out.getvalue(), words, round(figure.get_figwidth() * 100))


def _class_maps(figure: Figure, grid: np.ndarray, examples: Examples, answer: ClassMap) -> None:
    k = len(answer.classes)
    colours = class_colours(k)
    norm = BoundaryNorm(np.arange(k + 1) - 0.5, k)
    for row, maps in ((1, examples.truths), (2, examples.predictions)):
        for column, one in enumerate(maps):
            known = np.ma.masked_equal(np.asarray(one, dtype=np.int64), IGNORE)
            _bare(grid[row, column]).imshow(known, cmap=colours, norm=norm, interpolation="nearest")
    seen = [c for c in range(k) if np.any(examples.truths == c) or np.any(examples.predictions == c)]
    patches = [Patch(color=colours(c), label=answer.classes[c]) for c in seen]
    patches += [Patch(color=UNKNOWN, label="unknown")] * bool(np.any(examples.truths == IGNORE))
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 6), fontsize=7, frameon=False)


def _value_maps(figure: Figure, grid: np.ndarray, examples: Examples, answer: ValueMap) -> None:
    known = examples.truths[np.isfinite(examples.truths)]
    low, high = (float(np.quantile(known, q)) if len(known) else 0.0 for q in (0.01, 0.99))
    cmap = colormaps["viridis"].with_extremes(bad=UNKNOWN)
    drawn = None
    for row, maps in ((1, examples.truths), (2, examples.predictions)):
        for column, one in enumerate(maps):
            drawn = _bare(grid[row, column]).imshow(one, cmap=cmap, vmin=low, vmax=max(high, low + 1e-9))
    if drawn is not None:
        figure.colorbar(drawn, ax=grid[1:].ravel().tolist(), label=answer.unit, shrink=0.8)


def class_colours(count: int) -> Colormap:
    """So many colours that can be told apart; what is unknown is grey."""
    if count == 2:
        return ListedColormap(["#efe6d2", "#2f6f9f"]).with_extremes(bad=UNKNOWN)
    base = colormaps["tab10" if count <= 10 else "tab20"]
    colours = [base(i % base.N) for i in range(count)]
    return ListedColormap(colours).with_extremes(bad=UNKNOWN)


def _sentence(truth: Shaped[np.ndarray, "..."], predicted: Shaped[np.ndarray, "..."], answer: Answer) -> str:
    match answer:
        case OneOf(classes):
            said = int(np.argmax(predicted)) if np.ndim(predicted) else int(predicted)
            mark = "✓" if said == int(truth) else "✗"
            return f"{classes[int(truth)]}\n{mark} {classes[said]}"
        case AnyOf(classes):
            return f"truth: {_some(classes, np.asarray(truth) > 0)}\n→ {_some(classes, np.asarray(predicted) > 0.5)}"
        case _:
            return f"truth {_value(truth)}\n→ {_value(predicted)}"


def _some(classes: tuple[str, ...], there: np.ndarray) -> str:
    names = [c if len(c) <= LONGEST else f"{c[: LONGEST - 1]}…" for c, yes in zip(classes, there, strict=True) if yes]
    return ",\n".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "") or "none"


def _value(value: Shaped[np.ndarray, ""]) -> str:
    return "unknown" if math.isnan(float(value)) else f"{float(value):.4g}"


def _bare(axes: Axes) -> Axes:
    axes.set_xticks([])
    axes.set_yticks([])
    return axes
