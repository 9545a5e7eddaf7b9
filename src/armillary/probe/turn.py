"""Flips and turns of pixels together with their truth. What comes in from outside is unknown: never a class.

Upstream fills the corners of a turned label map with 0, which is a class: some 12 % of the pixels of a turned tile.
Here they are IGNORE or NaN, and pixels there are 0, which is how a Batch says that nothing is known.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import grid_sample

from armillary.probe.answer import IGNORE

CHANCE = 0.5
"""Of each flip, and of a turn."""

MOST_DEG = 90.0


def turned(x: Float[Tensor, "c h w"], angle_deg: float) -> Float[Tensor, "c h w"]:
    """Pixels turned anticlockwise about the middle, bilinear; 0 where nothing was, and where nothing is known."""
    grid = _grid(x.shape[-2], x.shape[-1], angle_deg).to(x)
    known = torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)
    return grid_sample(known[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def turned_truth(truth: Shaped[Tensor, "h w"], angle_deg: float) -> Shaped[Tensor, "h w"]:
    """Class numbers or values turned in the same way, each pixel the nearest; IGNORE or NaN where nothing was."""
    grid = _grid(truth.shape[0], truth.shape[1], angle_deg).to(truth.device)
    numbers = truth.to(torch.float32)[None, None]
    near = grid_sample(numbers, grid[None], mode="nearest", padding_mode="border", align_corners=False)[0, 0]
    unknown = float("nan") if truth.is_floating_point() else float(IGNORE)
    return torch.where((grid.abs() <= 1).all(dim=-1), near, unknown).to(truth.dtype)


def varied(
    pixels: Float[Tensor, "s c h w"],
    counts: Sequence[int],
    truths: Sequence[Shaped[Tensor, "..."]],
    rng: torch.Generator,
) -> tuple[Float[Tensor, "s c h w"], list[Tensor]]:
    """Each item flipped both ways by chance; one with a map as its truth is turned by chance as well.

    Args:
        pixels: samples of all items, item after item.
        counts: samples of each item, which are moved alike.
        truths: one per item; those that are no map stay as they are.
        rng: on the CPU.
    """
    shown, told = [], []
    for x, truth in zip(torch.split(pixels, list(counts)), truths, strict=True):
        drawn = torch.rand(4, generator=rng).tolist()
        axes = [axis for axis, chance in zip((-2, -1), drawn, strict=False) if chance < CHANCE]
        angle = MOST_DEG * (2 * drawn[3] - 1) if truth.ndim == 2 and drawn[2] < CHANCE else 0.0
        flat = torch.flip(x, axes)
        t = torch.flip(truth, axes) if truth.ndim == 2 else truth
        shown.append(torch.stack([turned(one, angle) for one in flat]) if angle else flat)
        told.append(turned_truth(t, angle) if angle else t)
    return torch.cat(shown), told


def _grid(h: int, w: int, angle_deg: float) -> Float[Tensor, "h w 2"]:
    """Where each pixel of the turned map comes from, in halves of the sides."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    y, x = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, indexing="ij")
    return torch.stack([(cos * x - sin * y) * 2 / w, (sin * x + cos * y) * 2 / h], dim=-1)
