"""Fills: what hidden patches are guessed to hold without any learning. Baselines for masked reconstruction.

A crop is float[c h w], h and w whole numbers of patches; *known* says which pixels are seen and hold a value. Every
fill gives a value for every pixel; those of hidden patches are what is asked for. All are equivariant under a change of
unit, band by band, so that normalised values do as well as physical ones.
"""

import numpy as np
from einops import rearrange, reduce, repeat
from jaxtyping import Bool, Float
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from armillary.errors import OutOfRange

Pixels = Float[np.ndarray, "c h w"]
Known = Bool[np.ndarray, "h w"]

NEIGHBOURS = 8
"""Known pixels that the distance-weighted fill looks at."""


def on_pixels(patches: Bool[np.ndarray, "r s"], patch_px: int) -> Known:
    """A mask of patches as a mask of pixels."""
    mask: np.ndarray = repeat(patches, "r s -> (r p) (s q)", p=patch_px, q=patch_px)
    return mask


def patch_means(x: Pixels, known: Known, patch_px: int) -> tuple[Float[np.ndarray, "c r s"], Bool[np.ndarray, "r s"]]:
    """Mean of the known pixels of each patch, 0 where there are none, and where there are some."""
    p = patch_px
    counts = reduce(known.astype(x.dtype), "(r p) (s q) -> r s", "sum", p=p, q=p)
    sums = reduce(np.where(known, x, 0), "c (r p) (s q) -> c r s", "sum", p=p, q=p)
    return sums / np.maximum(counts, 1), counts > 0


def visible_mean(x: Pixels, known: Known) -> Pixels:
    """The mean of everything that is known, band by band."""
    _demand(known)
    return np.broadcast_to(x[:, known].mean(axis=1)[:, None, None], x.shape).astype(x.dtype)


def nearest(x: Pixels, known: Known) -> Pixels:
    """The nearest known pixel."""
    _demand(known)
    rows, cols = distance_transform_edt(~known, return_distances=False, return_indices=True)
    found: np.ndarray = x[:, rows, cols]
    return found


def nearest_patch(x: Pixels, known: Known, patch_px: int) -> Pixels:
    """The mean of the nearest patch of which something is known."""
    means, there = patch_means(x, known, patch_px)
    return _spread(nearest(means, there), patch_px)


def distance_weighted(x: Pixels, known: Known, *, neighbours: int = NEIGHBOURS) -> Pixels:
    """Known pixels that border on unknown ones, weighed by the inverse square of their distance; the nearest few."""
    _demand(known)
    rim = known & ~binary_erosion(known, border_value=True)
    if not rim.any():
        return x.copy()
    at, wanted = np.argwhere(rim), np.argwhere(~known)
    k = min(neighbours, len(at))
    distance, which = cKDTree(at).query(wanted, k=range(1, k + 1))
    weights = (distance**-2.0).astype(x.dtype)
    weights /= weights.sum(axis=1, keepdims=True)
    share = csr_array((weights.ravel(), which.ravel(), np.arange(len(wanted) + 1) * k), shape=(len(wanted), len(at)))
    filled = x.copy()
    filled[:, ~known] = (share @ x[:, rim].T).T
    return filled


def distance_weighted_patches(x: Pixels, known: Known, patch_px: int) -> Pixels:
    """Means of all patches of which something is known, weighed by the inverse square distance of their centres."""
    means, there = patch_means(x, known, patch_px)
    return _spread(_weighed(means, there), patch_px)


def oracle(x: Pixels, measured: Known, patch_px: int) -> Pixels:
    """The true mean of each patch: no fill that is constant over a patch has a smaller squared error."""
    return _spread(patch_means(x, measured, patch_px)[0], patch_px)


def _weighed(means: Float[np.ndarray, "c r s"], there: Bool[np.ndarray, "r s"]) -> Float[np.ndarray, "c r s"]:
    _demand(there)
    at, wanted = np.argwhere(there), np.argwhere(~there)
    square = ((wanted[:, None] - at[None]) ** 2).sum(axis=-1).astype(means.dtype)
    weights = 1 / square
    filled = means.copy()
    filled[:, ~there] = means[:, there] @ (weights / weights.sum(axis=1, keepdims=True)).T
    return filled


def _spread(means: Float[np.ndarray, "c r s"], patch_px: int) -> Pixels:
    whole: np.ndarray = repeat(means, "c r s -> c (r p) (s q)", p=patch_px, q=patch_px)
    return whole


def _demand(known: Bool[np.ndarray, "_ _"]) -> None:
    if not known.any():
        raise OutOfRange("a fill was asked for where nothing is known; give a crop of which a patch is seen")


def in_patches(x: Pixels, patch_px: int) -> Float[np.ndarray, "c r s p"]:
    """The pixels of each patch, row by row."""
    cut: np.ndarray = rearrange(x, "c (r p) (s q) -> c r s (p q)", p=patch_px, q=patch_px)
    return cut
