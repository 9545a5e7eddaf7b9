"""Two views of each item of a draw, for a model of any sensor: two looks at a place that should come out alike.

A view shows one sample of one sensor. The other view shows another sensor of the place, or another part of the same
sample, as the item's seed decides. Where the items of a draw repeat (`Draw.repeats`), a place was drawn several times,
at other dates perhaps: then the first view is of the first item, and the second of the last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from armillary.earth.sensors import Sensor, Statistics
from armillary.models.card import Card
from armillary.models.intake import IntakeCard
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw
from armillary.tokens.mask import mask_random
from armillary.train.vary import band_groups, drop_facts, narrow
from armillary.train.views import ViewConfig, cut_view, through_air

_CHOICE = 41
"""Last word of a seed."""

_HIDDEN = 7
"""Added to a seed for what is hidden of a view."""


@dataclass(frozen=True, eq=False)
class Look:
    """One view of one item.

    Args:
        item: row of the draw.
        sample: that is looked at.
        seed: of all that is random about the view.
    """

    item: int
    sample: Sample
    seed: int


@dataclass(frozen=True, eq=False)
class Part:
    """Looks that share a batch.

    Args:
        batch: the views, normalised.
        looks: position of each among the looks that were asked for.
        at: positions of the patches that stay visible where half of a view is hidden.
    """

    batch: Batch
    looks: tuple[int, ...]
    at: Int[Tensor, "b k"]


@dataclass(frozen=True)
class How:
    """How views are made.

    Args:
        views: what is cut out, and through what air it is seen.
        across: probability that the second view shows another sensor, where the place has one.
        mask_ratio: share of a view that the masked side does not see.
        bands_at_least: share of the bands of a sensor that always stays.
        facts_dropped: probability that place, time and area are unknown, each on its own.
    """

    views: ViewConfig
    across: float
    mask_ratio: float
    bands_at_least: float
    facts_dropped: float


def two_looks(draw: Draw, sensors: Sequence[str], across: float) -> tuple[tuple[Look, ...], tuple[Look, ...]]:
    """First and second look at each item that has one of these sensors, pair by pair, in the order of items."""
    at: list[dict[str, Sample]] = [{} for _ in draw.keys]
    for name in sorted(draw.samples):
        if name in sensors:
            for row, sample in zip(draw.rows[name], draw.samples[name], strict=True):
                at[row][name] = sample
    first: list[Look] = []
    second: list[Look] = []
    for row in range(0, len(draw), draw.repeats):
        other = row + draw.repeats - 1
        seed = draw.seeds[row]
        if at[row] and at[other]:
            rng = np.random.default_rng((seed, _CHOICE))
            one = list(at[row])[int(rng.integers(len(at[row])))]
            two = _another(one, at[other], across, rng)
            first.append(Look(row, at[row][one], seed + 1))
            second.append(Look(other, at[other][two], seed + 2))
    return tuple(first), tuple(second)


def parts_of(
    looks: Sequence[Look], card: Card | IntakeCard, how: How, *, step: int, training: bool, device: torch.device
) -> Iterator[Part]:
    """The views of some looks, those of one sensor, bands and size together.

    While training, light, air, bands and facts vary; an evaluation only cuts and turns.
    """
    kinds: dict[tuple[str, tuple[str, ...], tuple[int, int]], list[int]] = {}
    for i, look in enumerate(looks):
        s = look.sample
        kinds.setdefault((s.sensor.name, s.sensor.band_names, s.window.shape), []).append(i)
    for _, alike in sorted(kinds.items()):
        samples = [looks[i].sample for i in alike]
        seeds = [looks[i].seed for i in alike]
        whole = card.collate(samples).to(device)
        batch = cut_view(whole, [s.window for s in samples], seeds, how.views, number=1)
        if training:
            batch = through_air(batch, samples[0].sensor, _numbers(card, samples[0].sensor), seeds, how.views, number=1)
            batch = drop_facts(batch, seeds, how.facts_dropped)
        at_least = how.bands_at_least if training and isinstance(card, Card) else 1.0
        for group in band_groups(len(batch.bands), seeds, step=step, groups=1, at_least=at_least):
            hidden = mask_random(how.views.tokens**2, how.mask_ratio, [seeds[i] + _HIDDEN for i in group.items])
            yield Part(narrow(batch, group), tuple(alike[i] for i in group.items), hidden.to(device))


def _another(one: str, there: Mapping[str, Sample], across: float, rng: np.random.Generator) -> str:
    """The sensor of the second look."""
    others = [name for name in there if name != one]
    if others and (one not in there or rng.random() < across):
        return others[int(rng.integers(len(others)))]
    return one


def _numbers(card: Card | IntakeCard, sensor: Sensor) -> Statistics | None:
    """Statistics by which air is put before a view; None where a card has no plain ones."""
    return card.statistics(sensor) if isinstance(card, Card) else None
