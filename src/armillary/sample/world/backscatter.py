"""Backscatter: what a C-band radar sees of the ground, terrain-flattened gamma nought in dB, with its speckle.

Each class has a typical level in VV and VH (round numbers of published means); moisture, plants, wind and snow move it,
and flattening leaves a little of the slope. Speckle multiplies power by a gamma number of mean 1 and variance
1 / looks, so in dB it has the mean and spread of `speckle_db`, whatever the ground. SYNTHETIC.
"""

from collections.abc import Mapping
from math import log, pi, sqrt
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from armillary.sample.world.chance import gamma, key, uniform
from armillary.sample.world.cover import BARE, BUILT, CROPS, FLOODED, RANGE, SNOW, TREES, WATER, Cover
from armillary.sample.world.surface import Ground
from armillary.sample.world.terrain import Terrain

LOOKS = 5
"""Equivalent number of looks of a 10 m product."""

LEVEL_DB: Mapping[int, tuple[float, float]] = MappingProxyType(
    {
        WATER: (-19.0, -27.0),
        TREES: (-8.8, -14.8),
        FLOODED: (-8.0, -15.5),
        CROPS: (-11.5, -19.5),
        BUILT: (-4.5, -12.0),
        BARE: (-14.0, -23.5),
        SNOW: (-12.0, -19.5),
        RANGE: (-12.5, -20.0),
    }
)
"""Class -> VV and VH."""

FLOOR_DB = -29.0
"""Noise of the instrument, which no measurement is below on average."""

RESIDUAL_DB = 0.07
"""What flattening leaves of one degree of slope towards the radar."""

LOOK_DEG = 78.0
"""Direction of the radar's beam on an ascending pass, from north by east; descending passes look the other way."""

_PASS, _SPECKLE = 12, 13


def level_of(
    seed: int, places: Int[Tensor, " b"], visits: Int[Tensor, " b"], cover: Cover, ground: Ground, terrain: Terrain
) -> Float[Tensor, "b 2 h w"]:
    """Mean backscatter of each pixel in dB: VV, VH; what remains when the speckle is averaged away."""
    u = uniform(key(seed, _PASS, places, visits), 3)[..., None, None]
    codes = torch.tensor(list(LEVEL_DB), device=cover.code.device)
    table = torch.zeros(int(codes.max()) + 1, 2, device=codes.device)
    table[codes] = torch.tensor(list(LEVEL_DB.values()), device=codes.device)
    level = table[cover.code].movedim(-1, 1)
    here = {code: (cover.code == code).float()[:, None] for code in (WATER, TREES, CROPS, RANGE, BARE, BUILT)}
    pol = torch.tensor((0.0, 1.0), device=level.device)[None, :, None, None]
    soil, green, snow = ground.soil[:, None], ground.green[:, None], ground.snow[:, None]
    earth = here[CROPS] + here[RANGE] + here[BARE]
    wind = u[:, :1] - 0.4
    level = level + here[WATER] * wind * (9 - 5 * pol) + earth * (1 - 0.5 * green) * (soil - 0.4) * 6
    level = level + (here[CROPS] + here[RANGE]) * (green - 0.4) * (1.5 + 2.5 * pol) + here[TREES] * (green - 0.5)
    level = level + here[BUILT] * 9 * (cover.grain[:, None] - 0.6) + 1.5 * (terrain.spare[:, :1] * 0.4)
    level = level - snow * earth * 1.5
    toward = torch.deg2rad(torch.where(u[:, 1] < 0.5, LOOK_DEG + 180, 180 - LOOK_DEG))
    facing = torch.rad2deg((-(terrain.east * toward.sin() + terrain.north * toward.cos())).atan())
    level = level + RESIDUAL_DB * facing[:, None] * (cover.code != WATER)[:, None]
    return 10 * torch.log10(10 ** (level / 10) + 10 ** (FLOOR_DB / 10))


def speckled(
    seed: int, places: Int[Tensor, " b"], visits: Int[Tensor, " b"], level: Float[Tensor, "b 2 h w"], looks: int = LOOKS
) -> Float[Tensor, "b 2 h w"]:
    """A measurement of that mean."""
    return level + 10 * torch.log10(gamma(key(seed, _SPECKLE, places, visits), looks, *level.shape[1:]))


def speckle_db(looks: int) -> tuple[float, float]:
    """Mean and standard deviation in dB of speckle of so many looks.

    10 / ln 10 times the mean digamma(L) - ln L and the spread sqrt(trigamma(L)) of the logarithm of a gamma number.

    Example:
        >>> [round(v, 3) for v in speckle_db(1)], [round(v, 3) for v in speckle_db(5)]
        ([-2.507, 5.57], [-0.449, 2.043])
    """
    digamma = -0.5772156649015329 + sum(1 / k for k in range(1, looks))
    trigamma = pi**2 / 6 - sum(1 / k**2 for k in range(1, looks))
    return 10 / log(10) * (digamma - log(looks)), 10 / log(10) * sqrt(trigamma)
