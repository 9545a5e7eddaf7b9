"""Show: a few predictions beside their truths and pixels, as a report prints them.

The file holds `keys` (names of the items) and, for the k-th of them, `pixels_k` (8-bit red, green, blue of the last
sample), `truth_k` and `prediction_k` (class numbers or values of a map; a class number, probabilities or one value of
an item).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from armillary.bench.known import read_item
from armillary.bench.task import Items
from armillary.probe.answer import Answer, ClassMap, OneOf
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
    arrays: dict[str, np.ndarray] = {"keys": np.array([items.keys[int(n)] for n in chosen])}
    for k, (n, prediction) in enumerate(zip(chosen, predict(chosen), strict=True)):
        item = read_item(items, int(n))
        arrays |= {f"pixels_{k}": picture(item.samples[-1]), f"truth_{k}": item.truth}
        arrays[f"prediction_{k}"] = said(answer, np.asarray(prediction))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    with aside.open("wb") as out:
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    aside.replace(path)


def said(answer: Answer, prediction: np.ndarray) -> np.ndarray:
    """What a reader compares: the likeliest class, or the numbers as they are."""
    if isinstance(answer, OneOf | ClassMap):
        likeliest: np.ndarray = prediction.argmax(axis=0).astype(np.int16)
        return likeliest
    return prediction.astype(np.float32)


def picture(sample: Sample) -> UInt8[np.ndarray, "h w 3"]:
    """Three bands stretched between two percentiles each; what was not measured is black."""
    names = sample.sensor.band_names
    first = (names[0], names[len(names) // 2], names[-1])
    bands = next((c for c in _COLOURS if set(c) <= set(names)), first)
    planes = [_stretched(sample.pixels[names.index(b)]) for b in bands]
    return np.stack(planes, axis=-1)


def _stretched(plane: np.ndarray) -> np.ndarray:
    known = plane[np.isfinite(plane)]
    if not known.size:
        return np.zeros(plane.shape, dtype=np.uint8)
    low, high = np.percentile(known, ENDS)
    share = (plane - low) / (high - low if high > low else 1.0)
    out: np.ndarray = (np.nan_to_num(share).clip(0, 1) * 255).astype(np.uint8)
    return out
