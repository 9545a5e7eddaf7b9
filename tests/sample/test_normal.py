import pytest
import torch
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.errors import BadInput
from armillary.sample.normal import convert, guess_unit

S2, S1, S3, DEM = (sensors[n] for n in ("s2-l1c", "s1-grd", "s3-olci", "dem"))


@pytest.mark.parametrize(
    ("sensor", "value", "unit"),
    [
        ("s2-l1c", 0.3, "reflectance"),
        ("s2-l1c", 1500.0, "count"),
        ("s2-l2a", -200.0, "count"),
        ("s2-l2a", -0.02, "reflectance"),
        ("s1-grd", -13.0, "dB"),
        ("s1-grd", 0.05, "linear"),
        ("s1-grd", 2.0, "dB"),
        ("s3-olci", 80.0, "mW m-2 sr-1 nm-1"),
        ("s3-olci", 9000.0, "count"),
        ("dem", 4000.0, "m"),
        ("s5p-o3", 0.12, "mol m-2"),
    ],
)
def test_the_unit_follows_from_the_range(sensor: str, value: float, unit: str) -> None:
    s = sensors[sensor]
    assert guess_unit(torch.full((len(s.bands), 8, 8), value), s) == unit


def test_a_few_bright_pixels_do_not_make_counts_of_reflectance() -> None:
    item = torch.full((13, 10, 10), 0.2)
    item[:, :2] = 50.0
    assert guess_unit(item, S2) == "reflectance"


def test_holes_have_no_say() -> None:
    item = torch.full((13, 10, 10), torch.nan)
    assert guess_unit(item, S2) == "reflectance"
    item[:, 0, 0] = 1500.0
    assert guess_unit(item, S2) == "count"
    assert guess_unit(torch.full((2, 4, 4), torch.nan), S1) == "dB"


def test_a_zero_of_linear_radar_has_no_decibels() -> None:
    item = torch.tensor([0.0, 0.1]).reshape(2, 1, 1)
    out = convert(item, S1, "linear", to="dB")
    assert bool(out[0].isnan().all())
    assert_close(out[1], torch.full((1, 1), -10.0))


def test_amplitude_is_the_root_of_power() -> None:
    power = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0)) + 0.01
    assert_close(convert(power.sqrt(), S1, "amplitude", to="dB"), convert(power, S1, "linear", to="dB"))


@pytest.mark.parametrize("sensor", [S2, S3], ids=lambda s: s.name)
def test_counts_become_values_and_come_back(sensor: object) -> None:
    counts = torch.arange(1.0, 1 + len(sensor.bands))[:, None, None].expand(-1, 2, 2) * 100
    values = convert(counts, sensor, "count", to=sensor.unit)
    assert_close(convert(values, sensor, sensor.unit, to="count"), counts)


def test_a_unit_that_a_sensor_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(BadInput, match="one of m"):
        convert(torch.zeros(1, 2, 2), DEM, "count", to="m")
