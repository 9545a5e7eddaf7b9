"""Noise: what is random about a request. A number is decided by its item's seed, its strand and its place alone.

Rows come in blocks, each with random numbers of its own, so that any strip of a scene can be drawn without the others,
and the same on every device: it is always drawn on the CPU.
"""

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK_ROWS = 32
"""Rows that are drawn at once."""


def seed_of(seed: int, *words: str | int) -> int:
    """A whole number from 0 to 2^63 - 1 that belongs to a seed and words.

    Example:
        >>> seed_of(1, "dem") == seed_of(1, "dem") != seed_of(1, "s1-rtc")
        True
    """
    said = "\x1f".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8]) >> 1


def seeds_of(request: int, items: int, first: int = 0) -> tuple[int, ...]:
    """One seed per item of a request; item i has the same whatever is asked beside it."""
    return tuple(seed_of(request, "item", i) for i in range(first, first + items))


def noise(
    seeds: Sequence[int], strand: str, shape: tuple[int, int, int], rows: slice | None = None, *words: str | int
) -> Float[Tensor, "b c h w"]:
    """Standard normal numbers, float32 on the CPU.

    Args:
        seeds: one per item.
        strand: whose noise.
        shape: channels, rows and columns of the whole strand.
        rows: the rows that are wanted, with both ends; None means all.
        words: tell draws of one strand apart.
    """
    c, h, w = shape
    top, stop = (0, h) if rows is None else (rows.start, rows.stop)
    blocks = range(top // BLOCK_ROWS, -(-stop // BLOCK_ROWS))
    drawn = [torch.cat([_block(seed_of(s, strand, *words, k), c, w) for k in blocks], dim=1) for s in seeds]
    first = top - blocks.start * BLOCK_ROWS
    return torch.stack(drawn)[:, :, first : first + stop - top]


def _block(seed: int, c: int, w: int) -> Float[Tensor, "c h w"]:
    return torch.randn(c, BLOCK_ROWS, w, generator=torch.Generator().manual_seed(seed))
