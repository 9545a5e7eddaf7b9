"""Measures: everything that is said of one told strand of one item, by name, as its code asks."""

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from armillary.bench.generation.fidelity import fidelity
from armillary.bench.generation.likeness import agreement, overlap, psnr, spectral_angle, ssim
from armillary.bench.generation.spans import is_yes_or_no, spans_of
from armillary.sample.strands import Categories, Code

Values = Float[np.ndarray, "_ _ _"]

MEASURES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "mae": ("mean absolute error of a pixel", -1),
        "rmse": ("root of the mean squared error", -1),
        "level": ("absolute error of the mean of the picture", -1),
        "correlation": ("within the picture", 1),
        "psnr": ("peak signal to noise in dB, with fixed spans", 1),
        "ssim": ("structural similarity, with fixed spans", 1),
        "angle": ("between spectra, in degrees", -1),
        "agreement": ("share of pixels with the right class", 1),
        "overlap": ("mean intersection over union of the classes", 1),
    }
)
"""Measure -> what it is, and whether more (1) or less (-1) is better."""


def measured(code: Code, told: Values, truth: Values) -> dict[str, float]:
    """Name -> value; NaN where it cannot be measured, absent where it means nothing for such a strand."""
    if isinstance(code, Categories):
        return {"agreement": agreement(told, truth), "overlap": overlap(told, truth, code.codes)}
    found = asdict(fidelity(told, truth))
    spans = spans_of(code)
    if spans is not None and truth.shape[1] > 1:
        found |= {"psnr": psnr(told, truth, spans), "ssim": ssim(told, truth, spans)}
    if is_yes_or_no(code):
        sure = np.where(np.isfinite(told), (told > 0.5).astype(np.float32), np.float32(np.nan))
        found |= {"agreement": agreement(sure, truth), "overlap": overlap(sure, truth, (0, 1))}
    elif len(truth) > 2:
        found["angle"] = spectral_angle(told, truth)
    return found


def main_measure(code: Code) -> str:
    """What counts first for a strand."""
    return "agreement" if isinstance(code, Categories) else "mae"
