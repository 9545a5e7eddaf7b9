"""Synthetic chips of any sensor at any place."""

import math

import numpy as np

from armillary.earth.ellipsoid import belt_km2
from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.sample.sample import Sample

TYPICAL = {"reflectance": 0.2, "dB": -12.0, "m": 300.0, "mol m-2": 0.01}


def chip(name: str, side_px: int, *, lonlat: tuple[float, float] | None) -> Sample:
    """Noise around a typical value; upright in degrees, square pixels of the sensor's ground size in the middle."""
    sensor = sensors[name]
    noise = np.random.default_rng(side_px).normal(1.0, 0.1, (len(sensor.bands), side_px, side_px))
    pixels = (TYPICAL.get(sensor.unit, 50.0) * noise).astype(np.float32)
    if lonlat is None:
        return Sample(pixels, sensor, Window.of((side_px, side_px), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), None))
    lon, lat = lonlat
    km = sensor.gsd_m / 1000
    high = km / (belt_km2(lat - 0.01, lat + 0.01, 1.0) / 0.02 / (111.32 * math.cos(math.radians(lat))))
    wide = km**2 / belt_km2(lat - high / 2, lat + high / 2, 1.0)
    affine = (wide, 0.0, lon - wide * side_px / 2, 0.0, -high, lat + high * side_px / 2)
    return Sample(pixels, sensor, Window.of((side_px, side_px), affine, "EPSG:4326"))
