"""Thumbnails: the pictures of Major TOM from its measurements, and the patches of them on which COP-GEN-Beta works.

A thumbnail is a picture, no measurement: Sentinel-2 is stretched, the levels of Sentinel-1 are those of its own
smallest and largest pixel, and heights are a hillshade, from which no height can be had.

- Sentinel-2: clip(1.3 (DN / 10000)^0.6, 0, 1) 255 of B04, B03, B02; the counts as stored, their +1000 included.
- Sentinel-1: 10 log10 of VV and VH, each from its smallest to its largest valid pixel on 0 to 255; red VV,
  green 255 (VV + VH) / max(VV + VH), blue VH; nothing measured is 0.
- DEM: a hillshade, sun at azimuth 315 and altitude 45 degrees, exaggeration 1, one metre to a pixel, stretched over
  the picture (matplotlib's LightSource, by which the published ones were made).

Patches: the picture (heights: enlarged to 1068 px first) is cropped to 1024 px about its middle and cut into 4 x 4.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from matplotlib.colors import LightSource

from armillary.errors import OutOfRange

GAIN, GAMMA = 1.3, 0.6
SIDE_PX = 1068
"""Side of a thumbnail of Sentinel-1 and -2; that of heights (356) is enlarged to it."""
PATCH_PX, ACROSS = 256, 4
"""COP-GEN-Beta: 16 patches of 256 px from the middle 1024."""


def optical(counts: Shaped[np.ndarray, "3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The thumbnail of Sentinel-2.

    Args:
        counts: of B04, B03 and B02, as stored.

    Example:
        >>> optical(np.full((3, 1, 1), 1000.0))[0, 0].tolist()
        [83, 83, 83]
    """
    stretched = GAIN * (np.nan_to_num(counts.astype(np.float64)).clip(0) / 10_000) ** GAMMA
    return np.ascontiguousarray(np.moveaxis((stretched.clip(0, 1) * 255).astype(np.uint8), 0, -1))


def radar(power: Float[np.ndarray, "2 h w"], nodata: float = -32768.0) -> UInt8[np.ndarray, "h w 3"]:
    """The thumbnail of Sentinel-1.

    Args:
        power: of VV and VH, linear, as stored. Numbers that are not above 0 become the smallest that is.
        nodata: the number that means nothing was measured; NaN does as well.
    """
    vv, vh = (_levels(p.astype(np.float64), nodata) for p in power)
    both = vv + vh
    green = 255 * both / max(float(both.max()), 1e-12)
    levels: UInt8[np.ndarray, "h w 3"] = np.stack([vv, green, vh], axis=-1).astype(np.uint8)
    return levels


def relief(height: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The thumbnail of heights in metres: a hillshade, the same in all three channels."""
    shade = LightSource(azdeg=315, altdeg=45).hillshade(height.astype(np.float64), vert_exag=1)
    return np.repeat((255 * shade).astype(np.uint8)[..., None], 3, axis=-1)


def enlarged(picture: UInt8[np.ndarray, "h w c"], side: int = SIDE_PX) -> UInt8[np.ndarray, "s s c"]:
    """A picture at another size by linear interpolation, rows and columns in turn, each rounded to whole levels."""
    across = np.einsum("sw,hwc->hsc", _weights(picture.shape[1], side), picture.astype(np.float64))
    across = np.floor(across + 0.5)
    down = np.einsum("sh,hwc->swc", _weights(picture.shape[0], side), across)
    levels: UInt8[np.ndarray, "s s c"] = np.floor(down + 0.5).clip(0, 255).astype(np.uint8)
    return levels


def patches(
    picture: UInt8[np.ndarray, "h w c"], side: int = PATCH_PX, across: int = ACROSS
) -> UInt8[np.ndarray, "n p p c"]:
    """The patches of the middle of a picture, row by row from the top left.

    Raises:
        OutOfRange: the picture is smaller than they are together.
    """
    h, w = picture.shape[:2]
    whole = side * across
    if min(h, w) < whole:
        raise OutOfRange(f"{across} x {across} patches of {side} px were asked of a picture of {h} x {w}; enlarge it")
    top, left = round((h - whole) / 2), round((w - whole) / 2)
    middle = picture[top : top + whole, left : left + whole]
    cut = middle.reshape(across, side, across, side, -1).swapaxes(1, 2)
    return np.ascontiguousarray(cut.reshape(across * across, side, side, -1))


def patch_names(cell: str, across: int = ACROSS) -> Iterator[str]:
    """Names of the patches of a cell, in their order.

    Example:
        >>> list(patch_names("433U_1027R"))[::15]
        ['433U_1027R_0', '433U_1027R_15']
    """
    for i in range(across * across):
        yield f"{cell}_{i}"


def signed(picture: UInt8[np.ndarray, "*n h w c"]) -> Float[np.ndarray, "*n c h w"]:
    """Levels as the autoencoder takes them: (x / 255 - 0.5) / 0.5, channels first."""
    unit = (picture.astype(np.float32) / 255 - 0.5) / 0.5
    return np.ascontiguousarray(np.moveaxis(unit, -1, -3))


def _levels(power: Float[np.ndarray, "h w"], nodata: float) -> Float[np.ndarray, "h w"]:
    """0 to 255 from the smallest to the largest valid pixel in dB."""
    valid = np.isfinite(power) & (power != nodata)
    above = valid & (power > 0)
    if not above.any():
        return np.zeros(power.shape)
    db = 10 * np.log10(np.where(above, power, power[above].min()))
    low, high = db[valid].min(), db[valid].max()
    return np.where(valid, (db - low) / max(high - low, 1e-12) * 255, 0.0)


def _weights(have: int, want: int) -> Float[np.ndarray, "s h"]:
    """Linear interpolation between pixel centres; beyond the outermost centre the outermost pixel."""
    at = ((np.arange(want) + 0.5) * have / want - 0.5).clip(0, have - 1)
    low = np.floor(at).astype(int).clip(0, max(have - 2, 0))
    share = at - low
    weights = np.zeros((want, have))
    weights[np.arange(want), low] += 1 - share
    weights[np.arange(want), np.minimum(low + 1, have - 1)] += share
    return weights
