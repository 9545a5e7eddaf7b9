"""A synthetic source for tests: a few places whose pixels say which place, sensor and draw they are of."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import SceneUnreadable
from armillary.sample.sample import Sample


@dataclass(frozen=True)
class Invented:
    """`places` places; Sentinel-1 is absent at every `radar_every`-th place, or there at `radar_at` alone."""

    places: int = 7
    side_px: int = 8
    radar_every: int = 3
    broken: int = -1
    radar_at: int = -1

    def __len__(self) -> int:
        return self.places

    def key(self, place: int) -> str:
        return f"place-{place}"

    def checksum(self) -> str:
        return f"invented-{self.places}-{self.side_px}"

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        if place == self.broken:
            raise SceneUnreadable(f"place {place} cannot be read; it is broken on purpose")
        found = {"s2-l2a": ("B02", "B03", "B04"), "s1-rtc": ("VV", "VH")}
        if place % self.radar_every == 0 if self.radar_at < 0 else place != self.radar_at:
            found.pop("s1-rtc")
        return {name: self._sample(name, bands, place, rng) for name, bands in found.items()}

    def _sample(self, name: str, bands: tuple[str, ...], place: int, rng: np.random.Generator) -> Sample:
        n = self.side_px
        slope = np.linspace(0, 1, n, dtype=np.float32)
        pixels = place + slope[None, :, None] * rng.normal(size=(len(bands), 1, 1)) + rng.normal(size=(1, 1, n))
        window = Window.of((n, n), (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0), "EPSG:32632")
        return Sample(pixels.astype(np.float32), sensors[name].select(bands), window)
