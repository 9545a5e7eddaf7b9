"""Surface: reflectance of the ground in the bands of Sentinel-2 level 2A.

Each pixel mixes a few *materials* (leaves, straw, sand, rock, roofs, snow, waters) whose reflectances are round numbers
of published spectra. Slopes towards the sun are brighter by the cosine of incidence in the share of light that is
direct. Bands of 20 m and 60 m are averaged over their own pixels and repeated, as products on a 10 m grid are.
SYNTHETIC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d

from armillary.earth.fleet import sensors
from armillary.sample.world.chance import key, normal, uniform
from armillary.sample.world.climate import Climate, Sun
from armillary.sample.world.cover import BARE, BUILT, CROPS, FLOODED, RANGE, SNOW, TREES, WATER, Cover
from armillary.sample.world.terrain import Terrain

MATERIALS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {  # B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12
        "leaf": (0.018, 0.023, 0.048, 0.027, 0.085, 0.260, 0.340, 0.360, 0.380, 0.370, 0.190, 0.085),
        "needle": (0.014, 0.017, 0.031, 0.021, 0.055, 0.150, 0.190, 0.205, 0.220, 0.220, 0.110, 0.050),
        "grass": (0.024, 0.031, 0.075, 0.040, 0.120, 0.320, 0.430, 0.450, 0.470, 0.460, 0.240, 0.130),
        "straw": (0.050, 0.065, 0.100, 0.140, 0.180, 0.220, 0.250, 0.270, 0.300, 0.310, 0.360, 0.270),
        "sand": (0.110, 0.150, 0.220, 0.300, 0.340, 0.360, 0.380, 0.400, 0.420, 0.430, 0.520, 0.480),
        "loam": (0.045, 0.055, 0.075, 0.095, 0.110, 0.125, 0.140, 0.150, 0.165, 0.170, 0.220, 0.190),
        "laterite": (0.050, 0.060, 0.100, 0.190, 0.230, 0.260, 0.280, 0.290, 0.310, 0.320, 0.380, 0.310),
        "rock": (0.090, 0.110, 0.140, 0.160, 0.170, 0.180, 0.190, 0.200, 0.205, 0.210, 0.230, 0.210),
        "roof": (0.130, 0.150, 0.180, 0.220, 0.230, 0.240, 0.250, 0.260, 0.270, 0.275, 0.300, 0.270),
        "asphalt": (0.070, 0.080, 0.090, 0.100, 0.105, 0.110, 0.115, 0.120, 0.125, 0.130, 0.150, 0.140),
        "snow": (0.920, 0.930, 0.920, 0.910, 0.900, 0.880, 0.860, 0.840, 0.820, 0.750, 0.120, 0.080),
        "deep": (0.025, 0.022, 0.015, 0.008, 0.006, 0.004, 0.003, 0.003, 0.003, 0.002, 0.001, 0.001),
        "silt": (0.050, 0.065, 0.095, 0.090, 0.075, 0.040, 0.035, 0.028, 0.022, 0.020, 0.006, 0.004),
        "shoal": (0.060, 0.080, 0.090, 0.035, 0.020, 0.010, 0.008, 0.006, 0.005, 0.004, 0.001, 0.001),
    }
)
"""Material -> reflectance of each band of s2-l2a."""

DIFFUSE = (0.45, 0.38, 0.30, 0.24, 0.22, 0.20, 0.18, 0.16, 0.15, 0.14, 0.07, 0.05)
"""Share of the light in each band that comes from the whole sky and shades nothing."""

_FACTS, _STATE, _PIXELS = 8, 9, 10


@dataclass(frozen=True, eq=False)
class Ground:
    """What a sensor without air would see.

    Args:
        reflectance: of each band of s2-l2a.
        snow: share of each pixel under snow.
        green: vigour of the plants, 0 to 1.
        soil: moisture of the topsoil on the day, 0 to 1.
    """

    reflectance: Float[Tensor, "b 12 h w"]
    snow: Float[Tensor, "b h w"]
    green: Float[Tensor, "b h w"]
    soil: Float[Tensor, "b h w"]


def weather_of(
    seed: int, places: Int[Tensor, " b"], visits: Int[Tensor, " b"], cover: Cover, warm: Float[Tensor, "b h w"]
) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Snow and soil moisture of a visit."""
    u = uniform(key(seed, _STATE, places, visits), 2)[..., None, None]
    soil = (cover.moisture * (0.4 + 0.9 * u[:, 0])).clamp(0, 1)
    fallen = torch.sigmoid((-1.5 - warm) / 1.2) * torch.sigmoid(10 * (cover.moisture - 0.25 + 0.4 * (u[:, 1] - 0.5)))
    open_water = cover.code == WATER
    snow = torch.where(open_water, torch.sigmoid((-9 - warm) / 1.5), fallen)
    return torch.where(cover.code == SNOW, 0.97 * torch.ones_like(snow), snow), soil


def mixture(
    seed: int,
    places: Int[Tensor, " b"],
    climate: Climate,
    terrain: Terrain,
    cover: Cover,
    state: tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"], Float[Tensor, "b h w"]],
) -> Float[Tensor, "b m h w"]:
    """Share of each material in each pixel, in the order of MATERIALS; they add up to 1.

    Args:
        seed: of the world.
        places: of the items.
        climate: theirs.
        terrain: theirs.
        cover: theirs.
        state: snow, soil moisture and greenness.
    """
    snow, _, green = state
    u = uniform(key(seed, _FACTS, places), 4)[..., None, None]
    dry = torch.sigmoid((0.3 - climate.wet[:, None, None]) * 14)
    red = torch.sigmoid((climate.warm[:, None, None] - 23) / 2) * u[:, 0]
    earth = {"sand": dry, "laterite": (1 - dry) * red, "loam": (1 - dry) * (1 - red)}
    needle = cover.evergreen[:, None, None] * torch.sigmoid((16 - climate.warm[:, None, None]) / 2)
    silt = (0.15 + 0.85 * u[:, 1]) * torch.exp(-terrain.depth / (1 + 6 * u[:, 2]))
    shoal = torch.exp(-terrain.depth / 4) * (1 - silt) * u[:, 3]
    roofs = 0.25 + 0.6 * cover.grain
    bare = 1 - 0.85 * cover.edge
    shares = {name: torch.zeros_like(green) for name in MATERIALS}

    def add(code: int, **parts: Float[Tensor, "b h w"] | float) -> None:
        here = (cover.code == code).float()
        for name, part in parts.items():
            shares[name] = shares[name] + here * part

    plants = (1 - green) * 0.65
    add(TREES, needle=0.9 * needle * green, leaf=0.95 * (1 - needle) * green + 0.05 * green * (1 - needle))
    add(CROPS, grass=green * bare, straw=(1 - green * bare) * 0.35)
    add(RANGE, grass=green, straw=plants * (1 - dry * 0.6))
    add(FLOODED, grass=0.7 * green, deep=0.45 * (1 - green), silt=0.15 * (1 - green))
    add(BUILT, roof=roofs * (1 - green), asphalt=(1 - roofs) * (1 - green), grass=green)
    add(BARE, rock=torch.sigmoid((terrain.slope - 12) / 4))
    add(WATER, silt=silt, shoal=shoal, deep=1 - silt - shoal)
    add(SNOW, snow=1.0)
    left = (1 - torch.stack(list(shares.values())).sum(dim=0)).clamp(min=0)
    for name, part in earth.items():
        shares[name] = shares[name] + left * part
    kept = torch.where((cover.code == TREES) | (cover.code == BUILT), 1 - 0.55 * snow, 1 - snow)
    mixed = torch.stack([shares[name] * kept for name in MATERIALS], dim=1)
    mixed[:, list(MATERIALS).index("snow")] += 1 - kept
    return mixed / mixed.sum(dim=1, keepdim=True)


def reflect(
    mixed: Float[Tensor, "b m h w"],
    soil: Float[Tensor, "b h w"],
    sheen: Float[Tensor, "b h w"],
    shade: Float[Tensor, "b 12 h w"],
) -> Float[Tensor, "b 12 h w"]:
    """Reflectance of a mixture: darkened where the soil is wet, lit by `shade`, at the ground size of each band.

    Args:
        mixed: share of each material.
        soil: moisture of the topsoil.
        sheen: brightness of each pixel about 1, its texture.
        shade: light on the slope over that on level ground.
    """
    table = torch.tensor(list(MATERIALS.values()), device=mixed.device)
    names = list(MATERIALS)
    earth = mixed[:, [names.index(n) for n in ("sand", "loam", "laterite")]].sum(dim=1)
    flat = torch.einsum("bmhw,mc->bchw", mixed, table)
    flat = flat * (1 - 0.45 * earth * soil)[:, None] * sheen[:, None]
    return native((flat * shade).clamp(1e-4, 1.5))


def shade_of(terrain: Terrain, sun: Sun, share: float = 1.0) -> Float[Tensor, "b 12 h w"]:
    """Light that falls on each slope over light on level ground, for each band.

    Args:
        terrain: the slopes.
        sun: where the light comes from.
        share: of the effect; 0 lights all slopes alike: then equal mixtures look equal on any relief.
    """
    zenith, azimuth = torch.deg2rad(sun.zenith)[:, None, None], torch.deg2rad(sun.azimuth)[:, None, None]
    tilt = -(terrain.east * azimuth.sin() + terrain.north * azimuth.cos()) * zenith.sin() + zenith.cos()
    direct = tilt.clamp(min=0) / torch.sqrt(1 + terrain.east**2 + terrain.north**2) / zenith.cos()
    diffuse = torch.tensor(DIFFUSE, device=direct.device)[None, :, None, None]
    light = (diffuse + (1 - diffuse) * direct[:, None]).clamp(0.1, 2.0)
    level = terrain.water[:, None]
    return torch.where(level, torch.ones_like(light), 1 + share * (light - 1))


def sheen_of(
    seed: int, places: Int[Tensor, " b"], visits: Int[Tensor, " b"], cover: Cover, texture: Float[Tensor, "b h w"]
) -> Float[Tensor, "b h w"]:
    """Texture: brightness of each pixel about 1; rougher for towns and forests than for water and snow."""
    spread = torch.full_like(texture, 0.05)
    for code, value in ((TREES, 0.13), (BUILT, 0.22), (BARE, 0.07), (CROPS, 0.06), (WATER, 0.02), (SNOW, 0.02)):
        spread = torch.where(cover.code == code, value, spread)
    still = normal(key(seed, _PIXELS, places), *texture.shape[1:])
    moved = normal(key(seed, _PIXELS, places, visits), *texture.shape[1:])
    return (spread * (0.5 * texture + 0.8 * still + 0.2 * moved)).exp()


def native(picture: Float[Tensor, "b 12 h w"]) -> Float[Tensor, "b 12 h w"]:
    """Each band averaged over pixels of its own ground size and repeated; a ragged edge has smaller ones."""
    out = picture.clone()
    for size in (2, 6):
        at = [i for i, gsd in enumerate(sensors["s2-l2a"].band_gsd_m) if gsd == 10 * size]
        mean = avg_pool2d(picture[:, at], size, ceil_mode=True, count_include_pad=False)
        h, w = picture.shape[-2:]
        out[:, at] = mean.repeat_interleave(size, -2).repeat_interleave(size, -1)[..., :h, :w]
    return out
