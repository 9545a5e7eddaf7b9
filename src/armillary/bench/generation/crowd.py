"""Crowd: generated items as a whole against real ones, as Copernicus-FM sees them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import pdist

from armillary.bench.generation.ask import Setting
from armillary.bench.generation.crowds import Crowd, compare, wilson
from armillary.bench.generation.cuts import Cut, Item, in_turn
from armillary.bench.generation.floors import regrid
from armillary.bench.generation.parties import Given
from armillary.earth.card import find_sensor
from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.generate.noise import seed_of
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.zoo import load_encoder
from armillary.probe.features import BLIND, encoder, frozen
from armillary.sample.sample import Sample
from armillary.sample.strands import Bands
from armillary.sample.thumbs import NAMES

FEATURES = "copernicus-fm-nano"
"""What sees the items; it is told pixels alone."""

MADE, TRAINING, HALVES = "generated", "real, training places", "real, two halves"

LEAST = 8
"""Two halves of four."""

KNOWN = 0.9
"""Share of pixels that a real item must have, for an edge tells a crowd apart by itself."""

Describe = Callable[[Sequence[Sample]], Float[np.ndarray, "n d"]]


def crowd(setting: Setting, target: str, given: Given, describe: Describe) -> tuple[list[Cut], dict[str, object]]:
    """Generated items against as many real held-out ones, beside real ones against real ones.

    Without a condition the real ones are any held-out cuts. With one, generated items of one half of the cuts are
    compared with real ones of the other half, and the other way round, for a sample resembles its own truth.

    Returns:
        The cuts; {"crowds": whose -> measures, "spread": whose -> mean distance between two items}.

    Raises:
        BadInput: too few items.
    """
    n, want = setting.plan.crowd, setting.strands(target)
    held = [c for c, _ in setting.able(target, given)] if given else list(setting.material.crowds[0])
    cuts = _whole(setting, held, want, n)
    far = _whole(setting, setting.material.crowds[1], want, n)
    if min(len(cuts), len(far)) < LEAST:
        raise BadInput(f"{len(cuts)} held-out and {len(far)} training cuts show all of {target}; {LEAST} are needed")
    real, other = (describe(_samples(setting, target, [c.item for c in some])) for some in (cuts, far))
    made = describe(_samples(setting, target, _made(setting, target, given, cuts)))
    rng = np.random.default_rng(seed_of(setting.plan.seed, "crowd", target))
    one, two = _halves(cuts)
    across = [(real[two], made[one]), (real[one], made[two])] if given else [(real, made)]
    beside = [(real[one], other[::2]), (real[two], other[1::2])] if given else [(real, other)]  # as many rows as across
    pairs = {MADE: across, TRAINING: beside, HALVES: [(real[one], real[two])]}
    return cuts, {
        "crowds": {
            who: asdict(_mean([compare(a, b, rng, basis=other) for a, b in some])) for who, some in pairs.items()
        },
        "spread": {who: float(pdist(rows).mean()) for who, rows in (("real", real), (MADE, made), (TRAINING, other))},
        "features": FEATURES,
    }


def has_crowd(setting: Setting, target: str, given: Given) -> bool:
    """Whether there are enough items on both sides."""
    held = [c for c, _ in setting.able(target, given)] if given else list(setting.material.crowds[0])
    sides = (held, setting.material.crowds[1])
    return all(len(_whole(setting, side, setting.strands(target), LEAST)) == LEAST for side in sides)


@cache
def describe_nano() -> Describe:
    """Pooled features of the model that ships."""
    model = load_encoder(FEATURES)
    assert isinstance(model, CopernicusFM)  # noqa: S101 (what the name means)
    encode = encoder(model, BLIND)
    return lambda samples: frozen(samples, encode, batch_size=16)


def _halves(cuts: Sequence[Cut]) -> tuple[list[int], list[int]]:
    """Numbers of cuts, one after the other to either side within each place."""
    sides: tuple[list[int], list[int]] = ([], [])
    seen: dict[str, int] = {}
    for i, cut in enumerate(cuts):
        seen[cut.place] = seen.get(cut.place, len(sides[0]) > len(sides[1])) + 1
        sides[(seen[cut.place] + 1) % 2].append(i)
    return sides


def _mean(found: Sequence[Crowd]) -> Crowd:
    """Of comparisons that have no item in common."""
    if len(found) == 1:
        return found[0]
    rows = sum(c.rows for c in found)
    means: dict[str, Any] = {f.name: float(np.mean([getattr(c, f.name) for c in found])) for f in fields(Crowd)}
    low, high = wilson(means["told_apart"], 2 * rows)
    return Crowd(**means | {"rows": rows, "low": low, "high": high})


def _made(setting: Setting, target: str, given: Given, cuts: Sequence[Cut]) -> list[Item]:
    """One sample for each cut; cuts that give the same strands are asked together."""
    able: dict[str, tuple[str, ...]] = {c.key: () for c in cuts}
    if given:
        able = {c.key: strands for c, strands in setting.able(target, given, cuts)}
    found: dict[str, Item] = {}
    for strands in dict.fromkeys(able.values()):
        some = [c for c in cuts if able[c.key] == strands]
        seeds = [seed_of(setting.plan.seed, "crowd", c.key) for c in some]
        made = setting.teller.drawn_each([c.item for c in some], setting.strands(target), strands, seeds)
        found |= {c.key: item for c, item in zip(some, made, strict=True)}
    return [found[c.key] for c in cuts]


def _whole(setting: Setting, cuts: Sequence[Cut], want: Sequence[str], n: int) -> list[Cut]:
    """The first so many, place by place, that show all bands almost everywhere."""
    keys = {key for s in want if isinstance(code := setting.codes[s], Bands) for key in code.keys}
    able = [c for c in cuts if not c.names or keys & set(c.names)]
    found = []
    for cut in in_turn(able, 4 * n):
        if all(s in cut.item and np.isfinite(cut.item[s]).mean(axis=(1, 2)).min() >= KNOWN for s in want):
            found.append(cut)
        if len(found) == n:
            break
    return found


def _samples(setting: Setting, target: str, items: Sequence[Item]) -> list[Sample]:
    """The strands of a party as one sensor's pixels, on the finest grid of the party."""
    codes = [code for s in setting.strands(target) if isinstance(code := setting.codes[s], Bands)]
    side = max(code.shape[1] for code in codes)
    by_strand = {strand: sensor for (sensor, _), strand in NAMES.items()}
    sensor = find_sensor(by_strand.get(target, target)).select([b for code in codes for b in code.bands])
    window = Window.of((side, side), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), None)
    pixels = (np.concatenate([regrid(item[code.name], side) for code in codes]) for item in items)
    return [Sample(p.astype(np.float32), sensor, window) for p in pixels]
