"""Spec items 5, 6 and 7, and section 13: each mistake of the released loader, beside what is true."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from tests.sample.synthetic.chips import chip

from armillary.earth.bands import Spectral
from armillary.earth.fleet import sensors
from armillary.models.card import copernicus_fm_card
from armillary.sample.augment import Augment
from armillary.sample.sample import Sample
from armillary.sample.upstream import (
    BY,
    DEM_TIME,
    GASES,
    OA21_NM,
    Crop,
    UpstreamCrops,
    slipped,
    true_facts,
    upstream_facts,
    window_of,
)

EIGHT = ("s1-grd", "s2-l1c", "s3-olci", *GASES, "dem")
WHOLE = {"s1-grd": 264, "s2-l1c": 264, "s3-olci": 96, "dem": 960}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def facts_of(sample: Sample) -> tuple[float, float, float]:
    """Longitude, latitude and area as the model is told them."""
    batch = copernicus_fm_card.collate([sample])
    assert batch.lonlat is not None
    assert batch.token_km2 is not None
    return *(float(x) for x in batch.lonlat[0]), float(batch.token_km2[0])


def eight(lat: float = 45.0) -> dict[str, Sample]:
    return {name: chip(name, WHOLE.get(name, 28), lonlat=(10.0, lat)) for name in EIGHT}


def test_a_crop_moves_the_place_ten_times_as_far_in_latitude_as_it_should() -> None:
    """Item 7a."""
    sample = chip("dem", 960, lonlat=(10.0, 45.0))
    crop = Crop(row=0, col=240, rows=480, cols=480, whole=(960, 960))
    (_, told), _ = upstream_facts((10.0, 45.0), sample.sensor, crop, moves=True)
    (_, true), _ = true_facts(sample, crop, 960)
    assert (told - 45.0) / (true - 45.0) == pytest.approx(10.0, rel=0.02)


def test_a_crop_of_heights_may_leave_its_cell() -> None:
    """Item 7a: a cell reaches 0.125 degrees from its middle."""
    corner = Crop(row=0, col=0, rows=430, cols=430, whole=(960, 960))
    (lon, lat), _ = upstream_facts((10.0, 45.0), sensors["dem"], corner, moves=True)
    assert abs(lat - 45.0) > 0.7
    assert abs(lon - 10.0) > 0.7


@pytest.mark.parametrize("lat", [0.0, 60.0, 75.0])
def test_the_longitude_of_a_crop_lacks_the_cosine_of_the_latitude(lat: float) -> None:
    """Item 7b: beside the factor of ten, which latitude has too."""
    sample = chip("s2-l1c", 264, lonlat=(10.0, lat))
    crop = Crop(row=66, col=132, rows=132, cols=132, whole=(264, 264))
    (told, _), _ = upstream_facts((10.0, lat), sample.sensor, crop, moves=True)
    (true, _), _ = true_facts(sample, crop, 224)
    assert (told - 10.0) / (true - 10.0) == pytest.approx(10.0 * np.cos(np.radians(lat)), rel=0.03)


def test_the_area_of_a_whole_chip_leaves_its_resize_out() -> None:
    """Item 7c: 264 px of 10 m in 224 px are tokens of (264 / 224)^2 = 1.39 times the area."""
    sample = chip("s2-l1c", 264, lonlat=(10.0, 45.0))
    whole = Crop(0, 0, 264, 264, (264, 264))
    _, told = upstream_facts((10.0, 45.0), sample.sensor, whole, moves=True)
    _, true = true_facts(sample, whole, 224)
    assert true / told == pytest.approx(1.39 * (264 / 263) ** 2, rel=3e-3)


def test_corners_are_counted_inclusively() -> None:
    """Item 7e: a whole chip counts as one pixel less along each side, and its middle half a pixel up and left."""
    sensor = sensors["s3-olci"]
    (lon, lat), area = upstream_facts((10.0, 45.0), sensor, Crop(0, 0, 96, 96, (96, 96)), moves=True)
    assert area / sensor.patch_km2 == pytest.approx((95 / 96) ** 2)
    half = 0.5 * 300 * 9e-5
    assert (lon, lat) == pytest.approx((10.0 - half, 45.0 + half))


def test_with_raw_areas_the_crop_changes_nothing() -> None:
    crop = Crop(0, 0, 100, 120, (264, 264))
    assert upstream_facts((10.0, 45.0), sensors["s2-l1c"], crop, moves=False) == ((10.0, 45.0), pytest.approx(0.0256))


@pytest.mark.parametrize("name", ["s2-l1c", "s3-olci", "dem"])
def test_a_right_crop_keeps_place_and_area(name: str) -> None:
    """What `Augment` does instead: the facts of a random view are those of its Window."""
    sample = chip(name, 96, lonlat=(10.0, 60.0))
    side = 64
    view = Augment(scale=(0.2, 1.0), size_px=side, flip=False)({name: sample}, rng(3))[name]
    ratio = view.window.pixel_km2 / sample.window.pixel_km2
    rows = round(np.sqrt(ratio) * side)
    lon, lat, area = facts_of(view)
    assert (lon, lat) == pytest.approx(view.window.center, abs=1e-5)
    assert area == pytest.approx(sample.window.pixel_km2 * (rows / side) ** 2 * sample.sensor.patch_px**2, rel=5e-3)


def test_all_gases_are_told_the_crop_of_the_last() -> None:
    """Item 7d."""
    views = UpstreamCrops()(eight(), rng(1))
    told = [facts_of(views[gas]) for gas in GASES]
    for one in told:
        assert one == pytest.approx(told[-1], rel=1e-6)
    assert facts_of(views["s3-olci"])[2] / sensors["s3-olci"].patch_km2 != pytest.approx(
        told[-1][2] / sensors["s5p-so2"].patch_km2
    )


def test_the_facts_that_a_batch_holds_are_those_of_upstream() -> None:
    sample = chip("s2-l1c", 264, lonlat=(10.0, 60.0))
    crops = UpstreamCrops()
    view = crops({"s2-l1c": sample}, rng(5))["s2-l1c"]
    told = upstream_facts(sample.window.center, sample.sensor, crops.crop((264, 264), rng(5)), moves=True)
    lon, lat, area = facts_of(view)
    assert (lon, lat) == pytest.approx(told[0], abs=1e-5)
    assert area == pytest.approx(told[1], rel=1e-5)


@pytest.mark.parametrize("lat", [0.0, 60.0, -85.0])
def test_a_window_carries_any_facts(lat: float) -> None:
    window = window_of((170.0, lat), 3.7, 64, 96)
    assert window.center == pytest.approx((170.0, lat), abs=1e-9)
    assert window.pixel_km2 * 64**2 == pytest.approx(3.7, rel=1e-6)


def test_radar_and_optical_do_not_show_the_same_ground_and_with_right_crops_they_do() -> None:
    """Spec section 13: each pixel says where it is."""
    where = np.arange(264.0 * 264, dtype=np.float32).reshape(264, 264)
    pair = {name: chip(name, 264, lonlat=(10.0, 45.0)) for name in ("s1-grd", "s2-l1c")}
    pair = {name: replace(s, pixels=np.broadcast_to(where, s.pixels.shape).copy()) for name, s in pair.items()}
    theirs = UpstreamCrops()(pair, rng(1))
    own = Augment(size_px=224, flip=False)(
        {n: replace(s, sensor=replace(s.sensor, unit="m")) for n, s in pair.items()}, rng(1)
    )
    assert not np.allclose(theirs["s1-grd"].pixels[0], theirs["s2-l1c"].pixels[0])
    np.testing.assert_allclose(own["s1-grd"].pixels[0], own["s2-l1c"].pixels[0])


def test_olci_has_a_wrong_wavelength_and_two_bands_that_are_gone() -> None:
    """Items 5 and 6."""
    sample = chip("s3-olci", 16, lonlat=(10.0, 45.0))
    theirs = slipped(sample)
    last = theirs.sensor.band("Oa21")
    assert isinstance(last, Spectral)
    assert last.center_nm == OA21_NM == 1029.0
    own = sensors["s3-olci"].band("Oa21")
    assert isinstance(own, Spectral)
    assert own.center_nm == 1020.0
    ratio = (theirs.pixels / sample.pixels).mean(axis=(1, 2))
    np.testing.assert_allclose(ratio[[0, 9]], BY, rtol=1e-5)
    np.testing.assert_allclose(np.delete(ratio, [0, 9]), 1.0)
    assert copernicus_fm_card.collate([theirs]).bands[20] == last


def test_a_part_of_the_bands_of_olci_slips_by_name() -> None:
    sample = chip("s3-olci", 16, lonlat=(10.0, 45.0))
    part = Sample(sample.pixels[[9, 3]], sample.sensor.select(("Oa10", "Oa04")), sample.window)
    np.testing.assert_allclose((slipped(part).pixels / part.pixels).mean(axis=(1, 2)), [BY, 1.0], rtol=1e-5)


def test_heights_are_dated_and_by_default_they_are_not() -> None:
    """Spec section 13."""
    sample = chip("dem", 64, lonlat=(10.0, 45.0))
    assert np.isnan(sample.days)
    assert slipped(sample).time == DEM_TIME
    assert slipped(sample).days == 16436.0


@pytest.mark.parametrize("name", ["s1-grd", "s2-l1c", *GASES])
def test_other_sensors_do_not_slip(name: str) -> None:
    sample = chip(name, 28, lonlat=(10.0, 45.0))
    assert slipped(sample) is sample


def test_every_sensor_has_its_published_size() -> None:
    views = UpstreamCrops()(eight(), rng())
    assert {name: v.window.shape[0] for name, v in views.items()} == {
        "s1-grd": 224, "s2-l1c": 224, "s3-olci": 96, **dict.fromkeys(GASES, 28), "dem": 960,
    }  # fmt: skip


def test_a_crop_is_resized_corner_pixel_on_corner_pixel() -> None:
    ramp = np.broadcast_to(np.arange(264.0, dtype=np.float32), (13, 264, 264))
    sample = replace(chip("s2-l1c", 264, lonlat=(10.0, 45.0)), pixels=np.ascontiguousarray(ramp))
    crops = UpstreamCrops()
    crop = crops.crop((264, 264), rng(2))
    line = crops({"s2-l1c": sample}, rng(2))["s2-l1c"].pixels[0, 0]
    assert sorted((line[0], line[-1])) == pytest.approx([crop.col, crop.col + crop.cols - 1])


def test_shares_and_aspects_of_crops_fill_their_ranges() -> None:
    found = [UpstreamCrops().crop((960, 960), rng(i)) for i in range(500)]
    shares = np.array([c.rows * c.cols / 960**2 for c in found])
    aspects = np.array([c.cols / c.rows for c in found])
    assert 0.19 < shares.min() < 0.22
    assert shares.max() > 0.95
    assert aspects.min() == pytest.approx(0.75, abs=0.02)
    assert aspects.max() == pytest.approx(4 / 3, abs=0.03)


def test_a_place_without_crs_stays_unknown_and_another_sensor_as_it_is() -> None:
    sample = chip("s2-l1c", 64, lonlat=None)
    views = UpstreamCrops()({"s2-l1c": sample, "s2-l2a": chip("s2-l2a", 32, lonlat=None)}, rng())
    assert views["s2-l1c"].window.crs is None
    assert views["s2-l2a"].window.shape == (32, 32)


def test_it_can_be_sent_to_a_worker() -> None:
    assert pickle.loads(pickle.dumps(UpstreamCrops())) == UpstreamCrops()  # noqa: S301
