"""Coarsen: the same ground on a grid of larger pixels, each the mean of the valid pixels that it covers.

Decibels are averaged as power, for a mean of logarithms is no mean of what the radar received.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from armillary.errors import BadInput
from armillary.scene.scene import Pixels, Scene


def coarsened(scene: Scene, resolution: float) -> Scene:
    """The scene with pixels of `resolution` (metres or degrees of its CRS).

    Args:
        scene: any scene on an upright grid.
        resolution: a whole multiple of the scene's pixel size; rows and columns that fill no pixel are dropped.

    Raises:
        BadInput: the resolution is finer than the scene, no whole multiple of it, or coarser than the whole scene.
    """
    size = abs(scene.window.affine.a)
    factor = round(resolution / size)
    if factor < 1 or abs(resolution / size - factor) > 1e-3 * factor or factor > min(scene.window.shape):
        raise BadInput(
            f"resolution={resolution:g} was asked of {scene.href}, whose pixels are {size:g}; "
            f"give a whole multiple of that, at most {size * min(scene.window.shape):g}"
        )
    if factor == 1:
        return scene
    return replace(
        scene,
        window=scene.window.coarsen(factor),
        pixels=_Coarse(scene.pixels, factor, scene.sensor.unit == "dB"),
        facts={**scene.facts, "resolution": f"{resolution:g}: mean of {factor} x {factor} pixels"},
    )


@dataclass(frozen=True, eq=False)
class _Coarse:
    pixels: Pixels
    factor: int
    decibels: bool

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        n = self.factor
        fine = self.pixels.read(bands, slice(rows.start * n, rows.stop * n), slice(cols.start * n, cols.stop * n))
        x = fine.astype(np.float64)
        blocks = (10 ** (x / 10) if self.decibels else x).reshape(
            len(bands), rows.stop - rows.start, n, cols.stop - cols.start, n
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a block without one valid pixel is NaN, as it should be
            mean = np.asarray(np.nanmean(blocks, axis=(2, 4)))
        return (10 * np.log10(mean) if self.decibels else mean).astype(np.float32)
