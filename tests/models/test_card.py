from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.earth.sensors import Statistics
from armillary.errors import ArmillaryError, BadInput, BandMismatch, SensorUnknown, StatisticsMissing
from armillary.models.card import chosen_sensor
from armillary.models.card import copernicus_fm_card as card
from armillary.models.copernicus_fm import CopernicusFM


def _reflectance(b: int = 1, c: int = 13) -> torch.Tensor:
    return torch.rand(b, c, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.5


@pytest.mark.parametrize("name", sensors)
def test_every_sensor_of_the_fleet_is_on_the_card(name: str) -> None:
    sensor = sensors[name]
    assert len(card.statistics(sensor).mean) == len(sensor.bands)
    assert name in str(card)


def test_borrowed_statistics_are_named_as_such() -> None:
    assert "borrowed from s1-grd" in str(card)
    assert card.statistics(sensors["s1-rtc"]).mean == (-12.59, -20.26)


def test_level_1c_is_normalised_with_pretraining_statistics_of_counts() -> None:
    counts = torch.full((1, 13, 16, 16), 1612.9)
    z = card.batch(counts, "s2-l1c").pixels
    assert_close(z[0, 0], torch.zeros(16, 16), atol=1e-5, rtol=0)
    assert_close(z[0, 1], torch.full((16, 16), (1612.9 - 1397.6) / 854.3))


def test_counts_and_reflectance_in_one_batch_give_the_same_item() -> None:
    x = _reflectance()
    b = card.batch(torch.cat((x, x * 10000)), "s2-l1c")
    assert_close(b.pixels[0], b.pixels[1], atol=1e-4, rtol=0)


def test_the_given_unit_wins_over_the_range() -> None:
    dark = torch.full((1, 13, 16, 16), 3.0)
    guessed, given = card.batch(dark, "s2-l1c").pixels, card.batch(dark, "s2-l1c", unit="count").pixels
    assert float(guessed.mean()) > float(given.mean()) + 5


def test_bands_may_be_a_subset_in_any_order() -> None:
    x = _reflectance()
    b = card.batch(x[:, [3, 1]], "s2-l1c", bands=("B04", "B02"))
    assert_close(b.pixels, card.batch(x, "s2-l1c").pixels[:, [3, 1]])
    assert b.bands == (sensors["s2-l1c"].band("B04"), sensors["s2-l1c"].band("B02"))


def test_holes_become_the_mean() -> None:
    x = _reflectance()
    x[0, 0, 0, 0] = torch.nan
    assert float(card.batch(x, "s2-l1c").pixels[0, 0, 0, 0]) == 0.0


def test_numpy_integers_are_welcome() -> None:
    b = card.batch(np.full((2, 2, 32, 32), -12, dtype=np.int16), "s1-grd")
    assert b.pixels.dtype == torch.float32
    assert_close(b.pixels[0, 0], torch.full((32, 32), (-12 + 12.59) / 5.26))


def test_linear_radar_becomes_decibels() -> None:
    power = torch.full((1, 2, 16, 16), 0.05)
    assert_close(card.batch(power, "s1-grd").pixels, card.batch(10 * power.log10(), "s1-grd").pixels)


def test_radiance_counts_and_radiance_of_olci_agree() -> None:
    counts = torch.full((1, 21, 16, 16), 9000.0)
    scale = sensors["s3-olci"].counts
    assert scale is not None
    radiance = counts * torch.tensor(scale.scale)[:, None, None]
    assert_close(card.batch(counts, "s3-olci").pixels, radiance, atol=1e-3, rtol=1e-5)
    assert_close(card.batch(radiance, "s3-olci").pixels, radiance, atol=1e-3, rtol=1e-5)


def test_gases_stay_as_they_are_and_heights_are_tens_of_kilometres() -> None:
    gas = torch.full((1, 1, 8, 8), 6e-5)
    assert_close(card.batch(gas, "s5p-no2").pixels, gas)
    assert_close(card.batch(torch.full((1, 1, 64, 64), 2500.0), "dem").pixels, torch.full((1, 1, 64, 64), 0.25))


def test_facts_may_be_one_for_all_or_one_per_item() -> None:
    x = _reflectance(2)
    b = card.batch(x, "s2-l1c", lonlat=(11.5, 48.25), days=[18500.0, float("nan")], gsd_m=20)
    assert b.lonlat is not None
    assert b.days is not None
    assert b.token_km2 is not None
    assert b.lonlat.tolist() == [[11.5, 48.25], [11.5, 48.25]]
    assert float(b.days[0]) == 18500.0
    assert bool(b.days[1].isnan())
    assert_close(b.token_km2, torch.full((2,), 0.1024))


def test_the_token_area_is_that_of_pretraining_unless_told_otherwise() -> None:
    b = card.batch(torch.zeros(1, 1, 64, 64), "dem")
    assert b.token_km2 is not None
    assert_close(b.token_km2, torch.tensor([3.6864]))
    unknown = card.batch(torch.zeros(1, 1, 64, 64), "dem", gsd_m=float("nan")).token_km2
    assert unknown is not None
    assert bool(unknown.isnan().all())


def test_a_model_gives_the_batch_of_its_card(tiny: CopernicusFM) -> None:
    x = _reflectance()
    assert_close(tiny.batch(x, "s2-l1c").pixels, card.batch(x, "s2-l1c").pixels)


def test_a_foreign_sensor_is_refused_with_the_list_of_those_known() -> None:
    foreign = replace(sensors["s1-grd"], name="radar-x")
    with pytest.raises(StatisticsMissing, match=r"radar-x.*s1-grd, s1-rtc.*give stats=.*copernicus-pretrain"):
        card.batch(torch.zeros(1, 2, 16, 16), foreign)


def test_a_foreign_sensor_passes_with_statistics_of_the_callers() -> None:
    foreign = replace(sensors["s1-grd"], name="radar-x")
    x = torch.full((1, 2, 16, 16), -10.0)
    for stats in (
        {"mean": (-10.0, -10.0), "std": (1.0, 1.0)},
        Statistics("mine", (-10.0, -10.0), (1.0, 1.0), "dB", "me"),
    ):
        assert_close(card.batch(x, foreign, stats=stats).pixels, torch.zeros_like(x))
    assert float(card.batch(x, foreign, stats="copernicus-bench").pixels[0, 0, 0, 0]) == pytest.approx(2.548 / 5.257)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"sensor": "s9"}, SensorUnknown, "known are s1-grd"),
        ({"bands": ("B02",)}, BandMismatch, "needs pixels"),
        ({"bands": ("B99",)}, BandMismatch, "B99"),
        ({"stats": "nobody"}, StatisticsMissing, "copernicus-pretrain, copernicus-bench"),
        ({"stats": {"mean": (0.0,) * 13}}, BadInput, "mean and std"),
        ({"stats": {"mean": (0.0,), "std": (1.0,)}}, BandMismatch, "one of each per channel"),
        ({"unit": "furlong"}, BadInput, "give unit= one of reflectance, count"),
        ({"unit": ("count", "count")}, BadInput, "2 entries for 1 items"),
        ({"lonlat": (1.0, 2.0, 3.0)}, BadInput, "lonlat"),
        ({"days": (1.0, 2.0, 3.0)}, BadInput, "days"),
    ],
)
def test_a_wrong_request_is_refused(change: dict[str, object], error: type[Exception], said: str) -> None:
    request = {"pixels": _reflectance(), "sensor": "s2-l1c"} | change
    with pytest.raises(error, match=said):
        card.batch(**request)


@pytest.mark.parametrize("bands", [[], ()])
def test_what_names_no_band_is_refused_with_the_list_of_those_there(bands: Sequence[str]) -> None:
    with pytest.raises(BandMismatch, match="names no band of s1-grd; it has VV, VH; without bands= all are meant"):
        chosen_sensor("s1-grd", bands)


def test_foreign_and_lower_case_names_are_the_same_bands() -> None:
    x = _reflectance(c=3)
    house = card.batch(x, "s2-l1c", ["B04", "B03", "B02"])
    for names in (["red", "green", "blue"], ["b4", "b03", "B2"], "B04,B03,B02"):
        other = card.batch(x, "s2-l1c", names)
        assert other.bands == house.bands
        assert_close(other.pixels, house.pixels, atol=0, rtol=0)


@pytest.mark.parametrize(
    "facts",
    [
        {"bands": ["B04"] * 13},
        {"gsd_m": 0.0},
        {"gsd_m": -10.0},
        {"gsd_m": [10.0, 20.0, 30.0]},
        {"lonlat": "here"},
        {"lonlat": [[10.0, 50.0], None]},
        {"lonlat": (50.0, 100.0)},
        {"days": "2022-07-06"},
        {"days": 1.6e9},
        {"patch_px": 0},
        {"patch_px": 64},
        {"unit": "miles"},
        {"stats": "mine"},
        {"stats": {"mean": [0.0] * 13, "std": [0.0] * 13}},
        {"stats": {"mean": [0.0], "std": [1.0]}},
    ],
)
def test_facts_that_cannot_be_are_one_sentence(facts: dict[str, Any]) -> None:
    with pytest.raises(ArmillaryError) as caught:
        card.batch(_reflectance(2), "s2-l1c", **facts)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("pixels", [np.array(["a"]), np.zeros((1, 13, 16, 16), "complex64"), np.array([None])])
def test_what_is_no_array_of_real_numbers_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(BadInput, match="pixels"):
        card.batch(pixels, "s2-l1c")
