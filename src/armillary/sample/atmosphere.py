"""A thin atmosphere over surface reflectances: what Sentinel-2 level 2A might have looked like at level 1C.

Single scattering by air molecules at sea level, seen from above: path reflectance rho = tau P / (4 mu_s), with the
Rayleigh phase function P = 3/4 (1 + cos^2 Theta), tau(lambda) = 0.008735 lambda^-4.08 (micrometres; Hansen and
Travis 1974, sec. 2.1, to a few per cent), and half of what is scattered lost on each way. No aerosol, no absorbing gas:
B09, which water vapour darkens, is left out, and there is no B10. It is an augmentation: no product may be made so.
"""

import math

import numpy as np

from armillary.earth.bands import Spectral
from armillary.earth.fleet import sensors
from armillary.errors import BadInput
from armillary.sample.sample import Sample

_ABSORBED = ("B09",)
_DEPTH, _POWER = 0.008735, -4.08


def depth(center_nm: float) -> float:
    """Rayleigh optical depth of the whole atmosphere at sea level.

    Example:
        >>> round(depth(443), 3)
        0.242
    """
    return float(_DEPTH * (center_nm / 1000) ** _POWER)


def top_of_atmosphere(sample: Sample, *, sun_deg: float) -> Sample:
    """A Sentinel-2 L2A sample as a rough L1C sample, for the sun at this angle from the zenith.

    Raises:
        BadInput: another sensor, or a sun under the horizon.
    """
    if sample.sensor.name != "s2-l2a" or not 0 <= sun_deg < 90:
        raise BadInput(
            f"air was asked for over {sample.sensor.name} with the sun at {sun_deg} degrees from the zenith; give "
            "s2-l2a and an angle from 0 to under 90"
        )
    names = tuple(b for b in sample.sensor.band_names if b not in _ABSORBED)
    sun = math.cos(math.radians(sun_deg))
    phase = 0.75 * (1 + sun**2)  # the satellite looks straight down, so light turns by 180 degrees less the sun's angle
    tau = np.array([depth(b.center_nm) for b in sensors["s2-l1c"].select(names).bands if isinstance(b, Spectral)])
    path, through = tau * phase / (4 * sun), np.exp(-tau / 2 * (1 + 1 / sun))
    ground = sample.pixels[list(sample.sensor.index(names))]
    air = ground * through[:, None, None] + path[:, None, None]
    return Sample(air.astype(np.float32), sensors["s2-l1c"].select(names), sample.window, sample.time)
