"""k nearest neighbours in feature space, by cosine. Nothing is fitted: it shows what features hold as they are."""

import numpy as np
from jaxtyping import Float, Int

from armillary.errors import OutOfRange

CONSTANT = 1e-6
"""A feature whose deviation is below this share of its mean holds nothing (float32 rounds to 6e-8)."""


def nearest(
    queries: Float[np.ndarray, "q d"], known: Float[np.ndarray, "m d"], k: int
) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
    """Numbers of the k most similar items, best first, and their cosines; equal cosines keep the order of items.

    Raises:
        OutOfRange: k is not 1 to the number of known items.
    """
    if not 1 <= k <= len(known):
        raise OutOfRange(f"{k} neighbours were asked of {len(known)} items; ask for 1 to {len(known)}")
    cosine = _unit(queries) @ _unit(known).T
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosine, order, axis=1)


def vote(
    queries: Float[np.ndarray, "q d"], known: Float[np.ndarray, "m d"], y: Int[np.ndarray, " m"], k: int
) -> Int[np.ndarray, " q"]:
    """The class with most votes among the k nearest; a draw goes to the class whose voters are most similar."""
    items, cosine = nearest(queries, known, k)
    classes, voter = np.unique(y, return_inverse=True)
    votes = np.zeros((len(queries), len(classes)))
    rows = np.arange(len(queries))[:, None]
    np.add.at(votes, (rows, voter[items]), 1 + 1e-6 * cosine)
    chosen: Int[np.ndarray, " q"] = classes[votes.argmax(axis=1)]
    return chosen


def average(
    queries: Float[np.ndarray, "q d"], known: Float[np.ndarray, "m d"], y: Float[np.ndarray, " m"], k: int
) -> Float[np.ndarray, " q"]:
    """The mean value of the k nearest."""
    mean: Float[np.ndarray, " q"] = y[nearest(queries, known, k)[0]].mean(axis=1)
    return mean


def standardised(
    queries: Float[np.ndarray, "q d"], known: Float[np.ndarray, "m d"]
) -> tuple[Float[np.ndarray, "q d"], Float[np.ndarray, "m d"]]:
    """Both in deviations from the known items' mean; a feature that is the same for all of them is left out (0).

    A missing number counts as the mean.
    """
    mean, std = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    weight = np.where(std > CONSTANT * np.abs(mean), 1 / np.where(std > 0, std, 1.0), 0.0)
    return np.nan_to_num((queries - mean) * weight), np.nan_to_num((known - mean) * weight)


def _unit(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    out: Float[np.ndarray, "n d"] = x / np.where(length == 0, 1.0, length)
    return out
