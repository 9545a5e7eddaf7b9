from dataclasses import replace

import numpy as np
import pytest
import torch
from pyproj import Geod
from torch.testing import assert_close

from armillary.earth.fleet import BENCH, sensors
from armillary.earth.window import Window
from armillary.models.card import nano_card
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.train.views import ViewConfig, cut_view, through_air

STILL = ViewConfig(jitter=0.0, air=0.0)
EARTH = Geod(ellps="WGS84")
PX = 64

PLACES = {
    "equator": ("EPSG:32631", (500000.0, 1000.0), 10.0),
    "60 north": ("EPSG:32631", (500000.0, 6651000.0), 10.0),
    "85 north": ("EPSG:3413", (-30000.0, -541000.0), 10.0),
    "dateline": ("EPSG:32601", (166021.4, 1000.0), 10.0),
    "dateline, degrees": ("EPSG:4326", (179.999, 60.0), 1e-4),
}


def window_at(place: str) -> Window:
    crs, (x, y), px = PLACES[place]
    return Window.of((PX, PX), (px, 0.0, x, 0.0, -px, y), crs)


def sample_at(window: Window) -> Sample:
    """Synthetic: band 1 is the column, band 2 the row, of the middle of each pixel."""
    rows, columns = np.mgrid[0:PX, 0:PX].astype(np.float32) + 0.5
    sensor = sensors["s2-l2a"].select(("B02", "B03"))
    return Sample(np.stack([columns, rows]), sensor, window)


def raw_batch(window: Window) -> Batch:
    """The pixels as they are, with the facts that the card gives."""
    sample = sample_at(window)
    batch = nano_card.collate([sample])
    return replace(batch, pixels=torch.from_numpy(sample.pixels)[None])


def corners(view: Batch) -> np.ndarray:
    """(column, row) in the crop of the four corners of a view, from the coordinates that its pixels carry."""
    columns, rows = view.pixels[0].double().numpy()
    n = columns.shape[0]
    found = []
    for i, j in ((0, 0), (0, n - 1), (n - 1, n - 1), (n - 1, 0)):
        # from the middle of the corner pixel half a pixel on, along the steps inside the view
        a, b = (1 if i == 0 else n - 2), (1 if j == 0 else n - 2)
        found.append([p[i, j] + 0.5 * (p[i, j] - p[a, j]) + 0.5 * (p[i, j] - p[i, b]) for p in (columns, rows)])
    return np.array(found)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_place_and_area_of_a_view_are_those_of_its_corners_on_the_ground(place: str, seed: int) -> None:
    window = window_at(place)
    # views of under half the area, far enough from the edge that no border is repeated at the outermost pixels
    view = cut_view(raw_batch(window), [window], [seed], replace(STILL, share=(0.3, 0.5), tokens=2), number=1)
    at = corners(view)
    lonlat = [window.lonlat(row, column) for column, row in at]
    lons, lats = (np.array(x) for x in zip(*lonlat, strict=True))
    assert view.lonlat is not None
    assert view.token_km2 is not None
    middle = window.lonlat(*at.mean(axis=0)[::-1])
    _, _, apart_m = EARTH.inv(*middle, *view.lonlat[0].double().tolist())
    assert apart_m < 1.0  # float32 keeps 1e-5 degrees
    area, _ = EARTH.polygon_area_perimeter(lons, lats)
    assert float(view.token_km2[0]) * 4 == pytest.approx(abs(area) / 1e6, rel=2e-3)


def test_the_dateline_is_crossed() -> None:
    lons = [window_at("dateline, degrees").lonlat(0, c)[0] for c in (0, PX)]
    assert lons[0] > 179
    assert lons[1] < -179


def test_a_view_of_everything_unturned_is_the_crop() -> None:
    window = window_at("equator")
    batch = raw_batch(window)
    for seed in range(40):
        view = cut_view(batch, [window], [seed], replace(STILL, share=(1.0, 1.0)), number=1)
        if torch.allclose(view.pixels, batch.pixels, atol=1e-3):
            break
    else:
        pytest.fail("none of 40 seeds left the crop as it was")
    assert view.token_km2 is not None
    assert batch.token_km2 is not None
    assert batch.lonlat is not None
    assert view.lonlat is not None
    assert_close(view.token_km2, batch.token_km2)
    assert_close(view.lonlat, batch.lonlat)


def test_what_is_rebuilt_shows_the_whole_crop_as_often_as_asked_and_what_is_compared_never() -> None:
    window = window_at("equator")
    batch = raw_batch(window)
    config = replace(STILL, share=(0.3, 0.5), whole=0.5)
    assert batch.token_km2 is not None
    for number, share in ((0, 0.5), (1, 0.0)):
        seen = [cut_view(batch, [window], [seed], config, number=number).token_km2 for seed in range(200)]
        whole = np.mean([t is not None and torch.allclose(t, batch.token_km2) for t in seen])
        assert whole == pytest.approx(share, abs=0.12 if share else 0)


def test_all_eight_turns_come_up_and_no_other() -> None:
    window = window_at("equator")
    seen = set()
    for seed in range(100):
        view = cut_view(raw_batch(window), [window], [seed], replace(STILL, share=(1.0, 1.0)), number=1)
        columns, rows = view.pixels[0]
        seen.add(tuple((round(float(p[0, -1] - p[0, 0])), round(float(p[-1, 0] - p[0, 0]))) for p in (columns, rows)))
    assert len(seen) == 8
    assert all({abs(n) for pair in found for n in pair} == {0, PX - 1} for found in seen)


def test_a_view_depends_on_its_own_seed_and_number_alone() -> None:
    window = window_at("equator")
    one = raw_batch(window)
    three = replace(
        one,
        pixels=one.pixels.repeat(3, 1, 1, 1),
        lonlat=one.lonlat.repeat(3, 1),
        days=one.days.repeat(3),
        token_km2=one.token_km2.repeat(3),
    )
    together = cut_view(three, [window] * 3, [4, 5, 6], STILL, number=1)
    alone = cut_view(one, [window], [5], STILL, number=1)
    assert_close(alone.pixels[0], together.pixels[1])
    assert_close(alone.lonlat[0], together.lonlat[1])
    other = cut_view(one, [window], [5], STILL, number=2)
    assert not torch.allclose(other.pixels, alone.pixels)


def test_a_crop_of_an_unknown_place_has_views_of_unknown_place_and_known_area() -> None:
    window = Window.of((PX, PX), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), None)
    view = cut_view(raw_batch(window), [window], [1], STILL, number=1)
    assert view.lonlat is not None
    assert view.token_km2 is not None
    assert bool(view.lonlat.isnan().all())
    assert bool(view.token_km2.isfinite().all())


def optical(items: int = 2) -> Batch:
    sensor = sensors["s2-l2a"]
    pixels = torch.randn(items, 12, 16, 16, generator=torch.Generator().manual_seed(0))
    return Batch(pixels, sensor.bands)


def test_without_jitter_and_air_nothing_changes() -> None:
    sensor = sensors["s2-l2a"]
    batch = optical()
    seen = through_air(batch, sensor, nano_card.statistics(sensor), [1, 2], STILL, number=1)
    assert_close(seen.pixels, batch.pixels, atol=1e-5, rtol=1e-5)


def test_air_brightens_dark_blue_most_and_infrared_least() -> None:
    sensor = sensors["s2-l2a"]
    batch = replace(optical(), pixels=torch.full((2, 12, 16, 16), -1.0))
    seen = through_air(batch, sensor, nano_card.statistics(sensor), [1, 2], ViewConfig(jitter=0.0, air=1.0), number=1)
    std = torch.tensor(sensor.statistic(BENCH).std)
    more = ((seen.pixels - batch.pixels)[:, :, 0, 0] * std)[0]
    assert bool((more[:4].diff() < 0).all())
    assert float(more[0]) > 10 * abs(float(more[-1]))


def test_radar_has_no_air() -> None:
    sensor = sensors["s1-grd"]
    pixels = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    air = ViewConfig(jitter=0.0, air=1.0)
    seen = through_air(Batch(pixels, sensor.bands), sensor, nano_card.statistics(sensor), [1], air, number=1)
    assert torch.equal(seen.pixels, pixels)


def test_the_light_of_an_item_depends_on_its_own_seed_alone() -> None:
    sensor = sensors["s2-l2a"]
    statistics, batch = nano_card.statistics(sensor), optical(3)
    whole = through_air(batch, sensor, statistics, [1, 2, 3], ViewConfig(), number=1)
    alone = through_air(batch[1:2], sensor, statistics, [2], ViewConfig(), number=1)
    assert_close(alone.pixels[0], whole.pixels[1])
