"""Climate: where a synthetic place lies, how warm and wet it is there, and where the sun stands on a day.

Curves are round numbers of the real Earth's zonal means: 27 degrees C at the equator, 6.5 degrees less per kilometre,
wet at the equator and about 55 degrees, dry about 25. SYNTHETIC.
"""

from dataclasses import dataclass
from math import pi

import torch
from jaxtyping import Float, Int
from torch import Tensor

from armillary.sample.world.chance import key, uniform

SOUTH, NORTH = -50.0, 68.0
"""Latitudes between which places lie; half as dense in the south."""

LAPSE_PER_M = 0.0065
MOST_SUN_ZENITH = 75.0
"""Optical sensors take no imagery under a lower sun."""

FIRST_DAY, DAYS = 17167, 2922
"""2017-01-01 as days since 1970, and the eight years from it."""

_WHERE, _WHEN = 1, 2


@dataclass(frozen=True, eq=False)
class Climate:
    """What is known of a place without its terrain.

    Args:
        lon: degrees.
        lat: the same.
        warm: mean temperature of the year at sea level, degrees C.
        swing: by how much the warmest day is above it.
        wet: 0 desert to 1 rain forest.
    """

    lon: Float[Tensor, " b"]
    lat: Float[Tensor, " b"]
    warm: Float[Tensor, " b"]
    swing: Float[Tensor, " b"]
    wet: Float[Tensor, " b"]

    def temperature(self, days: Float[Tensor, " b"], height_m: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
        """Degrees C on a day, at each height."""
        peak = torch.where(self.lat >= 0, 200.0, 18.0)
        season = (2 * pi * (days - peak) / 365.25).cos()
        return (self.warm + self.swing * season)[:, None, None] - LAPSE_PER_M * height_m


@dataclass(frozen=True, eq=False)
class Sun:
    """Where the sun stands at 10:30 local time.

    Args:
        zenith: degrees.
        azimuth: degrees from north by east.
    """

    zenith: Float[Tensor, "..."]
    azimuth: Float[Tensor, "..."]


def climate_of(seed: int, places: Int[Tensor, " b"]) -> Climate:
    """Place and climate of each item."""
    u = uniform(key(seed, _WHERE, places), 5)
    north = u[:, 4] < 2 / 3
    span = torch.where(north, NORTH, -SOUTH)
    lat = torch.rad2deg(torch.arcsin(u[:, 0] * torch.deg2rad(span).sin())) * torch.where(north, 1.0, -1.0)
    far = lat.abs()
    zonal = 0.85 * (-((far / 13) ** 2)).exp() + 0.6 * (-(((far - 54) / 17) ** 2)).exp() + 0.12
    wet = (zonal + 0.5 * (u[:, 1] - 0.5)).clamp(0.02, 1.0)
    return Climate(u[:, 2] * 360 - 180, lat, 27.5 - 0.0068 * lat**2 + 4 * (u[:, 3] - 0.5), 0.24 * far, wet)


def day_of(
    seed: int, places: Int[Tensor, " b"], visits: Int[Tensor, " b"], lat: Float[Tensor, " b"]
) -> Float[Tensor, " b"]:
    """The day of a visit since 1970-01-01, one on which the sun is high enough."""
    whole = torch.arange(366.0, device=lat.device)
    high = sun_at(lat[:, None], whole[None]).zenith < MOST_SUN_ZENITH
    order = high.float().cumsum(dim=1)
    u = uniform(key(seed, _WHEN, places, visits), 2)
    rank = (u[:, 0] * order[:, -1]).floor()
    day = (order <= rank[:, None]).sum(dim=1).clamp(max=365)
    year = (u[:, 1] * (DAYS / 365.25)).floor()
    return FIRST_DAY + (year * 365.25).floor() + day + 10.5 / 24


def sun_at(lat: Float[Tensor, "..."], days: Float[Tensor, "..."]) -> Sun:
    """The sun at 10:30 local solar time (declination by Cooper 1969).

    Example:
        >>> sun_at(torch.tensor([0.0]), torch.tensor([79.0])).zenith.round().tolist()
        [23.0]
    """
    tilt = torch.deg2rad(23.45 * (2 * pi * (284 + days % 365.25) / 365.25).sin())
    hour, phi = torch.deg2rad(torch.tensor(15 * -1.5)), torch.deg2rad(lat)
    up = phi.sin() * tilt.sin() + phi.cos() * tilt.cos() * hour.cos()
    east = -tilt.cos() * hour.sin()
    north = tilt.sin() * phi.cos() - tilt.cos() * phi.sin() * hour.cos()
    return Sun(torch.rad2deg(up.clamp(-1, 1).arccos()), torch.rad2deg(torch.atan2(east, north)) % 360)
