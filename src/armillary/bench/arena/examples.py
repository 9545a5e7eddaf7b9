"""Show: a few predictions beside their truths and pixels, as a report prints them.

The file holds, for the items that are shown, `keys` (names), `pixels` (red, green, blue of the last sample, 0 to 1),
`truths` and `predictions` (as `armillary.probe.answer` says; of a class map, classes). Items that differ in size are
cut to the smallest.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from armillary.bench.features.known import read_item
from armillary.bench.task import Items
from armillary.probe.answer import Answer, ClassMap
from armillary.sample.sample import Sample

COUNT = 6
"""Items that are shown, evenly spread over those that were asked."""

ENDS = (2.0, 98.0)
"""Percentiles of each band that become black and white."""

_COLOURS = (("B04", "B03", "B02"), ("VV", "VH", "VV"), ("Oa08", "Oa06", "Oa04"))


def write_examples(
    path: Path,
    items: Items,
    answer: Answer,
    test: Int[np.ndarray, " q"],
    predict: Callable[[Int[np.ndarray, " q"]], Iterator[np.ndarray]],
) -> None:
    """A few of the items that were asked; whole or not at all."""
    chosen = test[np.unique(np.linspace(0, len(test) - 1, COUNT).astype(np.int64))]
    shown = [read_item(items, int(n)) for n in chosen]
    arrays: dict[str, Any] = {
        "keys": np.array([item.key for item in shown]),
        "pixels": _stacked([picture(item.samples[-1]) for item in shown]),
        "truths": _stacked([item.truth for item in shown]),
        "predictions": _stacked([said(answer, np.asarray(p)) for p in predict(chosen)]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    with aside.open("wb") as out:
        np.savez_compressed(out, **arrays)
    aside.replace(path)


def said(answer: Answer, prediction: np.ndarray) -> np.ndarray:
    """What a reader compares: the likeliest class of each pixel, or the numbers as they are."""
    if isinstance(answer, ClassMap):
        likeliest: np.ndarray = prediction.argmax(axis=0).astype(np.int16)
        return likeliest
    return prediction.astype(np.float32)


def picture(sample: Sample) -> Float[np.ndarray, "h w 3"]:
    """Three bands stretched between two percentiles each; what was not measured is black."""
    names = sample.sensor.band_names
    first = (names[0], names[len(names) // 2], names[-1])
    bands = next((c for c in _COLOURS if set(c) <= set(names)), first)
    planes = [_stretched(sample.pixels[names.index(b)]) for b in bands]
    return np.stack(planes, axis=-1)


def _stretched(plane: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    known = plane[np.isfinite(plane)]
    if not known.size:
        return np.zeros(plane.shape, dtype=np.float32)
    low, high = np.percentile(known, ENDS)
    share = (plane - low) / (high - low if high > low else 1.0)
    return np.asarray(np.nan_to_num(share).clip(0, 1), dtype=np.float32)


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """One array of all, cut to the smallest."""
    least = [slice(min(sizes)) for sizes in zip(*(a.shape for a in arrays), strict=True)]
    return np.stack([a[tuple(least)] for a in arrays])
