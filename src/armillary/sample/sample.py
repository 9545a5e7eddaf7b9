"""Sample: pixels + valid mask + Window + time of one sensor, in memory, before any model has seen them."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from jaxtyping import Float

from armillary.earth.sensors import Sensor
from armillary.earth.when import to_days
from armillary.earth.window import Window
from armillary.errors import BandMismatch
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
