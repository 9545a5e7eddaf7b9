from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.sample.aired import MARK, Aired, above
from armillary.sample.sample import Sample


def surface(seed: int = 0, bands: tuple[str, ...] = sensors["s2-l2a"].band_names) -> Sample:
    pixels = np.random.default_rng(seed).uniform(0.02, 0.4, (len(bands), 16, 16)).astype(np.float32)
    return Sample(pixels, sensors["s2-l2a"].select(bands), Window.of((16, 16), (10, 0, 0, 0, -10, 0), None), None)


@dataclass(frozen=True)
class Given:
    samples: Mapping[str, Sample]

    def __len__(self) -> int:
        return 2

    def key(self, place: int) -> str:
        return f"set/{place}"

    def checksum(self) -> str:
        return "given"

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        return self.samples


def test_a_surface_gets_what_lies_above() -> None:
    aired = Aired(Given({"s2-l2a": surface()}))
    found = aired.draw(1, np.random.default_rng(0))
    top, ground = found["s2-l1c"], found["s2-l2a"]
    assert top.sensor is sensors["s2-l1c"]
    assert top.window == ground.window
    blue, red = (top.sensor.band_names.index(b) for b in ("B02", "B04"))
    lifted = [
        top.pixels[i].mean() - ground.pixels[ground.sensor.band_names.index(b)].mean()
        for i, b in ((blue, "B02"), (red, "B04"))
    ]
    assert lifted[0] > lifted[1]  # molecules scatter blue light most
    assert np.corrcoef(top.pixels[red].ravel(), ground.pixels[3].ravel())[0, 1] > 0.9
    assert (len(aired), aired.key(1)) == (2, MARK + "set/1")
    assert aired.checksum() != Given({}).checksum()


def test_air_is_drawn_from_the_generator() -> None:
    one, same, other = (above(surface(), np.random.default_rng(s)).pixels for s in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other, atol=1e-3)


def test_what_is_unknown_stays_so_and_harms_no_neighbour() -> None:
    holed = surface()
    pixels = holed.pixels.copy()
    pixels[3, 4, 5] = np.nan
    top = above(replace(holed, pixels=pixels), np.random.default_rng(0)).pixels
    assert np.argwhere(np.isnan(top)).tolist() == [[3, 4, 5]]


@pytest.mark.parametrize(
    "samples",
    [
        {"s2-l2a": surface(bands=("B02", "B03", "B04"))},
        {"s2-l2a": surface(), "s2-l1c": above(surface(), np.random.default_rng(3))},
        {},
    ],
)
def test_what_has_no_whole_surface_or_a_level_of_its_own_is_left_alone(samples: dict[str, Sample]) -> None:
    assert Aired(Given(samples)).draw(0, np.random.default_rng(0)) == samples
