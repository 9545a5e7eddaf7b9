"""Synthetic pixels that are a function of the place on the ground."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyproj import Transformer

from armillary.earth.window import Window


@dataclass(frozen=True)
class Field:
    """Values that grow with longitude and latitude, 0.1 to 0.9 and smooth; `level` is added."""

    window: Window
    bands: int
    level: float

    def plane(self) -> np.ndarray:
        h, w = self.window.shape
        rows, cols = np.mgrid[0:h, 0:w] + 0.5
        x, y = self.window.affine @ (cols, rows)
        lon, lat = Transformer.from_crs(str(self.window.crs), "EPSG:4326", always_xy=True).transform(x, y)
        value = 0.5 + 0.2 * np.sin(4 * np.asarray(lon)) + 0.2 * np.cos(4 * np.asarray(lat)) + self.level
        return np.repeat(value[None], self.bands, axis=0).astype(np.float32)

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> np.ndarray:
        return self.plane()[list(bands), rows, cols]
