"""References: every floor that fits a question, by name, and what real pictures of another date tell.

Floors learn from training cuts that hold all that is given and the target. A floor that cannot be had (no such cut, no
band in common) is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from armillary.bench.generation.cuts import Cut, evenly
from armillary.bench.generation.floors import (
    Clues,
    Floor,
    Item,
    Linear,
    Values,
    around_pixel,
    mean_floor,
    nearest_floor,
    own_mean,
    own_pixel,
)
from armillary.sample.strands import Bands, Categories, Code

MEAN, CENTRE, ORACLE = "mean", "centre", "oracle: image mean"
NEAREST, LINEAR = "nearest place", "linear"
SAME, COPY, AROUND, OTHER_DATE = "linear, same band", "copy", "linear, 14 clues", "real, another date"

FLOORS: Mapping[str, str] = MappingProxyType(
    {
        MEAN: "the mean of the training places, or their commonest class",
        CENTRE: "the middle of the strand's own scale, which an untrained network tells",
        NEAREST: "the target of the training place whose given strands are likest in 8 x 8 blocks",
        LINEAR: "ridge regression on all given channels of the pixel",
        SAME: "of each band on the same band of what is given alone",
        COPY: "the same band of what is given, as it is",
        AROUND: "ridge regression on fourteen clues of each given channel: the pixel, boxes around it, gradient",
        OTHER_DATE: "the same strand of the same ground, measured at the nearest other date",
        ORACLE: "the mean of the truth itself: what cannot be known, shown for its size",
    }
)
"""Name -> what it tells. The last two look at what no model may see; they are no floors to beat."""

UNFAIR = (OTHER_DATE, ORACLE)

MOST_FITTED, STEP_OWN, STEP_AROUND = 96, 3, 6
"""Training cuts that a linear floor is fitted on, and every how-manieth pixel each way, on grids of 64 pixels."""


def floors(
    train: Sequence[Cut], given: Sequence[str], target: str, codes: Mapping[str, Code]
) -> Iterator[tuple[str, Floor]]:
    """Name and floor.

    Args:
        train: cuts to learn from.
        given: strands.
        target: a strand.
        codes: of all strands, by name.
    """
    code = codes[target]
    every = [c.item for c in train if _whole(c.item, (target,))]
    if not every:
        return
    yield MEAN, _classes_or_mean(every, code)
    if not isinstance(code, Categories):
        yield CENTRE, partial(_centre, code)
        yield ORACLE, partial(own_mean, target=target)
    items = [i for i in every if _whole(i, given)]
    if not items or not given:
        return
    pictures = [g for g in given if codes[g].shape[1] > 1]
    yield NEAREST, nearest_floor(items, pictures or list(given), target)
    few = evenly(items, MOST_FITTED)
    yield LINEAR, _linear(few, code, own_pixel(given), STEP_OWN)
    if isinstance(code, Bands):
        yield from _same_bands(few, given, code, codes)
    if len({codes[p].name.rsplit("-", 1)[0] for p in pictures}) == 1 and code.shape[1] > 1:
        finest = max(pictures, key=lambda p: codes[p].shape[1])
        if not isinstance(codes[finest], Categories):
            yield AROUND, _linear(few, code, around_pixel((finest,)), STEP_AROUND)


def other_date(cut: Cut, target: str, dates: Mapping[str, Sequence[Cut]]) -> Values | None:
    """The target of the cut of the same block that is nearest in time and of another day; None where there is none."""
    others = [c for c in dates.get(cut.block, ()) if target in c.item and abs(c.day - cut.day) >= 1]
    return min(others, key=lambda c: abs(c.day - cut.day)).item[target] if others else None


def _whole(item: Item, names: Sequence[str]) -> bool:
    """Whether all strands are there, with every band known somewhere."""
    return all(n in item and np.isfinite(item[n]).any(axis=(1, 2)).all() for n in names)


def _centre(code: Code, item: Item) -> Values:
    """Network number 0 everywhere; of the item nothing."""
    return code.decode(np.zeros(item[code.name].shape, np.float32)).astype(np.float32)


def _classes_or_mean(items: Sequence[Item], code: Code) -> Floor:
    if not isinstance(code, Categories):
        return mean_floor(items, code.name)
    values = np.concatenate([i[code.name][np.isfinite(i[code.name])] for i in items])
    classes, counts = np.unique(values, return_counts=True)
    return lambda item: np.full_like(item[code.name], classes[counts.argmax()])


def _linear(items: Sequence[Item], code: Code, clues: Clues, step: int) -> Floor:
    """Of categories: one regression per class, the largest decides."""
    step = max(1, step * code.shape[1] // 64)
    if not isinstance(code, Categories):
        fitted = Linear.fit(items, code.name, clues, step=step)
        return lambda item: fitted(item, item[code.name].shape[1])
    told = [{**i, code.name: code.encode(i[code.name])} for i in items]
    fitted = Linear.fit(told, code.name, clues, step=step)
    return lambda item: code.decode(fitted(item, item[code.name].shape[1]))


def _same_bands(
    items: Sequence[Item], given: Sequence[str], code: Bands, codes: Mapping[str, Code]
) -> Iterator[tuple[str, Floor]]:
    """Copy, and one regression per band; a band that nothing given has is told by its mean."""
    sources = {b: found for b in code.bands if (found := _source(b, given, code, codes)) is not None}
    if not sources:
        return
    mean = mean_floor(items, code.name)
    fits = {}
    for band, (strand, channel) in sources.items():
        at = code.bands.index(band)
        alone = [{"y": i[code.name][at][None], "x": i[strand][channel][None]} for i in items]
        fits[band] = Linear.fit(alone, "y", own_pixel(("x",)))

    def copied(item: Item) -> Values:
        told = mean(item)
        for band, (strand, channel) in sources.items():
            told[code.bands.index(band)] = item[strand][channel]
        return told

    def regressed(item: Item) -> Values:
        told = mean(item)
        for band, (strand, channel) in sources.items():
            told[code.bands.index(band)] = fits[band]({"x": item[strand][channel][None]}, told.shape[1])[0]
        return told

    yield COPY, copied
    yield SAME, regressed


def _source(band: str, given: Sequence[str], code: Bands, codes: Mapping[str, Code]) -> tuple[str, int] | None:
    """The strand with the same band on the same grid, and its channel."""
    for name in given:
        other = codes[name]
        if isinstance(other, Bands) and band in other.bands and other.shape[1:] == code.shape[1:]:
            return name, other.bands.index(band)
    return None
