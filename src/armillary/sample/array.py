"""Samples from DataArrays: what `arm.open` returns, read into memory.

Apart from `sample` itself, which needs neither xarray nor rasterio, so that training runs where they are not installed.
"""

import numpy as np
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr
from affine import Affine

from armillary.earth.card import parse_card
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import SensorUnknown
from armillary.sample.sample import Sample


def window_of(array: xr.DataArray) -> Window:
    """The place of a DataArray (band, y, x) as `arm.open` returns it."""
    h, w = array.sizes["y"], array.sizes["x"]
    affine = array.rio.transform()
    if {"row", "col"} <= set(array.coords):  # a turned grid: slices are known by their counts alone
        affine = affine @ _sliced(array["col"].values, array["row"].values)
    return Window.of((h, w), affine, array.rio.crs)


def _sliced(cols: np.ndarray, rows: np.ndarray) -> Affine:
    """Pixel coordinates of a regular slice -> pixel coordinates of the whole grid."""
    (dx, x), (dy, y) = ((float(v[1] - v[0]) if len(v) > 1 else 1.0, float(v[0])) for v in (cols, rows))
    half_x, half_y = (1 - dx) / 2, (1 - dy) / 2  # a step keeps the centre of the first pixel
    return Affine(dx, 0.0, x + half_x, 0.0, dy, y + half_y)


def sensor_of(array: xr.DataArray) -> Sensor:
    """The sensor that a DataArray says it is of (a name of the fleet, or a card it carries), narrowed to its bands."""
    name, card = array.attrs.get("sensor"), array.attrs.get("sensor_card")
    if str(name) not in sensors and card is None:
        raise SensorUnknown(
            f"the array says sensor={name!r}; known are {', '.join(sensors)}; set array.attrs['sensor'], or "
            "array.attrs['sensor_card'] to the card of a sensor of your own"
        )
    sensor = sensors[str(name)] if str(name) in sensors else parse_card(str(card), origin="array.attrs['sensor_card']")
    return sensor.select([str(b) for b in array["band"].values])


def from_array(array: xr.DataArray) -> Sample:
    """A DataArray (band, y, x) as `arm.open` returns it, read into memory."""
    time = array.attrs.get("time")
    return Sample(
        np.ascontiguousarray(array.values, dtype=np.float32),
        sensor_of(array),
        window_of(array),
        None if time is None else utc(time),
    )
