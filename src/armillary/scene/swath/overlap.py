"""Overlap: footprints of any shape laid on a grid by the area that they share with each cell.

    value(cell) = sum_i |footprint_i n cell| v_i / sum_i |footprint_i n cell|

Nothing is interpolated: a cell that no footprint touches is NaN. The sum of value x shared area over all cells is the
sum of v_i |footprint_i|, so a total is conserved. Areas are those of the grid's plane; within a cell of a
longitude-latitude grid all scale alike with latitude.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from armillary.earth.window import Window

_PAIRS = 200_000
"""Footprint-cell pairs that are held at a time."""

_LEAST = 1e-9
"""Share of a cell below which a touch is rounding."""

Corners = Float[np.ndarray, "n 4"]


@dataclass(frozen=True, eq=False)
class Footprints:
    """Four-cornered footprints in the plane of a grid, each with one value.

    Args:
        x: corners, in order around the footprint.
        y: the same.
        values: one per footprint, without NaN.
    """

    x: Corners
    y: Corners
    values: Float[np.ndarray, " n"]

    @classmethod
    def of(
        cls, x: Corners, y: Corners, values: Float[np.ndarray, " n"], window: Window, *, period: float | None
    ) -> "Footprints":
        """The footprints that have a value and a place; on a grid with a period (360 degrees) also their copies."""
        known = np.isfinite(values) & np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
        x, y, values = x[known], y[known], values[known]
        if period is None:
            return cls(*_around(x, y), values)
        x, y = _around(x[:, :1] + (x - x[:, :1] + period / 2) % period - period / 2, y)
        turns = [(x + k * period, y, values) for k in (-1, 0, 1)]
        a, w = window.affine, window.shape[1]
        near = [(px.max(axis=1) > a.c) & (px.min(axis=1) < a.c + a.a * w) for px, _, _ in turns]
        columns = zip(*((px[k], py[k], v[k]) for (px, py, v), k in zip(turns, near, strict=True)), strict=True)
        return cls(*(np.concatenate(c) for c in columns))

    def sums(
        self, window: Window, rows: slice, cols: slice
    ) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Sum of area x value and sum of area in each cell of a crop; the unit of area is one cell."""
        h, w = rows.stop - rows.start, cols.stop - cols.start
        total, area = np.zeros(h * w), np.zeros(h * w)
        a = window.affine
        x, y = (self.x - a.c) / a.a, (self.y - a.f) / a.e
        left, right = _span(x, cols)
        top, bottom = _span(y, rows)
        count = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
        touched = np.flatnonzero(count)
        for part in _parts(touched, count[touched]):
            who = np.repeat(part, count[part])
            nth = np.arange(len(who)) - np.repeat(np.cumsum(count[part]) - count[part], count[part])
            row, col = top[who] + nth // (right - left)[who], left[who] + nth % (right - left)[who]
            shared = in_unit_square(x[who] - col[:, None], y[who] - row[:, None])
            cell = (row - rows.start) * w + col - cols.start
            np.add.at(area, cell, shared)
            np.add.at(total, cell, shared * self.values[who])
        return total.reshape(h, w), area.reshape(h, w)


@dataclass(frozen=True, eq=False)
class Overlaid:
    """Pixels of a scene: the area-weighted mean of footprints, one band."""

    footprints: Footprints
    window: Window

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Means under this crop as float32, NaN in cells that nothing touches; the same whatever the crop."""
        total, area = self.footprints.sums(self.window, rows, cols)
        touched = area > _LEAST
        mean = np.where(touched, total / np.where(touched, area, 1.0), np.nan).astype(np.float32)
        return np.repeat(mean[None], len(bands), axis=0)


def in_unit_square(x: Corners, y: Corners) -> Float[np.ndarray, " n"]:
    """Area that each polygon shares with the unit square: the sum over its edges of the signed area below the edge.

    Below an edge, inside the square, lies the integral of y clamped to [0, 1] over x clamped to [0, 1]; with F(y) the
    integral of clamp(y), that is dx (F(y2) - F(y1)) / (y2 - y1).
    """
    area = np.zeros(len(x))
    for i in range(x.shape[1]):
        x1, y1, x2, y2 = x[:, i], y[:, i], x[:, i - 1], y[:, i - 1]
        run = np.where(x2 == x1, 1.0, x2 - x1)
        a, b = np.clip(x1, 0.0, 1.0), np.clip(x2, 0.0, 1.0)
        u = y1 + (y2 - y1) * (a - x1) / run
        v = y1 + (y2 - y1) * (b - x1) / run
        rise = v - u
        flat = np.abs(rise) < 1e-7
        height = np.where(flat, np.clip((u + v) / 2, 0, 1), (_under(v) - _under(u)) / np.where(flat, 1.0, rise))
        area += (b - a) * height
    return np.abs(area)


def _under(y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    inside = np.clip(y, 0.0, 1.0)
    return np.asarray(inside**2 / 2 + np.maximum(y - 1.0, 0.0))


def corners_between(centers: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 4"]:
    """Corners of pixels of which only the centres are known: the midpoints of neighbours.

    Beyond the edge of the known pixels, which may be ragged, centres are carried on in equal steps.
    """
    grown = np.pad(centers, 1, constant_values=np.nan)
    for _ in range(2):  # sides first, then the corners between them
        grown = _carried_on(grown)
    mid = (grown[:-1, :-1] + grown[:-1, 1:] + grown[1:, :-1] + grown[1:, 1:]) / 4
    return np.stack([mid[:-1, :-1], mid[:-1, 1:], mid[1:, 1:], mid[1:, :-1]], axis=-1)


def _carried_on(centers: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Unknown centres beside two known ones in its row or column, continued in equal steps."""
    h, w = centers.shape
    wide = np.pad(centers, 2, constant_values=np.nan)
    guesses = np.stack(
        [
            2 * wide[2 + i : 2 + i + h, 2 + j : 2 + j + w] - wide[2 + 2 * i : 2 + 2 * i + h, 2 + 2 * j : 2 + 2 * j + w]
            for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1))
        ]
    )
    known = np.isfinite(guesses)
    guess = np.where(known, guesses, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(np.isfinite(centers), centers, np.where(known.any(axis=0), guess, np.nan))


def _around(x: Corners, y: Corners) -> tuple[Corners, Corners]:
    """Corners sorted by their direction from the middle: files disagree on the order in which they name them."""
    order = np.argsort(np.arctan2(y - y.mean(axis=1, keepdims=True), x - x.mean(axis=1, keepdims=True)), axis=1)
    return np.take_along_axis(x, order, axis=1), np.take_along_axis(y, order, axis=1)


def _span(position: Corners, within: slice) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """First and one past the last cell that each footprint may touch along one axis."""
    first = np.clip(np.floor(position.min(axis=1)), within.start, within.stop).astype(np.int64)
    stop = np.clip(np.floor(position.max(axis=1)) + 1, within.start, within.stop).astype(np.int64)
    return first, stop


def _parts(who: Int[np.ndarray, " k"], count: Int[np.ndarray, " k"]) -> list[Int[np.ndarray, " _"]]:
    """Footprints in groups of about _PAIRS pairs, in order."""
    group = (np.cumsum(count) - count) // _PAIRS
    return np.split(who, np.flatnonzero(np.diff(group)) + 1) if len(who) else []
