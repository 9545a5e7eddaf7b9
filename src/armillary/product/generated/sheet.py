"""Sheet: what was given, what was made of it, and the truth where there is one, side by side for people.

All pictures of one sensor share their colours, so that samples, mean and truth can be compared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from armillary.earth.card import card_text
from armillary.earth.sensors import Sensor
from armillary.product.generated.answers import Answers
from armillary.product.generated.colours import LAND_COVER
from armillary.product.generated.grid import Reader, reader
from armillary.product.generated.menu import Output
from armillary.product.preview import averaged, rgb
from armillary.scene.scene import Scene

SHOWN_SAMPLES = 4
PICTURE_PX = 128
"""Longest side of a picture; larger scenes are averaged down."""

MARGIN_PX = 4
"""Around each of the pictures that are shaded together, so that no slope is seen from one to the next."""

_INK, _DIM, _PAPER = "#16202c", "#5b6b7c", "#ffffff"

Picture = UInt8[np.ndarray, "h w 4"]


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture with its caption."""

    caption: str
    picture: Picture


def write_sheet(path: Path, answers: Answers, title: str, truth: Mapping[str, Scene]) -> Path:
    """A contact sheet as a PNG: the first row shows what is given, then a row for everything that was made.

    Args:
        path: the file.
        answers: what was made.
        title: one line.
        truth: name of an output, or of the sensor of a single strand -> what was measured.
    """
    plan = answers.plan
    rows = [_given(key, scene, answers) for key, scene in plan.scenes.items()]
    first = [panel for row in rows for panel in row]
    made = [_row(o, answers, truth.get(o.name, truth.get(o.sensor.name))) for o in plan.outputs]
    return _draw(path, [first, *made], title)


def _given(key: str, scene: Scene, answers: Answers) -> list[Panel]:
    categories = key in answers.plan.menu.categories
    seen = _small(reader(scene, answers.plan.layout.grid, categories=categories), answers, nearest=categories)
    return [Panel(f"given: {key}", paint(scene.sensor, [seen])[0])]


def _row(output: Output, answers: Answers, true: Scene | None) -> list[Panel]:
    n, nearest = answers.plan.samples, output.categories is not None
    made: dict[str, Float[np.ndarray, "c h w"]] = {}
    for i in range(min(n, SHOWN_SAMPLES)):
        name = f"{output.name}, sample {i}" if n > 1 else output.name
        made[name] = _small(lambda rows, i=i: answers.values(output, i, rows), answers, nearest=nearest)
    if n > 1:
        made["most frequent" if nearest else "mean"] = _small(
            lambda rows: answers.mean_and_spread(output, rows)[0], answers, nearest=nearest
        )
    measured = _true(output, answers, true)
    if measured is not None:
        made["true"] = measured
    row = [Panel(name, p) for name, p in zip(made, paint(output.sensor, list(made.values())), strict=True)]
    if n == 1:
        return row
    spread = _small(lambda rows: answers.mean_and_spread(output, rows)[1], answers, nearest=False).mean(axis=0)
    top = float(np.nanpercentile(spread, 98)) if np.isfinite(spread).any() else 0.0
    unit = "of samples differ" if nearest else output.sensor.unit
    caption = Panel(f"spread, 0 to {top:.3g} {unit}", _tinted(spread / max(top, 1e-9), "magma"))
    return [*row[: len(row) - (measured is not None)], caption, *row[len(row) - (measured is not None) :]]


def _true(output: Output, answers: Answers, true: Scene | None) -> np.ndarray | None:
    """What was measured, where all bands of an output were."""
    if true is None or not set(output.sensor.band_names) <= set(true.sensor.band_names):
        return None
    nearest, bands = output.categories is not None, list(true.sensor.index(output.sensor.band_names))
    read = reader(true, answers.plan.layout.grid, categories=nearest)
    return _small(lambda rows: read(rows)[bands], answers, nearest=nearest)


def paint(sensor: Sensor, panels: Sequence[Float[np.ndarray, "c _ _"]]) -> list[Picture]:
    """Pictures of one sensor in shared colours."""
    if sensor.name == "land-cover":
        return [_classes(p[0]) for p in panels]
    if sensor.name == "water":
        return [_tinted(p[0], "Blues") for p in panels]
    if sensor.unit == "8-bit display":
        return [_display(p) for p in panels]
    framed = [np.pad(p, ((0, 0), (0, 0), (MARGIN_PX, MARGIN_PX)), mode="edge") for p in panels]
    widths = np.cumsum([p.shape[2] for p in framed])[:-1]
    attrs = {"sensor": sensor.name, "sensor_card": card_text(sensor)}
    beside = np.concatenate(framed, axis=2)
    array = xr.DataArray(beside, dims=("band", "y", "x"), coords={"band": list(sensor.band_names)}, attrs=attrs)
    return [picture[:, MARGIN_PX:-MARGIN_PX] for picture in np.split(rgb(array), widths, axis=1)]


def _small(read: Reader | Callable[[slice], np.ndarray], answers: Answers, *, nearest: bool) -> np.ndarray:
    """Values on a coarser grid that is small enough to be shown."""
    k = max(1, -(-max(answers.plan.layout.grid.shape) // PICTURE_PX))
    parts = []
    for rows in answers.blocks(multiple=k):
        values = read(rows)
        parts.append(values[:, ::k, ::k] if nearest else averaged(values, k))
    return np.concatenate(parts, axis=1)


def _classes(codes: Float[np.ndarray, "h w"]) -> Picture:
    picture = np.zeros((*codes.shape, 4), np.uint8)
    for code, colour in LAND_COVER.items():
        picture[codes == code] = (*(round(255 * v) for v in to_rgb(colour)), 255)
    return picture


def _display(values: Float[np.ndarray, "c h w"]) -> Picture:
    seen = np.isfinite(values).all(axis=0)
    colours = np.moveaxis(values if len(values) == 3 else values[:1].repeat(3, axis=0), 0, 2)
    levels = np.clip(np.nan_to_num(colours), 0, 255).round().astype(np.uint8)
    return np.dstack([levels, np.where(seen, 255, 0).astype(np.uint8)])


def _tinted(share: Float[np.ndarray, "h w"], name: str) -> Picture:
    painted: Picture = (colormaps[name](np.clip(np.nan_to_num(share), 0, 1)) * 255).round().astype(np.uint8)
    painted[..., 3] = np.where(np.isfinite(share), 255, 0)
    return painted


def _draw(path: Path, rows: Sequence[Sequence[Panel]], title: str) -> Path:
    rows = [row for row in rows if row]
    across = max(map(len, rows))
    h, w = rows[0][0].picture.shape[:2]
    wide = 1.9
    tall = float(np.clip(wide * h / w, 0.6, 4.0)) + 0.3
    figure = Figure(figsize=(max(across * (wide + 0.1), 4.5), len(rows) * tall + 0.55), facecolor=_PAPER, dpi=110)
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, color=_INK, fontweight="bold")
    grid = figure.subplots(len(rows), across, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, row in zip(grid, rows, strict=True):
        for axes, panel in zip(line, row, strict=False):
            axes.imshow(panel.picture, interpolation="nearest")
            axes.set_title(panel.caption, fontsize=7.5, color=_DIM, loc="left", pad=3)
    top = 1 - 0.5 / float(figure.get_figheight())
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=top - 0.02, wspace=0.05, hspace=0.18)
    aside = path.with_name(f".{path.name}.part")
    says = {"Software": "armillary", "Description": title, "SYNTHETIC": "YES"}
    figure.savefig(aside, format="png", facecolor=_PAPER, metadata=says)
    return aside.replace(path)
