import numpy as np

from armillary.bench.features.footing import onto
from armillary.earth.window import Window


def _window(side: int, gsd_m: float, east: float = 0.0) -> Window:
    return Window.of((side, side), (gsd_m, 0.0, 5e5 + east, 0.0, -gsd_m, 5e6), "EPSG:32632")


RAMP = np.broadcast_to((np.arange(24) + 0.5) / 24, (2, 24, 24)).astype(np.float32)
"""How far east of the sample's west side, as a share."""


def test_a_map_over_the_same_place_stays_as_it_is() -> None:
    assert onto(RAMP, _window(96, 300.0), _window(288, 100.0)) is RAMP
    assert onto(RAMP, _window(96, 300.0), None) is RAMP


def test_a_smaller_footprint_shows_its_own_part() -> None:
    out = onto(RAMP, _window(96, 300.0), _window(216, 100.0))
    np.testing.assert_allclose(out[:, :, 1:-1], 0.75 * RAMP[:, :, 1:-1], atol=1e-5)


def test_a_footprint_further_east_shows_what_lies_there() -> None:
    out = onto(RAMP, _window(96, 300.0), _window(144, 100.0, east=7200.0))
    np.testing.assert_allclose(out[0, 0], 0.25 + 0.5 * RAMP[0, 0], atol=1e-5)


def test_rows_are_taken_from_the_north() -> None:
    down = np.ascontiguousarray(RAMP.transpose(0, 2, 1))
    out = onto(down, _window(96, 300.0), _window(144, 100.0))
    np.testing.assert_allclose(out[0, 1:-1, 0], 0.5 * down[0, 1:-1, 0], atol=1e-5)


def test_an_unknown_place_is_the_place_of_the_sample() -> None:
    nowhere = Window.of((50, 50), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None)
    assert onto(RAMP, nowhere, _window(144, 100.0)) is RAMP
