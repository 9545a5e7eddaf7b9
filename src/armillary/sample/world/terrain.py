"""Terrain: heights of a synthetic place, and its water.

Fractal fields are folded into ridges, smooth in the valleys and rough aloft as erosion leaves them, and level where a
river or the sea lies: a river runs along the zero line of a smooth field and has cut a valley about it. Relief spans
plains of half a metre to mountains of a few hundred; some places are coasts, some lie below the sea behind dykes.
SYNTHETIC.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from armillary.sample.world.chance import fields, key, uniform

PIXEL_M = 10.0
SLOPES = (4.8, 4.2, 2.9, 2.9, 3.1, 2.4)
"""Of the fields of a place: valley, ridges, spurs, and three for what grows and stands there."""

COAST, POLDER, RIVER, LAKE = 0.22, 0.04, 0.4, 0.12
"""Shares of places."""

_FIELDS, _FACTS = 3, 4


@dataclass(frozen=True, eq=False)
class Terrain:
    """The ground.

    Args:
        height: metres above the sea; that of the surface where there is water.
        water: True under water.
        depth: metres of water.
        above: metres above the nearest water level of the place.
        east: metres of rise per metre eastwards.
        north: the same northwards.
        spare: fields of mean 0 and variance 1 that have shaped nothing yet.
    """

    height: Float[Tensor, "b h w"]
    water: Bool[Tensor, "b h w"]
    depth: Float[Tensor, "b h w"]
    above: Float[Tensor, "b h w"]
    east: Float[Tensor, "b h w"]
    north: Float[Tensor, "b h w"]
    spare: Float[Tensor, "b 3 h w"]

    @property
    def slope(self) -> Float[Tensor, "b h w"]:
        """Degrees."""
        return torch.rad2deg(torch.hypot(self.east, self.north).atan())


def terrain_of(seed: int, places: Int[Tensor, " b"], side: int) -> Terrain:
    """Heights and water of each item, side x side pixels of 10 m."""
    drawn = fields(key(seed, _FIELDS, places), SLOPES, side)
    u = uniform(key(seed, _FACTS, places), 9)[..., None, None]
    amplitude = (-0.7 + u[:, 0] * 4.9).exp()  # 0.5 m to 70 m
    coast, polder = u[:, 1] < COAST, (u[:, 1] >= COAST) & (u[:, 1] < COAST + POLDER)
    river = (u[:, 2] < RIVER) & ~coast
    valley, ridge, spur = drawn[:, 0] + (u[:, 3] - 0.5), drawn[:, 1], drawn[:, 2]
    soft = (valley.square() + 0.002).sqrt()
    damp = torch.where(river, soft / (soft + 0.25), torch.ones_like(soft))
    sharp = u[:, 4]
    crest = sharp * (0.8 - ridge.abs()) + (1 - sharp) * 0.6 * ridge
    large = torch.where(river, 0.9 * soft, valley) + 0.9 * damp * crest
    aloft = torch.sigmoid(2.2 * (large - large.mean(dim=(1, 2), keepdim=True)))  # rain has smoothed the low ground
    shape = large + damp * (0.08 + 0.42 * aloft) * (0.8 - spur.abs())
    base = torch.where(coast, (u[:, 5] - 0.45) * amplitude, 15 + 4500 * u[:, 5] ** 4 + 2.5 * amplitude)
    amplitude = torch.where(polder, 0.3, amplitude)
    bed = torch.where(polder, -1.5 - 4 * u[:, 5], base) + amplitude * shape
    level = _level(bed, coast, (u[:, 6] < LAKE) & ~coast & ~river, 0.05 + 0.3 * u[:, 7])
    run = _run(valley, 0.6 + 5 * u[:, 8] ** 2) & river
    water = run | (bed < level)
    height = torch.where(bed < level, level.expand_as(bed), bed)
    depth = torch.where(run, torch.full_like(bed, 2.0), (level - bed).clamp(0, 100))
    lowest = torch.where(coast, torch.zeros_like(base), bed.amin(dim=(1, 2), keepdim=True))
    east, north = _rise(height)
    return Terrain(height, water, depth, height - lowest, east, north, drawn[:, 3:])


def _level(
    bed: Float[Tensor, "b h w"],
    coast: Bool[Tensor, "b 1 1"],
    lake: Bool[Tensor, "b 1 1"],
    share: Float[Tensor, "b 1 1"],
) -> Float[Tensor, "b 1 1"]:
    """Height of the still water of a place, minus infinity where it has none."""
    ordered = bed.flatten(1).sort(dim=1).values
    at = (share[:, 0] * ordered.shape[1]).long()
    filled = ordered.gather(1, at)[..., None]
    none = torch.full_like(filled, -torch.inf)
    return torch.where(coast, torch.zeros_like(filled), torch.where(lake, filled, none))


def _run(valley: Float[Tensor, "b h w"], width_px: Float[Tensor, "b 1 1"]) -> Bool[Tensor, "b h w"]:
    """Pixels within half a river's width of the zero line of a field."""
    dy, dx = torch.gradient(valley, dim=(1, 2))
    return valley.abs() < 0.5 * width_px * torch.hypot(dx, dy)


def _rise(height: Float[Tensor, "b h w"]) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Eastwards and northwards; row 0 is the northern edge."""
    down, east = torch.gradient(height, spacing=PIXEL_M, dim=(1, 2))
    return east, -down
