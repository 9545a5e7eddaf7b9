"""Preview: pictures of scenes and of embeddings, for people. Nothing here is measured from; everything is looked at."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from textwrap import wrap

import numpy as np
import xarray as xr
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.patches import Rectangle

from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.product.footprint import bounds, footprint
from armillary.product.staging import Staging
from armillary.sample.array import sensor_of

LONGEST_PX = 1024
"""Longest side of a picture in pixels; larger scenes are averaged down."""
PCA_TOKENS = 5_000
"""Tokens, evenly spread, that a PCA is fitted on."""
TRUE_COLOUR = (("B04", "B03", "B02"), ("Oa08", "Oa06", "Oa04"))
"""Red, green, blue of the sensors that see them."""
_RADAR_DB = ((-22.0, -2.0), (-28.0, -8.0), (3.0, 14.0))
"""Dark to full of VV, VH and VV - VH in dB: land in yellow and green, water in blue and black."""
_READ_ROWS = 256
_EARTH = LinearSegmentedColormap.from_list("earth", colormaps["gist_earth"](np.linspace(0.3, 0.93, 64)))
"""Tints of height without the blue of the sea."""
_PAPER, _INK, _DIM = "#ffffff", "#16202c", "#5b6b7c"
_WRAP = 42
"""Letters in a line of the legend."""
_NICE = (1.0, 2.0, 5.0)


@dataclass(frozen=True, eq=False)
class Colours:
    """A projection of embeddings to red, green and blue: their first three principal components, 2 to 98 %.

    Args:
        mean: of the sample.
        axes: components, width x 3.
        low: the value of each component that is black.
        high: the value of each component that is full.
        explained: share of the sample's variance in each component.
    """

    mean: Float[np.ndarray, " d"]
    axes: Float[np.ndarray, "d k"]
    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    explained: tuple[float, ...]

    @classmethod
    def fit(cls, tokens: Float[np.ndarray, "n d"]) -> "Colours":
        """From a sample of tokens, all finite. The sign of a component makes its largest entry positive."""
        mean = tokens.mean(axis=0, dtype=np.float64)
        centred = tokens - mean
        variance, vectors = np.linalg.eigh(centred.T @ centred / max(1, len(tokens)))
        k = min(3, tokens.shape[1])
        axes = vectors[:, ::-1][:, :k]
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(k)])
        low, high = np.percentile(centred @ axes, (2, 98), axis=0)
        share = variance[::-1][:k] / max(float(variance.sum()), np.finfo(float).tiny)
        return cls(mean, axes, low, np.maximum(high, low + 1e-12), tuple(float(v) for v in share))

    def paint(self, grid: Float[np.ndarray, "h w d"]) -> UInt8[np.ndarray, "h w 4"]:
        """Embeddings as colours; transparent where there is none."""
        seen = np.isfinite(grid).all(axis=2)
        parts = np.zeros((*grid.shape[:2], 3))
        parts[:, :, : self.axes.shape[1]] = (np.nan_to_num(grid) - self.mean) @ self.axes
        low, high = np.zeros(3), np.ones(3)
        low[: len(self.low)], high[: len(self.high)] = self.low, self.high
        return _rgba(np.moveaxis((parts - low) / (high - low), 2, 0), seen)


def pca_rgb(grid: Float[np.ndarray, "d h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """A map of embeddings as a colour picture: alike is alike in colour. Transparent where NaN."""
    tokens = np.moveaxis(np.asarray(grid, np.float32), 0, 2)
    flat = tokens.reshape(-1, tokens.shape[2])
    flat = flat[np.isfinite(flat).all(axis=1)]
    return Colours.fit(flat[:: max(1, len(flat) // PCA_TOKENS)]).paint(tokens)


def plain(path: Path, picture: UInt8[np.ndarray, "h w 4"] | UInt8[np.ndarray, "h w 3"], *, about_px: int = 640) -> Path:
    """A picture as a PNG without a frame, each pixel repeated a whole number of times to come near a side."""
    times = max(1, round(about_px / max(picture.shape[:2])))
    aside = path.with_name(f".{path.name}.part")
    imsave(aside, np.ascontiguousarray(picture.repeat(times, axis=0).repeat(times, axis=1)), format="png")
    return aside.replace(path)


def pca_picture(staging: Staging) -> tuple[UInt8[np.ndarray, "h w 4"], Colours]:
    """The same of a finished scene on disk, row by row; large maps are thinned to LONGEST_PX."""
    h, w = staging.shape
    step = max(1, -(-max(h, w) // LONGEST_PX))
    stride = max(1, h * w // PCA_TOKENS)
    sample = []
    for row in range(h):
        line = staging.read(slice(row, row + 1), slice(0, w))[0]
        line = line[(-row * w) % stride :: stride]
        sample.append(line[np.isfinite(line).all(axis=1)])
    tokens = np.concatenate(sample)
    colours = Colours.fit(tokens if len(tokens) else staging.pooled()[0])
    lines = [colours.paint(staging.read(slice(r, r + 1), slice(0, w))[:, ::step]) for r in range(0, h, step)]
    return np.concatenate(lines), colours


def rgb(array: xr.DataArray) -> UInt8[np.ndarray, "h w 4"]:
    """A scene as a colour picture, read some rows at a time and averaged down to LONGEST_PX.

    Optical sensors in true colour, radar as VV, VH and their difference (or grey), a height model as a hillshade over
    tints, anything else as one band from dark to bright. Transparent where there is no value.
    """
    sensor = sensor_of(array)
    for names in TRUE_COLOUR:
        if set(names) <= set(sensor.band_names):
            return _optical(_small(array, names), sensor)
    if {"VV", "VH"} <= set(sensor.band_names):
        vv, vh = _small(array, ("VV", "VH"))
        parts = zip((vv, vh, vv - vh), _RADAR_DB, strict=True)
        seen = np.isfinite(vv) & np.isfinite(vh)
        return _rgba(np.stack([(np.nan_to_num(v) - low) / (high - low) for v, (low, high) in parts]), seen)
    first = _small(array, (sensor.band_names[0],))
    if sensor.unit == "m":
        return _relief(first[0])
    return _stretch(np.repeat(first, 3, axis=0)) if sensor.unit == "dB" else _tint(first[0], "inferno")


def quicklook(
    path: Path, picture: UInt8[np.ndarray, "h w 4"], window: Window, *, title: str, legend: Mapping[str, str]
) -> Path:
    """A picture with its scale bar, footprint and legend as a PNG.

    Args:
        path: the PNG to write.
        picture: from `rgb`, `pca_rgb` or `pca_picture`.
        window: the place it covers; without a CRS there is no scale and no footprint.
        title: one line.
        legend: name -> text, printed beside.
    """
    h, w = picture.shape[:2]
    tall = float(np.clip(7.2 * h / max(w, 1), 2.6, 9.0))
    figure = Figure(figsize=(10.4, tall + 0.9), facecolor=_PAPER, dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.03, 0.05, 0.66, tall / (tall + 0.9)))
    axes.set_facecolor("#e9edf1")
    axes.imshow(picture, interpolation="nearest", aspect="equal", extent=(0, w, h, 0))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_edgecolor("#c5cdd6")
    axes.set_title(title, loc="left", fontsize=12, color=_INK, fontweight="bold")
    side = figure.add_axes((0.72, 0.05, 0.26, 0.86))
    side.axis("off")
    if window.crs is not None:
        _scale_bar(axes, window, w)
        _locator(figure, window)
    _legend(side, legend, inch=1 / (0.86 * float(figure.get_figheight())), top=0.66 if window.crs is not None else 1.0)
    aside = path.with_name(f".{path.name}.part")
    figure.savefig(aside, format="png", facecolor=_PAPER, metadata={"Software": "armillary"})
    return aside.replace(path)


def _legend(side: Axes, legend: Mapping[str, str], *, inch: float, top: float) -> None:
    """Names in grey, each with its text below, wrapped."""
    side.set_ylim(0, 1)
    line = 0.175 * inch
    for name, value in legend.items():
        side.text(0, top, name, va="top", fontsize=7.6, color=_DIM)
        lines = wrap(value, _WRAP) or [""]
        side.text(0, top - line, "\n".join(lines), va="top", fontsize=8.6, color=_INK, linespacing=1.4)
        top -= line * (1.6 + len(lines))


def _scale_bar(axes: Axes, window: Window, drawn_px: int) -> None:
    """A bar of a round length, about a fifth of the width, right for the middle of the scene."""
    km_per_px = window.gsd_m / 1000 * window.shape[1] / drawn_px
    wish = drawn_px * km_per_px / 5
    power = 10 ** np.floor(np.log10(wish))
    km = max(n * power for n in _NICE if n * power <= wish * 1.0001)
    label = f"{km:g} km" if km >= 1 else f"{km * 1000:g} m"
    length, height = km / km_per_px, axes.get_ylim()[0]
    x, y, thick = 0.03 * drawn_px, height * 0.955, height * 0.012
    axes.add_patch(
        Rectangle((x - 0.01 * drawn_px, y - 5.5 * thick), length + 0.02 * drawn_px, 8 * thick, fc="white", alpha=0.82)
    )
    axes.add_patch(Rectangle((x, y), length, thick, fc=_INK))
    axes.text(x + length / 2, y - thick, label, ha="center", va="bottom", fontsize=8.5, color=_INK)


def _locator(figure: Figure, window: Window) -> None:
    """Where on Earth: a graticule with the footprint, and its bounds in words."""
    shape = footprint(window)
    west, south, east, north = bounds(shape)
    world = figure.add_axes((0.72, 0.66, 0.26, 0.24))
    world.set_xlim(-180, 180)
    world.set_ylim(-90, 90)
    for ring in _land():
        world.fill(*zip(*ring, strict=True), fc="#cfd6dd", ec="none")
    world.set_xticks(range(-120, 180, 60), [])
    world.set_yticks((-60, -30, 0, 30, 60), [])
    world.grid(color="#c5cdd6", linewidth=0.6)
    world.tick_params(length=0)
    for part in getattr(shape, "geoms", [shape]):
        world.fill(*part.exterior.xy, fc="#d1495b", ec="#d1495b", lw=1.2)
    lon, lat = window.center
    world.plot(lon, lat, marker="o", ms=11, mfc="none", mec="#d1495b", mew=1.4)
    words = f"{_degree(south, 'S', 'N')} to {_degree(north, 'S', 'N')}, "
    words += f"{_degree(west, 'W', 'E')} to {_degree(east, 'W', 'E')}"
    world.set_title(f"footprint\n{words}", fontsize=8.2, color=_INK, loc="left")


@cache
def _land() -> list[list[tuple[float, float]]]:
    """Outlines of the continents in degrees, coarse: Natural Earth 1:110m, public domain."""
    text = files("armillary.data").joinpath("land.json").read_text(encoding="utf-8")
    return [[(float(x), float(y)) for x, y in ring] for ring in json.loads(text)["rings"]]


def _degree(value: float, below: str, above: str) -> str:
    return f"{abs(value):.3f}°{below if value < 0 else above}"


def _small(array: xr.DataArray, names: tuple[str, ...]) -> Float[np.ndarray, "c h w"]:
    """Bands averaged over squares of pixels so that the longest side is at most LONGEST_PX."""
    at = [list(array["band"].values).index(n) for n in names]
    h, w = array.sizes["y"], array.sizes["x"]
    k = max(1, -(-max(h, w) // LONGEST_PX))
    rows = max(1, _READ_ROWS // k) * k
    return np.concatenate([averaged(array[at, r : r + rows].values, k) for r in range(0, h, rows)], axis=1)


def averaged(values: Float[np.ndarray, "c h w"], k: int) -> Float[np.ndarray, "c v u"]:
    """Means of k x k pixels over those that hold something; NaN where none does."""
    c, h, w = values.shape
    padded = np.full((c, -(-h // k) * k, -(-w // k) * k), np.nan, np.float32)
    padded[:, :h, :w] = values
    squares = padded.reshape(c, padded.shape[1] // k, k, padded.shape[2] // k, k)
    seen = np.isfinite(squares)
    count = seen.sum(axis=(2, 4))
    total = np.where(seen, squares, np.float32(0)).sum(axis=(2, 4))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _optical(values: Float[np.ndarray, "3 h w"], sensor: Sensor) -> UInt8[np.ndarray, "h w 4"]:
    """From each band's 1 % value, which is haze, to the 98 % value of all three; gamma 1.5."""
    seen = np.isfinite(values).all(axis=0)
    if not seen.any():
        return _rgba(np.zeros_like(values), seen)
    haze = np.maximum(np.percentile(values[:, seen], 1, axis=1) * 0.9, 0)[:, None, None]
    top = float(np.percentile(values[:, seen], 98))
    top = float(np.clip(top, 0.18, 0.45)) if sensor.unit == "reflectance" else top
    span = np.maximum(top - haze, 1e-12)
    return _rgba(np.clip((np.nan_to_num(values) - haze) / span, 0, 1) ** (1 / 1.5), seen)


def _stretch(values: Float[np.ndarray, "3 h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """Each band from its 2 % to its 98 % value."""
    seen = np.isfinite(values).all(axis=0)
    if not seen.any():
        return _rgba(np.zeros_like(values), seen)
    low, high = np.percentile(values[:, seen], (2, 98), axis=1)[:, :, None, None]
    return _rgba((np.nan_to_num(values) - low) / np.maximum(high - low, 1e-12), seen)


def _tint(values: Float[np.ndarray, "h w"], colours: str | Colormap) -> UInt8[np.ndarray, "h w 4"]:
    grey = _stretch(np.repeat(values[None], 3, axis=0))
    scale = colormaps[colours] if isinstance(colours, str) else colours
    painted = (scale(grey[:, :, 0])[:, :, :3] * 255).round().astype(np.uint8)
    return np.dstack([painted, grey[:, :, 3]])


def _relief(height: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """Light from the north-west at 45 degrees, exaggerated to suit the scene, over tints of height."""
    tint = _tint(height, _EARTH)
    seen = np.isfinite(height)
    if min(height.shape) < 2 or not seen.any():
        return tint
    filled = np.where(seen, height, np.nanmean(height))
    dy, dx = np.gradient(_blurred(filled))
    steep = 1 / max(float(np.percentile(np.hypot(dx, dy), 95)), 1e-6)
    light = (1 + steep * (dx + dy) / 2) / np.sqrt(1 + steep**2 * (dx**2 + dy**2))
    shade = np.clip(0.35 + 0.65 * light, 0, 1.15)[:, :, None]
    return np.dstack([np.clip(tint[:, :, :3] * shade, 0, 255).astype(np.uint8), tint[:, :, 3]])


def _blurred(height: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Means over 3 x 3 pixels, twice: heights are often whole metres, whose steps would look like terraces."""
    for _ in range(2):
        around = np.pad(height, 1, mode="edge")
        h, w = height.shape
        height = np.mean([around[i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0)
    return height


def _rgba(values: Float[np.ndarray, "3 h w"], seen: np.ndarray) -> UInt8[np.ndarray, "h w 4"]:
    colour = (np.clip(np.moveaxis(values, 0, 2), 0, 1) * 255).round().astype(np.uint8)
    return np.dstack([colour, np.where(seen, 255, 0).astype(np.uint8)])
