"""Parts: which items teach, choose and are asked, by protocol, share of labels and seed.

*official* is the split that the task came with. *blocks* keeps whole squares of the Earth on one side, whatever the
official split says, so that no item is asked next to one that taught; the squares are five tiles wide, and their split
is the same for every seed. A share of labels is drawn from training and validation items alike: both are labels that
somebody would have to make. Shares are nested: the items of 1 % are among those of 5 %.
"""

import numpy as np
from jaxtyping import Float, Int

from armillary.bench.features.known import Known
from armillary.errors import BadInput, OutOfRange, PlaceUnknown
from armillary.probe.answer import Answer, OneOf
from armillary.probe.asked import Parts
from armillary.probe.splits import blocks

PROTOCOLS = ("official", "blocks")
TILES_PER_BLOCK = 5
SMALLEST_BLOCK_DEG = 1.0
FEWEST_BLOCKS = 3

REGION_DEG = 10.0
"""Side of the squares over which scores are told apart by region."""


def parts_of(known: Known, answer: Answer, *, protocol: str, fraction: float, seed: int) -> Parts:
    """Who teaches, who chooses, who is asked.

    Args:
        known: the items of the task.
        answer: what is asked; with one class per item, shares are drawn class by class.
        protocol: one of `PROTOCOLS`.
        fraction: share of the labels, above 0 to 1.
        seed: of the share that is drawn.

    Raises:
        BadInput: no such protocol.
        OutOfRange: no such share.
        PlaceUnknown: blocks were asked of items without places.
    """
    if not 0 < fraction <= 1:
        raise OutOfRange(f"a share of {fraction} of the labels was asked; give one above 0 and up to 1")
    if protocol == "official":
        train, val, test = (known.of(part) for part in ("train", "val", "test"))
        groups = np.unique(known.groups, return_inverse=True)[1].astype(np.int64) if known.groups else None
    elif protocol == "blocks":
        groups = blocks(known.lonlat, block_deg(known))
        train, val, test = _by_block(known, groups)
    else:
        raise BadInput(f"no protocol is called {protocol!r}; known are {', '.join(PROTOCOLS)}")
    rngs = np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1))
    train, val = (_share(i, known, answer, fraction, rng) for i, rng in zip((train, val), rngs, strict=True))
    return Parts(train, val, test, groups)


def block_deg(known: Known) -> float:
    """Side of the squares that are never cut."""
    return max(SMALLEST_BLOCK_DEG, TILES_PER_BLOCK * known.tile_deg)


def regions(lonlat: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
    """Number of the region of each item; -1 where its place is unknown."""
    return blocks(lonlat, REGION_DEG)


def _by_block(
    known: Known, groups: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " v"], Int[np.ndarray, " q"]]:
    """Whole blocks, in a fixed random order, until test and then validation have as many items as officially."""
    placed = np.flatnonzero(groups >= 0)
    names, sizes = np.unique(groups[placed], return_counts=True)
    if not len(names):
        raise PlaceUnknown("spatial blocks were asked of items without places; use the official protocol")
    if len(names) < FEWEST_BLOCKS:
        raise OutOfRange(
            f"{len(placed)} items with a place lie in {len(names)} blocks of {block_deg(known):.1f} degrees; "
            f"spatial blocks need at least {FEWEST_BLOCKS}: use the official protocol"
        )
    order = np.random.default_rng(0).permutation(len(names))
    wanted = {part: len(known.of(part)) / len(known) * len(placed) for part in ("test", "val")}
    cut = _count(sizes[order], wanted["test"], leave=2)
    second = cut + _count(sizes[order[cut:]], wanted["val"], leave=1)
    sides = order[second:], order[cut:second], order[:cut]
    train, val, test = (placed[np.isin(groups[placed], names[side])] for side in sides)
    return train, val, test


def _count(sizes: Int[np.ndarray, " k"], wanted: float, *, leave: int) -> int:
    """How many blocks it takes to hold so many items: at least one, and so many are left."""
    enough = int(np.searchsorted(np.cumsum(sizes), wanted)) + 1
    return int(np.clip(enough, 1, len(sizes) - leave))


def _share(
    items: Int[np.ndarray, " m"], known: Known, answer: Answer, fraction: float, rng: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """The first items of a random order: of each class where an item has one, at least one of each."""
    if fraction == 1 or not len(items):
        return items
    kinds = np.zeros(len(items), dtype=np.int64)
    if isinstance(answer, OneOf):
        kinds = np.array([int(known.truths[int(n)]) for n in items])
    taken = []
    for kind in np.unique(kinds):
        own = rng.permutation(items[kinds == kind])
        taken.append(own[: max(1, round(fraction * len(own)))])
    return np.sort(np.concatenate(taken))
