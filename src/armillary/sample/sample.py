"""Sample: pixels + valid mask + Window + time of one sensor, in memory, before any model has seen them."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr
from affine import Affine
from jaxtyping import Float

from armillary.earth.card import parse_card
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.earth.when import to_days, utc
from armillary.earth.window import Window
from armillary.errors import BandMismatch, SensorUnknown
from armillary.shapes import Valid


@dataclass(frozen=True, eq=False)
class Sample:
    """Pixels of one sensor with their place and time.

    Args:
        pixels: values in the sensor's unit, NaN where there is none; (bands, rows, columns).
        sensor: narrowed to exactly these bands, in this order.
        window: the place; its CRS may be None.
        time: timezone-aware, or None.
    """

    pixels: Float[np.ndarray, "c h w"]
    sensor: Sensor
    window: Window
    time: datetime | None = None

    def __post_init__(self) -> None:
        if self.pixels.shape[0] != len(self.sensor.bands):
            raise BandMismatch(
                f"{self.sensor.name} has {len(self.sensor.bands)} bands here, pixels have {self.pixels.shape[0]}; "
                "select() the sensor's bands first"
            )
        if self.pixels.shape[1:] != self.window.shape:
            raise BandMismatch(
                f"pixels are {self.pixels.shape[1:]} and their window is {self.window.shape}; crop both together"
            )

    @property
    def valid(self) -> Valid:
        """True where every band holds a value."""
        valid: Valid = np.isfinite(self.pixels).all(axis=0)
        return valid

    @property
    def days(self) -> float:
        """Days since 1970-01-01, nan when the time is unknown."""
        return float("nan") if self.time is None else to_days(self.time)

    def crop(self, *, rows: slice, cols: slice) -> "Sample":
        """Pixels and place, cropped together."""
        return Sample(self.pixels[:, rows, cols], self.sensor, self.window.crop(rows=rows, cols=cols), self.time)

    def flip(self) -> "Sample":
        """Pixels and place, mirrored left to right together."""
        return Sample(np.ascontiguousarray(self.pixels[:, :, ::-1]), self.sensor, self.window.flip(), self.time)


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
