"""The WGS84 ellipsoid: exact areas between parallels and meridians."""

import math

A_KM = 6378.137
"""Equatorial radius."""
E2 = 6.69437999014e-3
"""First eccentricity squared."""
_E = math.sqrt(E2)


def belt_km2(lat0: float | int, lat1: float | int, dlon: float | int) -> float:
    """Ground area between two parallels over `dlon` degrees of longitude; parallels beyond a pole count as the pole.

    The closed form of the authalic latitude (Snyder 1987, eq. 3-12).

    Example:
        >>> round(belt_km2(-90, 90, 360) / 1e6, 3)  # million km2: the whole Earth
        510.066
    """
    south, north = (max(-90.0, min(90.0, v)) for v in sorted((lat0, lat1)))
    return A_KM**2 * (1 - E2) / 2 * math.radians(abs(dlon)) * (_q(north) - _q(south))


def _q(lat: float) -> float:
    s = math.sin(math.radians(lat))
    return s / (1 - E2 * s * s) + math.atanh(_E * s) / _E
