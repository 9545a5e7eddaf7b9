"""Air: from the surface to the top of the atmosphere and back, for the thirteen bands of Sentinel-2.

    rho_toa = gas * (path + down * (direct rho + scattered mean(rho)) / (1 - spherical mean(rho))) + cirrus

with `mean` a blur over the neighbours (adjacency). Molecules and aerosol scatter once on the path; ozone, water vapour
and the mixed gases absorb. For a given `Air` this is invertible: in closed form where the ground is even, else by
iteration, whose error falls in each step to the share of scattered light in all that comes up. Formulas: single
scattering after Hansen and Travis 1974 and Vermote et al. 1997 (6S) in round numbers. SYNTHETIC where it is applied to
a synthetic surface.
"""

from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from armillary.earth.fleet import sensors
from armillary.sample.atmosphere import depth
from armillary.sample.world.chance import key, normal, uniform
from armillary.sample.world.climate import Sun

CENTER_UM = tuple(b.center_nm / 1000 for b in sensors["s2-l1c"].bands)  # type: ignore[union-attr]
OZONE = (0.0, 0.007, 0.032, 0.022, 0.008, 0.003, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Optical depth of 300 Dobson units of ozone in each band of s2-l1c."""

MIXED = (0.0, 0.0, 0.0, 0.0, 0.003, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.025, 0.045)
"""Optical depth of what is mixed alike everywhere: oxygen, carbon dioxide, methane, nitrous oxide."""

VAPOUR = (0.0, 0.0, 0.0, 0.004, 0.018, 0.012, 0.004, 0.022, 0.001, 0.45, 5.0, 0.006, 0.02)
"""k of exp(-k (airmass x cm of water)^0.6)."""

ALBEDO, ASYMMETRY, KEPT = 0.93, 0.5, 0.4
"""Of aerosol: share of light that it scatters, the shape of that backwards, and the depth that is left when light
scattered straight on counts as not scattered."""

BLUR_PX, BLUR_REACH = 5.0, 15
"""Adjacency: width of the blur, and how far it reaches, in pixels of 10 m."""

SCALE_HEIGHT_M = 8434.0
STEPS = 60
"""Of the inversion; under the thickest air the share is 0.7."""

_AIR = 11

L2A_IN_L1C = tuple(i for i, name in enumerate(sensors["s2-l1c"].band_names) if name != "B10")


@dataclass(frozen=True, eq=False)
class Air:
    """The state of the air over a place, all that is between level 2A and level 1C.

    Args:
        aerosol: optical depth at 550 nm.
        exponent: of its fall with wavelength.
        water_cm: of vapour.
        ozone_du: Dobson units.
        cirrus: reflectance of thin ice cloud.
        pressure: over that at sea level.
        zenith: of the sun, degrees.
    """

    aerosol: Float[Tensor, " b"]
    exponent: Float[Tensor, " b"]
    water_cm: Float[Tensor, " b"]
    ozone_du: Float[Tensor, " b"]
    cirrus: Float[Tensor, " b"]
    pressure: Float[Tensor, " b"]
    zenith: Float[Tensor, " b"]


@dataclass(frozen=True, eq=False)
class Transfer:
    """What the air does to light in each band; (items, bands, 1, 1)."""

    path: Float[Tensor, "b c 1 1"]
    down: Float[Tensor, "b c 1 1"]
    direct: Float[Tensor, "b c 1 1"]
    scattered: Float[Tensor, "b c 1 1"]
    spherical: Float[Tensor, "b c 1 1"]
    gas: Float[Tensor, "b c 1 1"]
    cirrus: Float[Tensor, "b c 1 1"]


def air_of(
    seed: int, places: Int[Tensor, " b"], visits: Int[Tensor, " b"], sun: Sun, ground: tuple[Tensor, Tensor]
) -> Air:
    """The air of a visit.

    Args:
        seed: of the world.
        places: of the items.
        visits: of the items.
        sun: theirs.
        ground: mean height in metres and temperature in degrees C of each item.
    """
    height, warm = ground
    u, n = uniform(key(seed, _AIR, places, visits), 4), normal(key(seed, _AIR + 100, places, visits), 2)
    pressure = (-height.clamp(min=-500) / SCALE_HEIGHT_M).exp()
    water = (0.35 * (0.062 * warm).exp() * (0.35 * n[:, 1]).exp() * pressure**4 * 1.6).clamp(0.05, 6)
    return Air(
        (0.12 * (0.6 * n[:, 0]).exp()).clamp(0.01, 0.8),
        0.4 + 1.4 * u[:, 0],
        water,
        240 + 160 * u[:, 1],
        0.0005 + 0.006 * u[:, 2] ** 4,
        pressure,
        sun.zenith,
    )


def transfer(air: Air) -> Transfer:
    """What that air does to light."""
    um = torch.tensor(CENTER_UM, device=air.zenith.device)
    mu = torch.deg2rad(air.zenith).cos()[:, None]
    molecules = torch.tensor([depth(1000 * c) for c in CENTER_UM], device=um.device) * air.pressure[:, None]
    aerosol = air.aerosol[:, None] * (um / 0.55) ** -air.exponent[:, None]
    cos_angle = -mu  # seen from straight above
    rayleigh = 0.75 * (1 + cos_angle**2)
    haze = (1 - ASYMMETRY**2) / (1 + ASYMMETRY**2 - 2 * ASYMMETRY * cos_angle) ** 1.5
    both = molecules + aerosol
    thin = molecules + KEPT * aerosol
    share = (molecules * rayleigh + ALBEDO * aerosol * haze) / thin
    path = share / (4 * (mu + 1)) * (1 - (-thin * (1 / mu + 1)).exp())
    lost = 0.5 * molecules + 0.16 * aerosol
    direct = (-both).exp()
    mass = 1 / mu + 1
    water = torch.tensor(VAPOUR, device=um.device) * (mass * air.water_cm[:, None]) ** 0.6
    ozone = torch.tensor(OZONE, device=um.device) * mass * air.ozone_du[:, None] / 300
    mixed = torch.tensor(MIXED, device=um.device) * mass * air.pressure[:, None]
    parts = (
        path,
        (-lost / mu).exp(),
        direct,
        (-lost).exp() - direct,
        0.73 * molecules + 0.12 * aerosol,
        (-water - ozone - mixed).exp(),
        air.cirrus[:, None].expand_as(path),
    )
    return Transfer(*(p[..., None, None] for p in parts))


def to_top(surface: Float[Tensor, "b 12 h w"], air: Air) -> Float[Tensor, "b 13 h w"]:
    """Level 1C of a surface: the reflectance that a satellite sees. The ground in B10 is that in B11."""
    t = transfer(air)
    ground = torch.cat([surface[:, :10], surface[:, 10:11], surface[:, 10:]], dim=1)
    around = blur(ground)
    seen = t.down * (t.direct * ground + t.scattered * around) / (1 - t.spherical * around)
    return t.gas * (t.path + seen) + t.cirrus


def to_surface(top: Float[Tensor, "b 13 h w"], air: Air) -> Float[Tensor, "b 12 h w"]:
    """Level 2A of a level 1C under a known air: the inverse of `to_top`."""
    at = list(L2A_IN_L1C)
    whole = transfer(air)
    t = Transfer(*(getattr(whole, f.name)[:, at] for f in fields(Transfer)))
    seen = ((top[:, at] - t.cirrus) / t.gas - t.path) / t.down
    through = t.direct + t.scattered
    ground = seen / (through + t.spherical * seen)  # exact where the ground is even
    for _ in range(STEPS):
        around = blur(ground)
        missed = seen * (1 - t.spherical * around) - t.direct * ground - t.scattered * around
        ground = ground + missed / through
    return ground


def blur(picture: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """A Gaussian mean over the neighbours; beyond the edge its pixels go on."""
    h, w = picture.shape[-2:]
    return _means(h).to(picture) @ picture @ _means(w).to(picture).T


@lru_cache(maxsize=16)
def _means(side: int) -> Float[Tensor, "h h"]:
    """Weights of the pixels of a line in the mean about each of them."""
    at = torch.arange(-BLUR_REACH, BLUR_REACH + 1)
    weight = (-0.5 * (at / BLUR_PX) ** 2).exp()
    column = (torch.arange(side)[:, None] + at).clamp(0, side - 1)
    return torch.zeros(side, side).scatter_add_(1, column, (weight / weight.sum()).expand(side, -1))
