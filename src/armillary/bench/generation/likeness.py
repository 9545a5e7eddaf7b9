"""Likeness: how near one told picture is to the truth where size and shape of values count together.

PSNR and SSIM (Wang et al. 2004) take a fixed span per band (`spans`), the spectral angle (Kruse et al. 1993) needs
none, agreement and overlap are for maps of classes. All look only where both pictures are known.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, minimum_filter

Values = Float[np.ndarray, "_ _ _"]
"""Channels, rows, columns."""

REACH_PX, SIGMA_PX = 5, 1.5
"""Of the window of SSIM: 11 x 11 pixels."""

K1, K2 = 0.01, 0.03
"""Of SSIM."""

LEAST_BANDS = 3
"""A spectrum of fewer has no angle worth telling."""


def psnr(told: Values, truth: Values, spans: Float[np.ndarray, " c"]) -> float:
    """10 log10(span² / mean squared error) in dB, the mean over channels; infinite where nothing is wrong.

    Example:
        >>> round(psnr(np.full((1, 4, 4), 0.1), np.zeros((1, 4, 4)), np.ones(1)), 6)
        20.0
    """
    found = []
    for t, v, span in zip(told, truth, spans, strict=True):
        error = (t - v)[np.isfinite(t) & np.isfinite(v)].astype(np.float64)
        if len(error):
            mse = (error**2).mean()
            found.append(np.inf if mse == 0 else 10 * np.log10(span**2 / mse))
    return float(np.mean(found)) if found else float("nan")


def ssim(told: Values, truth: Values, spans: Float[np.ndarray, " c"]) -> float:
    """Structural similarity, the mean over channels and over windows in which all is known; NaN where there is none."""
    if min(truth.shape[1:]) <= 2 * REACH_PX:
        return float("nan")
    found = [_ssim(t, v, span) for t, v, span in zip(told, truth, spans, strict=True)]
    known = [x for x in found if np.isfinite(x)]
    return float(np.mean(known)) if known else float("nan")


def spectral_angle(told: Values, truth: Values) -> float:
    """Mean angle in degrees between the spectra of a pixel; NaN where there are fewer than three bands."""
    t, v = (x.reshape(len(x), -1).astype(np.float64) for x in (told, truth))
    known = np.isfinite(t).all(axis=0) & np.isfinite(v).all(axis=0)
    t, v = t[:, known], v[:, known]
    length = np.linalg.norm(t, axis=0) * np.linalg.norm(v, axis=0)
    if len(truth) < LEAST_BANDS or not (length > 0).any():
        return float("nan")
    cosine = (t * v).sum(axis=0)[length > 0] / length[length > 0]
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def agreement(told: Values, truth: Values) -> float:
    """Share of the known pixels that have the right class; a class is a number, or 0 and 1 parted at one half."""
    known = np.isfinite(told) & np.isfinite(truth)
    return float((np.rint(told[known]) == np.rint(truth[known])).mean()) if known.any() else float("nan")


def overlap(told: Values, truth: Values, classes: tuple[float, ...]) -> float:
    """Intersection over union, the mean over the classes that the truth or the told has."""
    known = np.isfinite(told) & np.isfinite(truth)
    t, v = np.rint(told[known]), np.rint(truth[known])
    both = [((t == c) & (v == c)).sum() / either for c in classes if (either := ((t == c) | (v == c)).sum())]
    return float(np.mean(both)) if both else float("nan")


def _ssim(told: Float[np.ndarray, "h w"], truth: Float[np.ndarray, "h w"], span: float) -> float:
    known = np.isfinite(told) & np.isfinite(truth)
    inner = (slice(REACH_PX, -REACH_PX),) * 2
    whole = minimum_filter(known, size=2 * REACH_PX + 1)[inner]
    if not whole.any():
        return float("nan")
    x, y = (np.where(known, v, 0).astype(np.float64) for v in (told, truth))
    mx, my, xx, yy, xy = (_blurred(v) for v in (x, y, x * x, y * y, x * y))
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    top = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    bottom = (mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2)
    return float((top / bottom)[inner][whole].mean())


def _blurred(x: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    for axis in (0, 1):
        x = gaussian_filter1d(x, SIGMA_PX, axis=axis, radius=REACH_PX)
    return x
