"""OLCI exports: one NetCDF file in which a desktop tool wrote a whole product, or a part, or every nth pixel of it.

Radiances are there as in the product, though often as signed integers (see `radiance`). A file that holds only
top-of-atmosphere reflectances (`rtoa_1` to `rtoa_21`, as the C2RCC processor writes them beside its water products)
is turned back into radiance with the file's own SZA and the nominal irradiance of each band on that day, which is good
to about one per cent: its scaling is "assumed". `unit="reflectance"` gives its reflectances as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.errors import BadInput, SceneUnreadable
from armillary.scene.access.netcdf import NetCDF, opened
from armillary.scene.s3.radiance import decoded, flagged, irradiance_on, radiance, radiance_of, reflectance, smooth

BANDS = tuple(f"Oa{n:02d}" for n in range(1, 22))

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATE = re.compile(r"(\d{1,2})-([A-Z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")

Plane = Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Export:
    """The swath of an export. `stored` tells what is in it: "radiance" or "reflectance"."""

    path: Path
    band_names: tuple[str, ...]
    reflective: bool
    stored: str
    time: datetime

    def values(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Radiance (or reflectance) of a crop of the swath, NaN where there is none or it is flagged invalid."""
        at = rows, cols
        with opened(self.path) as nc:
            out = np.stack([self._band(nc, self.band_names[b], at) for b in bands])
            if "quality_flags" in nc:
                out = np.where(flagged(nc.variable("quality_flags"), at, "invalid"), np.nan, out)
        return out

    def geometry(self) -> tuple[Plane, Plane]:
        """Degrees of each pixel, NaN for those that repeat a neighbour."""
        with opened(self.path) as nc:
            lon, lat = _places(nc)
            if "quality_flags" not in nc:
                return lon, lat
            again = flagged(nc.variable("quality_flags"), ..., "duplicated")
        return np.where(again, np.nan, lon), np.where(again, np.nan, lat)

    def _band(self, nc: NetCDF, name: str, at: tuple[slice, slice]) -> Plane:
        number = int(name[2:])
        if self.stored == "radiance":
            values = radiance(nc.variable(f"{name}_radiance"), at)
            if not self.reflective:
                return values
            flux = f"solar_flux_band_{number}"
            if flux not in nc:
                raise BadInput(f"{self.path} has no {flux}; reflectance needs it: leave unit= out for radiance")
            irradiance = decoded(nc.variable(flux), at)
            return reflectance(values, np.where(irradiance > 0, irradiance, np.nan), _sza(nc)[at])
        values = decoded(nc.variable(f"rtoa_{number}"), at)
        return values if self.reflective else radiance_of(values, irradiance_on(self.time)[number - 1], _sza(nc)[at])


def is_export(nc: NetCDF) -> bool:
    """Whether a file holds OLCI bands."""
    return "Oa01_radiance" in nc or any(f"{b}_radiance" in nc for b in BANDS) or ("rtoa_1" in nc and "rtoa_21" in nc)


def stored_in(nc: NetCDF) -> tuple[str, tuple[str, ...]]:
    """What an export holds ("radiance" or "reflectance") and of which bands."""
    names = tuple(b for b in BANDS if f"{b}_radiance" in nc)
    if names:
        return "radiance", names
    return "reflectance", tuple(b for b in BANDS if f"rtoa_{int(b[2:])}" in nc)


def times_of(nc: NetCDF) -> tuple[datetime, datetime]:
    """First and last measurement.

    Raises:
        SceneUnreadable: the file does not say.
    """
    found = [_date(str(nc.attrs.get(n, ""))) for n in ("start_date", "stop_date")]
    if found[0] is None:
        raise SceneUnreadable(f"{nc.path} has no start_date; give time= when opening")
    return found[0], found[1] or found[0]


def _date(text: str) -> datetime | None:
    """13-MAR-2017 11:03:42.871103, whatever the language of this machine."""
    m = _DATE.match(text.upper())
    if m is None or m[2] not in _MONTHS:
        return None
    micro = int((m[7] or "0").ljust(6, "0"))
    day, year, hour, minute, second = (int(m[k]) for k in (1, 3, 4, 5, 6))
    return datetime(year, _MONTHS.index(m[2]) + 1, day, hour, minute, second, micro, tzinfo=UTC)


def _places(nc: NetCDF) -> tuple[Plane, Plane]:
    for east, north in (("longitude", "latitude"), ("lon", "lat")):
        if east in nc and north in nc and len(nc.variable(east).shape) == 2:
            return decoded(nc.variable(east)), decoded(nc.variable(north))
    raise SceneUnreadable(f"{nc.path} has no longitude and latitude of its pixels; export it again with them")


def _sza(nc: NetCDF) -> Plane:
    """Solar zenith angle of every pixel; from tie points, if that is all there is, by a smooth fit."""
    lon, lat = _places(nc)
    if "SZA" not in nc:
        raise BadInput(f"{nc.path} has no SZA; radiance and reflectance cannot be turned into each other without it")
    sza = decoded(nc.variable("SZA"))
    if sza.shape == lon.shape:
        return sza
    ties = decoded(nc.variable("TP_longitude")), decoded(nc.variable("TP_latitude")), sza
    return smooth(ties, lon, lat)
