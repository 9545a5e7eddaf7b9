"""Average precision: how well scores put what is there before what is not.

AP = sum over thresholds of (recall - recall before) x precision, as scikit-learn and torchmetrics have it; items of
equal score pass a threshold together, so that the order of items cannot matter.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

ROOM = 4_000_000
"""Numbers held at once."""


def average_precision(
    scores: Float[np.ndarray, " n"],
    truths: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, "d g"],
    groups: Int[np.ndarray, " n"],
) -> Float[np.ndarray, " d"]:
    """Of one label, under each of d weightings; nan where nothing is there.

    Args:
        scores: larger is more certain.
        truths: whether it is there.
        weights: how often each group of items counts.
        groups: number of each item's group.

    Example:
        >>> scores, truths = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
        >>> average_precision(scores, truths, np.ones((1, 3)), np.arange(3)).round(4)
        array([0.8333])
    """
    if not len(scores):
        return np.full(len(weights), np.nan)
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    step = max(1, ROOM // len(scores))
    some = (weights[at : at + step, groups[order]] for at in range(0, len(weights), step))
    return np.concatenate([_one(w, truths[order], ends) for w in some])


def each_label(
    scores: Float[np.ndarray, "n k"],
    truths: Bool[np.ndarray, "n k"],
    weights: Float[np.ndarray, "d g"],
    groups: Int[np.ndarray, " n"],
) -> Float[np.ndarray, "d k"]:
    """Average precision of every label."""
    columns = zip(scores.T, truths.T, strict=True)
    return np.stack([average_precision(s, y, weights, groups) for s, y in columns], axis=1)


def all_labels(
    scores: Float[np.ndarray, "n k"],
    truths: Bool[np.ndarray, "n k"],
    weights: Float[np.ndarray, "d g"],
    groups: Int[np.ndarray, " n"],
) -> Float[np.ndarray, " d"]:
    """Average precision over all pairs of item and label as one long list (micro)."""
    return average_precision(scores.ravel(), truths.ravel(), weights, np.repeat(groups, scores.shape[1]))


def _one(
    w: Float[np.ndarray, "d n"], truths: Bool[np.ndarray, " n"], ends: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " d"]:
    passed = np.cumsum(w, axis=1).take(ends, axis=1)  # row by row in memory: a row's sum does not depend on others
    found = np.cumsum(w * truths, axis=1).take(ends, axis=1)
    precision = np.divide(found, passed, out=np.zeros_like(found), where=passed > 0)
    area = (np.diff(found, axis=1, prepend=0.0) * precision).sum(axis=1)
    there = found[:, -1]
    out = np.full(len(w), np.nan)
    np.divide(area, there, out=out, where=there > 0)
    return out
