"""Synthetic samples and a draw of three places, for tests of distillation."""

from collections.abc import Sequence

import numpy as np

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw

TOP = sensors["s2-l1c"]
RADAR = sensors["s1-grd"]


def optical(seed: int, side_px: int = 32, bands: Sequence[str] = TOP.band_names) -> Sample:
    """Reflectance without meaning, at a known place."""
    pixels = np.random.default_rng(seed).uniform(0.01, 0.4, size=(len(bands), side_px, side_px)).astype(np.float32)
    return Sample(pixels, TOP.select(bands), _window(seed, side_px))


def radar(seed: int, side_px: int = 32) -> Sample:
    """Backscatter in dB without meaning."""
    pixels = np.random.default_rng(seed).normal(-15, 5, size=(2, side_px, side_px)).astype(np.float32)
    return Sample(pixels, RADAR, _window(seed, side_px))


def three_places() -> Draw:
    """Optical at places 0, 1 and 2; radar at 0 and 2."""
    return Draw(
        step=0,
        keys=("a", "b", "c"),
        samples={"s2-l1c": tuple(optical(i) for i in range(3)), "s1-grd": (radar(0), radar(2))},
        rows={"s2-l1c": (0, 1, 2), "s1-grd": (0, 2)},
        seeds=(11, 12, 13),
    )


def _window(seed: int, side_px: int) -> Window:
    return Window.of((side_px, side_px), (10.0, 0.0, 500000.0 + 1000 * seed, 0.0, -10.0, 5200000.0), "EPSG:32632")
