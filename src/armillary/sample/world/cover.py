"""Cover: what grows and stands on a synthetic terrain, and how green it is on a day.

Each class has a score from warmth, moisture, slope, height above the water and a field of its own; the highest wins.
So forest ends at a tree line, fields lie on level ground, towns in the plain, bare rock on the steep. Codes are those
of the ESRI land-cover map. SYNTHETIC.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from armillary.sample.world.chance import key, of_number, uniform
from armillary.sample.world.climate import Climate
from armillary.sample.world.terrain import Terrain

WATER, TREES, FLOODED, CROPS, BUILT, BARE, SNOW, RANGE = 1, 2, 4, 5, 7, 8, 9, 11
CODES = (TREES, FLOODED, CROPS, BUILT, BARE, SNOW, RANGE)
"""Classes of dry land, in the order of their scores."""

TREE_LINE_C = 9.0
"""The warmest day below which no tree grows."""

_FACTS, _PARCELS, _GRAIN = 5, 6, 7


@dataclass(frozen=True, eq=False)
class Cover:
    """The ground's cover.

    Args:
        code: ESRI code of each pixel.
        moisture: 0 dry to 1 wet.
        parcel: a number in (0, 1) for each field of a farm, equal within it.
        edge: 1 on the border of a parcel, else 0.
        evergreen: share of the trees that keep their leaves, for each item.
        grain: a number in (0, 1) for each block of a town.
    """

    code: Int[Tensor, "b h w"]
    moisture: Float[Tensor, "b h w"]
    parcel: Float[Tensor, "b h w"]
    edge: Float[Tensor, "b h w"]
    evergreen: Float[Tensor, " b"]
    grain: Float[Tensor, "b h w"]


def cover_of(seed: int, places: Int[Tensor, " b"], climate: Climate, terrain: Terrain) -> Cover:
    """Land cover of each item."""
    u = uniform(key(seed, _FACTS, places), 6)[..., None, None]
    summer = (climate.warm + climate.swing)[:, None, None] - 0.0065 * terrain.height
    low = (-terrain.above / 12).exp()
    moisture = (climate.wet[:, None, None] + 0.25 * low - 0.006 * terrain.slope + 0.08 * terrain.spare[:, 0]).clamp(
        0, 1
    )
    scores = _scores(terrain, summer, moisture, low, u)
    code = torch.tensor(CODES, device=scores.device)[scores.argmax(dim=1)]
    frozen = summer < -2
    code = torch.where(terrain.water, torch.where(frozen, SNOW, WATER), code)
    parcel, edge = _parcels(
        key(seed, _PARCELS, places), terrain.height.shape[-1], 6 + 22 * u[:, 3], 0.25 + 0.6 * u[:, 4]
    )
    cold = torch.sigmoid((4 - climate.warm) / 3)
    evergreen = (cold + torch.sigmoid((climate.warm - 20) / 2) + 0.6 * (u[:, 5, 0, 0] - 0.5)).clamp(0.05, 1)
    grain = uniform(key(seed, _GRAIN, places), *_halved(terrain.height.shape[1:]))
    grain = grain.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, : code.shape[1], : code.shape[2]]
    return Cover(code, moisture, parcel, edge, evergreen, grain)


def vigour(
    cover: Cover, climate: Climate, warm: Float[Tensor, "b h w"], days: Float[Tensor, " b"]
) -> Float[Tensor, "b h w"]:
    """How green each pixel is, 0 to 1.

    Args:
        cover: what grows there.
        climate: of the place.
        warm: degrees C on the day.
        days: since 1970-01-01.
    """
    growth = torch.sigmoid((warm - 7) / 2.5)
    north = (climate.lat >= 0)[:, None, None]
    turn = (days % 365.25)[:, None, None]
    rains = 0.5 + 0.5 * torch.cos(2 * torch.pi * (turn - torch.where(north, 210.0, 30.0)) / 365.25)
    tropical = (climate.swing < 6)[:, None, None]
    drink = torch.where(tropical, 0.35 + 0.65 * rains, torch.ones_like(rains))
    keep = cover.evergreen[:, None, None]
    tree = 0.9 * (keep + (1 - keep) * growth * drink)
    peak = torch.where(north, 150.0, -30.0) + 90 * cover.parcel.round() + 40 * (cover.parcel - 0.5)
    late = (turn - peak + 182.6) % 365.25 - 182.6
    crop = growth * (-((late / 42) ** 2)).exp()
    grass = growth * drink * (0.25 + 0.75 * cover.moisture)
    green = torch.zeros_like(growth)
    for code, value in (
        (TREES, tree),
        (CROPS, crop),
        (RANGE, grass),
        (FLOODED, 0.3 + 0.5 * grass),
        (BUILT, 0.3 * grass),
    ):
        green = torch.where(cover.code == code, value, green)
    return green


def _scores(
    terrain: Terrain,
    summer: Float[Tensor, "b h w"],
    moisture: Float[Tensor, "b h w"],
    low: Float[Tensor, "b h w"],
    u: Float[Tensor, "b k 1 1"],
) -> Float[Tensor, "b c h w"]:
    """In the order of CODES."""
    patches, towns, stones = terrain.spare.unbind(dim=1)
    slope = terrain.slope
    human = torch.sigmoid(8 * (u[:, 0] - 0.45)) * torch.sigmoid((summer - 11) / 2)
    thirst = (0.22 - moisture).clamp(min=0)
    trees = 3.2 * (moisture - 0.42) + 1.1 * patches + 3 * (u[:, 1] - 0.5) - 14 * thirst
    trees = trees - 6 * torch.sigmoid((TREE_LINE_C - summer) / 0.8)
    flooded = 2.2 * (moisture - 0.75) + 1.6 * (low - 0.55) - slope / 3 + 0.4 * stones
    crops = 4.2 * human - 1.6 - slope / 5 - 12 * thirst + 0.5 * patches.neg()
    built = 4 * human * (towns + 2.6 * (u[:, 2] - 0.75)) - 2.6 - slope / 7
    steep, cold = (slope - 33).clamp(min=0), (6 - summer).clamp(min=0)
    bare = 9 * (0.17 - moisture) + steep / 5 + cold / 2.2 + 0.5 * stones
    snow = 1.5 * (0.5 - summer) - (slope - 40).clamp(min=0) / 6
    rest = 0.25 + 0.25 * stones
    return torch.stack([trees, flooded, crops, built, bare, snow, rest], dim=1)


def _parcels(
    key: Int[Tensor, " b"], side: int, length: Float[Tensor, "b 1 1"], flat: Float[Tensor, "b 1 1"]
) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Fields of a farm: bricks `length` pixels long and `flat` times as wide, turned by an angle of the place."""
    turn = (uniform(key, 1) * torch.pi)[..., None]
    y, x = torch.meshgrid(torch.arange(side, device=key.device), torch.arange(side, device=key.device), indexing="ij")
    along, across = x * turn.cos() + y * turn.sin() + 999, y * turn.cos() - x * turn.sin() + 999
    row = (across / (length * flat)).floor()
    brick = along / length + 0.37 * row
    number = (brick.floor() * 1009 + row).long()
    near = torch.minimum(brick.frac() * length, (across / (length * flat)).frac() * length * flat)
    return of_number(key, number), (near < 0.8).float()


def _halved(shape: torch.Size) -> tuple[int, int]:
    return -(-shape[0] // 2), -(-shape[1] // 2)
