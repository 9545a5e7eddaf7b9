"""Vary: what is taken away from an item before it is learned from. Bands, and facts of place, time and area.

Everything is decided by an item's own seed, and by the number of the step where items share a choice, so that a batch
may be cut anywhere. Upstream decides once for a whole batch; `whole_batch` does so for comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from armillary.sample.batch import Batch

_BANDS, _FACTS = 11, 12
"""Last word of a seed, so that two choices of one item share no random numbers."""


@dataclass(frozen=True)
class Group:
    """Items of a batch that keep the same bands.

    Args:
        items: positions in the batch.
        bands: positions of the bands that are kept, in the order in which they are shown.
    """

    items: tuple[int, ...]
    bands: tuple[int, ...]


def band_groups(
    c: int, seeds: Sequence[int], *, step: int, groups: int, at_least: float, whole_batch: bool = False
) -> tuple[Group, ...]:
    """Which bands each item keeps: one of `groups` random, permuted subsets of this step, chosen by the item's seed.

    A subset holds from int(at_least * c) + 1 to c of the c bands, each number as likely as any other, as upstream does
    with at_least = 0.75 (arXiv:2503.11849, released code). One band is always kept;
    where no number but c is possible, the bands stay in their order.

    Args:
        c: bands that there are.
        seeds: one per item.
        step: number of the step; subsets change with it.
        groups: how many subsets a step has; each is one pass through the kernel generator.
        at_least: share of the bands that always stays; 1 keeps all, in order.
        whole_batch: one subset for all items, as upstream.
    """
    everything = tuple(range(c))
    if int(at_least * c) + 1 >= c:
        return (Group(tuple(range(len(seeds))), everything),)
    rng = np.random.default_rng((step, c, _BANDS))
    sizes = rng.integers(int(at_least * c) + 1, c + 1, size=1 if whole_batch else groups)
    subsets = [tuple(int(i) for i in rng.permutation(c)[:n]) for n in sizes]
    chosen = [int(np.random.default_rng((seed, _BANDS)).integers(len(subsets))) for seed in seeds]
    found = (Group(tuple(i for i, g in enumerate(chosen) if g == k), subset) for k, subset in enumerate(subsets))
    return tuple(group for group in found if group.items)


def narrow(batch: Batch, group: Group) -> Batch:
    """The items of a group, with its bands alone."""
    assert batch.lonlat is not None and batch.days is not None and batch.token_km2 is not None  # noqa: S101, PT018
    items = torch.tensor(group.items, device=batch.pixels.device)
    return replace(
        batch,
        pixels=batch.pixels[items][:, list(group.bands)],
        bands=tuple(batch.bands[i] for i in group.bands),
        lonlat=batch.lonlat[items],
        days=batch.days[items],
        token_km2=batch.token_km2[items],
    )


def drop_facts(batch: Batch, seeds: Sequence[int], probability: float, *, whole_batch: bool = False) -> Batch:
    """Place, time and area made unknown, each on its own, with this probability; per item.

    The paper's best probability is 0.7 (arXiv:2503.11849, table of ablations); the released code has 0 and, where it
    drops, drops for a whole batch, which `whole_batch` does with the seed of the first item.
    """
    assert batch.lonlat is not None and batch.days is not None and batch.token_km2 is not None  # noqa: S101, PT018
    if probability <= 0:
        return batch
    who = [seeds[0]] * len(seeds) if whole_batch else seeds
    drawn = np.stack([np.random.default_rng((seed, _FACTS)).random(3) for seed in who])
    gone: Bool[Tensor, "b 3"] = torch.from_numpy(drawn < probability).to(batch.pixels.device)
    return replace(
        batch,
        lonlat=batch.lonlat.masked_fill(gone[:, :1], torch.nan),
        days=batch.days.masked_fill(gone[:, 1], torch.nan),
        token_km2=batch.token_km2.masked_fill(gone[:, 2], torch.nan),
    )
