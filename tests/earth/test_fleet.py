import math

import pytest

from armillary.earth.bands import Named, Spectral
from armillary.earth.fleet import measured_nm, sensors

NAMES = ["s1-grd", "s1-rtc", "s2-l1c", "s2-l2a", "s3-olci", "s5p-co", "s5p-no2", "s5p-o3", "s5p-so2", "dem"]


def test_the_fleet_is_the_ten_sensors_under_their_own_names():
    assert list(sensors) == NAMES
    assert [s.name for s in sensors.values()] == NAMES


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        sensors["mine"] = sensors["dem"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "bands", "patch", "chip", "km2"),
    [
        ("s1-grd", 2, 16, 224, 0.0256),
        ("s2-l1c", 13, 16, 224, 0.0256),
        ("s2-l2a", 12, 16, 224, 0.0256),
        ("s3-olci", 21, 8, 96, 5.76),
        ("s5p-no2", 1, 4, 28, 16.0),
        ("dem", 1, 64, 960, 3.6864),
    ],
)
def test_tokens_cover_the_ground_that_the_model_was_trained_on(name, bands, patch, chip, km2):
    s = sensors[name]
    assert (len(s.bands), s.patch_px, s.chip_px) == (bands, patch, chip)
    assert s.patch_km2 == pytest.approx(km2)
    assert s.chip_px % s.patch_px == 0


def test_descriptors_are_those_of_the_trained_model():
    assert sensors["s1-grd"].bands == (Spectral(5e7, 1e9, "VV"), Spectral(5e7, 1e9, "VH"))
    assert sensors["s2-l1c"].band("B01") == Spectral(440, 20)
    assert sensors["s2-l1c"].band("B8A") == Spectral(860, 20)
    assert sensors["s2-l1c"].band("B12") == Spectral(2190, 180)
    assert sensors["s3-olci"].band("Oa14") == Spectral(764.375, 3.75)
    assert sensors["s3-olci"].band("Oa21") == Spectral(1020, 40)
    assert sensors["s5p-so2"].band("SO2") == Named("Sentinel 5P Sulfur Dioxide")
    assert sensors["dem"].band("DEM") == Named("Copernicus Digital Elevation Model")


def test_level_2a_is_level_1c_without_b10():
    top, surface = sensors["s2-l1c"], sensors["s2-l2a"]
    assert surface.band_names == tuple(b for b in top.band_names if b != "B10")
    assert surface.bands == top.select(surface.band_names).bands


def test_pretraining_statistics_exist_exactly_where_the_model_was_pretrained():
    have = {n for n, s in sensors.items() if any(t.name == "copernicus-pretrain" for t in s.statistics)}
    assert have == set(NAMES) - {"s1-rtc", "s2-l2a"}


@pytest.mark.parametrize("name", NAMES)
def test_every_set_of_statistics_says_where_it_comes_from_and_can_divide(name):
    for s in sensors[name].statistics:
        assert len(s.source) > 20
        assert all(math.isfinite(m) for m in s.mean)
        assert all(v > 0 for v in s.std)


def test_olci_statistics_of_counts_make_radiance():
    s = sensors["s3-olci"]
    assert s.counts is not None
    for named in (named for named in s.statistics if named.unit == "count"):
        assert [1 / v for v in named.std] == pytest.approx(list(s.counts.scale))


def test_bench_statistics_of_level_2a_follow_the_bands_not_the_positions():
    top, surface = (sensors[n].statistic("copernicus-bench") for n in ("s2-l1c", "s2-l2a"))
    at = sensors["s2-l1c"].band_names.index("B11")
    assert surface.mean[sensors["s2-l2a"].band_names.index("B11")] == top.mean[at] == 1820.6


def test_the_shift_is_a_fact_of_the_scene():
    assert all(s.counts is None or s.counts.shift == 0 for s in sensors.values())


def test_measured_centres_stay_near_the_descriptors():
    for satellite in measured_nm.values():
        assert tuple(satellite) == sensors["s2-l1c"].band_names
        for name, nm in satellite.items():
            band = sensors["s2-l1c"].band(name)
            assert isinstance(band, Spectral)
            assert abs(band.center_nm - nm) < 13
