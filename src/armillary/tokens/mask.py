"""Masks: which tokens of an item stay visible. Each item's mask is a pure function of its own seed."""

from collections.abc import Sequence

import numpy as np
import torch
from einops import repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from armillary.errors import OutOfRange


def kept_of(n: int, ratio: float) -> int:
    """How many of n tokens stay when `ratio` of them is masked: int(n (1 - ratio)), as in arXiv:2111.06377, at least 1.

    Example:
        >>> kept_of(196, 0.7)
        58
    """
    if not 0.0 <= ratio < 1.0:
        raise OutOfRange(f"a mask ratio of {ratio} leaves nothing to see; give 0 to below 1")
    return max(1, int(n * (1 - ratio)))


def mask_random(n: int, ratio: float, seeds: Sequence[int]) -> Int[Tensor, "b k"]:
    """Positions of the visible tokens of each item, ascending; one seed per item, uniform without replacement."""
    k = kept_of(n, ratio)
    rows = [np.sort(np.random.default_rng((seed, n)).permutation(n)[:k]) for seed in seeds]
    return torch.from_numpy(np.stack(rows).astype(np.int64))


def pick(x: Float[Tensor, "b n d"], at: Int[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
    """The tokens at these positions, item by item."""
    return x.gather(1, repeat(at, "b k -> b k d", d=x.shape[-1]))


def hidden_of(n: int, at: Int[Tensor, "b k"]) -> Bool[Tensor, "b {n}"]:
    """True where a token is not among the visible ones."""
    return torch.ones(at.shape[0], n, dtype=torch.bool, device=at.device).scatter(1, at, value=False)


def unpick(
    x: Float[Tensor, "b k d"], at: Int[Tensor, "b k"], fill: Float[Tensor, " d"], n: int
) -> Float[Tensor, "b {n} d"]:
    """The inverse of `pick`: visible tokens back in their places, `fill` everywhere else."""
    whole = fill.to(x.dtype).expand(x.shape[0], n, -1)
    return whole.scatter(1, repeat(at, "b k -> b k d", d=x.shape[-1]), x)
