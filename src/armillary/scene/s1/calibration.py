"""Calibration of detected radar counts: what Sentinel-1's look-up tables mean (S1-RS-MDA-52-7448, ESA's product spec).

A *count* DN is an amplitude. Backscatter is linear power,

    sigma0 = max(DN^2 - N, 0) / A^2

with A from the calibration vectors and N, the thermal noise, from the noise vectors. Both are interpolated over the
full-resolution (line, pixel) grid, pixel first and then line, and held constant beyond the last vector. A itself is
interpolated, not its square. The floor at 0 is a choice: it biases a mean over very dark water upwards a little.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float

from armillary.errors import SceneUnreadable
from armillary.scene.access.archive import elements, text

QUANTITIES = {"sigma0": "sigmaNought", "gamma0": "gamma", "beta0": "betaNought"}
"""Backscatter by name, and the table that holds its A. This gamma0 is that of the ellipsoid, not terrain-flattened."""

Plane = Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Table:
    """Values on lines of an image, each line sampled at pixels of its own.

    Args:
        lines: the line of each vector, rising; may lie outside the image.
        pixels: where each vector is sampled.
        values: what it holds there.
    """

    lines: Float[np.ndarray, " v"]
    pixels: tuple[Float[np.ndarray, " _"], ...]
    values: tuple[Float[np.ndarray, " _"], ...]

    def at(self, lines: Float[np.ndarray, " h"], pixels: Float[np.ndarray, " w"]) -> Plane:
        """Values on a grid of lines and pixels: linear in pixel, then in line, constant beyond the ends."""
        last = len(self.lines) - 1
        first = int(np.clip(np.searchsorted(self.lines, lines.min(), "right") - 1, 0, last))
        stop = int(np.clip(np.searchsorted(self.lines, lines.max(), "left"), first, last)) + 1
        used = range(first, stop)
        rows = np.stack([np.interp(pixels, self.pixels[i], self.values[i]) for i in used])
        position = np.interp(lines, self.lines[first:stop], np.arange(len(used), dtype=np.float64))
        low = np.minimum(position.astype(int), max(len(used) - 2, 0))
        high = np.minimum(low + 1, len(used) - 1)
        share = (position - low)[:, None]
        return np.asarray(rows[low] * (1 - share) + rows[high] * share)

    @property
    def largest(self) -> float:
        """The largest value of all."""
        return float(max(v.max() for v in self.values))


@dataclass(frozen=True, eq=False)
class Block:
    """A rectangle of the image (one sub-swath) in which noise also varies along lines."""

    first_line: int
    last_line: int
    first_pixel: int
    last_pixel: int
    lines: Float[np.ndarray, " n"]
    factors: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Noise:
    """Thermal noise in units of DN^2: a table across the range and, since processor 2.90, factors along the azimuth."""

    across: Table
    blocks: tuple[Block, ...] = ()

    def at(self, lines: Float[np.ndarray, " h"], pixels: Float[np.ndarray, " w"]) -> Plane:
        """N on a grid of lines and pixels; the azimuth factor is 1 outside every block."""
        factor = np.ones((len(lines), len(pixels)))
        for b in self.blocks:
            rows = np.flatnonzero((lines >= b.first_line) & (lines <= b.last_line))
            cols = np.flatnonzero((pixels >= b.first_pixel) & (pixels <= b.last_pixel))
            if rows.size and cols.size:
                factor[np.ix_(rows, cols)] = np.interp(lines[rows], b.lines, b.factors)[:, None]
        return np.asarray(self.across.at(lines, pixels) * factor)


def power(counts: Plane, amplitude: Plane, noise: Plane | float = 0.0) -> Plane:
    """Linear backscatter of counts; NaN where the count is 0 (outside the swath), 0 where noise exceeds the signal."""
    values = np.maximum(counts**2 - noise, 0.0) / amplitude**2
    return np.where(counts > 0, values, np.nan)


def decibel(power: Plane) -> Plane:
    """10 log10 of linear power; NaN where it is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(power > 0, 10.0 * np.log10(power), np.nan))


def calibration_of(root: Element, quantity: str) -> Table:
    """A of one quantity ("sigma0", "gamma0", "beta0") from a calibration file."""
    return _table(root, "calibrationVector", QUANTITIES[quantity])


def noise_of(root: Element) -> Noise | None:
    """N from a noise file of either layout, told apart by what is there; None when there is none or it is all 0."""
    new = any(True for _ in elements(root, "noiseRangeVector"))
    old = any(True for _ in elements(root, "noiseVector"))
    if not (new or old):
        return None
    across = _table(root, "noiseRangeVector", "noiseRangeLut") if new else _table(root, "noiseVector", "noiseLut")
    noise = Noise(across, tuple(_block(e) for e in elements(root, "noiseAzimuthVector")))
    return noise if across.largest > 0 else None


def _table(root: Element, vector: str, values: str) -> Table:
    found = [(_number(e, "line"), _numbers(e, "pixel"), _numbers(e, values)) for e in elements(root, vector)]
    if not found:
        raise SceneUnreadable(f"no {vector} in the calibration or noise file; download the product again, whole")
    if any(len(p) != len(v) or not len(p) for _, p, v in found):
        raise SceneUnreadable(f"a {vector} has another number of pixels than of {values}; download the product again")
    found.sort(key=lambda f: f[0])
    return Table(np.array([f[0] for f in found]), tuple(f[1] for f in found), tuple(f[2] for f in found))


def _block(e: Element) -> Block:
    names = ("firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample")
    first, last, left, right = (int(_number(e, n)) for n in names)
    return Block(first, last, left, right, lines=_numbers(e, "line"), factors=_numbers(e, "noiseAzimuthLut"))


def _number(e: Element, name: str) -> float:
    return float(_numbers(e, name)[0])


def _numbers(e: Element, name: str) -> Float[np.ndarray, " _"]:
    words = (text(e, name) or "").split()
    try:
        values = np.array([float(w) for w in words])
    except ValueError as cause:
        raise SceneUnreadable(f"<{name}> holds something that is no number; download the product again") from cause
    if not values.size:
        raise SceneUnreadable(f"a vector has no <{name}>; download the product again, whole")
    return values
