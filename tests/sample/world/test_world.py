import pickle

import numpy as np
import pytest
import torch

from armillary.errors import OutOfRange
from armillary.sample.source import Source
from armillary.sample.world.air import to_surface, to_top
from armillary.sample.world.climate import MOST_SUN_ZENITH, climate_of, day_of, sun_at
from armillary.sample.world.cover import BARE, BUILT, CODES, CROPS, RANGE, SNOW, TREES, WATER
from armillary.sample.world.surface import reflect, shade_of
from armillary.sample.world.terrain import Terrain
from armillary.sample.world.world import STRANDS, World

COUNT = 48
PLACES, VISITS = torch.arange(COUNT), torch.arange(COUNT) % 5


@pytest.fixture(scope="module")
def some():
    return World().scenery(PLACES, VISITS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_it_is_a_source_of_co_located_samples_and_says_that_it_is_synthetic():
    world = World(places=10)
    drawn = world.draw(3, rng())
    assert isinstance(world, Source)
    assert world.key(3).startswith("synthetic-")
    assert tuple(drawn) == STRANDS
    assert len({s.window for s in drawn.values()}) == 1
    assert {n: s.pixels.shape[0] for n, s in drawn.items()} == {
        "dem": 1,
        "land-cover": 1,
        "s1-rtc": 2,
        "s2-l1c": 13,
        "s2-l2a": 12,
    }
    assert drawn["s2-l1c"].time == drawn["s2-l2a"].time
    assert drawn["dem"].time is None


def test_the_window_lies_where_the_climate_does():
    world = World()
    one = world.scenery(torch.tensor([5]), torch.tensor([0]))
    lon, lat = world.visit(5, 0)["dem"].window.center
    assert (lon, lat) == pytest.approx((float(one.climate.lon[0]), float(one.climate.lat[0])), abs=2e-4)


def test_equal_states_give_equal_draws_and_a_world_travels():
    one = World().draw(7, rng(1))
    two = pickle.loads(pickle.dumps(World())).draw(7, rng(1))  # noqa: S301 (our own bytes)
    assert all(np.array_equal(one[k].pixels, two[k].pixels) for k in one)
    assert World().checksum() != World(seed=1).checksum()


def test_an_item_does_not_depend_on_its_batch(some):
    alone = World().scenery(PLACES[9:10], VISITS[9:10])
    for name in STRANDS:
        torch.testing.assert_close(alone.strands[name][0], some.strands[name][9], atol=1e-4, rtol=1e-4)


def test_the_ground_stays_from_visit_to_visit_and_the_season_does_not(some):
    other = World().scenery(PLACES, VISITS + 1)
    assert torch.equal(other.strands["dem"], some.strands["dem"])
    assert torch.equal(other.strands["land-cover"], some.strands["land-cover"])
    assert float((other.strands["s2-l2a"] - some.strands["s2-l2a"]).abs().mean()) > 0.01


def test_values_are_finite_and_plausible(some):
    for name, low, high in (("s2-l2a", 0, 1.6), ("s2-l1c", 0, 1.6), ("s1-rtc", -55, 15), ("dem", -20, 9000)):
        pixels = some.strands[name]
        assert torch.isfinite(pixels).all()
        assert float(pixels.min()) >= low
        assert float(pixels.max()) <= high
    assert set(some.strands["land-cover"].unique().int().tolist()) <= {WATER, *CODES}


def test_many_classes_are_common_and_none_is_everything():
    code = World(side_px=16).scenery(torch.arange(400), torch.zeros(400, dtype=torch.long)).cover.code
    shares = {c: float((code == c).float().mean()) for c in (WATER, TREES, CROPS, BUILT, BARE, RANGE)}
    assert min(shares.values()) > 0.005
    assert max(shares.values()) < 0.5


def test_the_sea_lies_at_zero_and_some_land_below_it():
    height = World(side_px=16).scenery(torch.arange(400), torch.zeros(400, dtype=torch.long))
    sea = height.terrain.water & (height.terrain.height == 0)
    assert bool(sea.any())
    assert float(height.terrain.height.min()) < -1
    assert not bool((height.terrain.water & (height.terrain.slope > 30)).float().mean() > 0.02)


def test_level_2a_is_level_1c_under_the_air_that_is_told():
    one = World(side_px=32).scenery(PLACES[:6], VISITS[:6])
    torch.testing.assert_close(to_surface(one.strands["s2-l1c"], one.air), one.strands["s2-l2a"], atol=3e-4, rtol=1e-3)
    torch.testing.assert_close(to_top(one.strands["s2-l2a"], one.air), one.strands["s2-l1c"])


def test_optics_that_shade_nothing_know_no_relief(some):
    mixed, soil = torch.rand(2, 14, 8, 8), torch.rand(2, 8, 8)
    flat = torch.zeros(2, 8, 8)
    steep = torch.rand(2, 8, 8)
    sun = sun_at(torch.tensor([40.0, 10.0]), torch.tensor([17200.0, 17300.0]))
    hills = [
        Terrain(h, flat > 1, flat, flat, e, e, torch.zeros(2, 3, 8, 8)) for h, e in ((flat, flat), (90 * steep, steep))
    ]
    one, two = (reflect(mixed, soil, 1 + flat, shade_of(h, sun, 0.0)) for h in hills)
    assert torch.equal(one, two)
    lit = reflect(mixed, soil, 1 + flat, shade_of(hills[1], sun))
    assert float((lit - two).abs().mean()) > 0.001


def test_level_ground_is_lit_alike_at_any_height():
    flat = torch.zeros(1, 8, 8)
    sun = sun_at(torch.tensor([40.0]), torch.tensor([17200.0]))
    for height in (0.0, 3000.0):
        level = Terrain(flat + height, flat > 1, flat, flat, flat, flat, torch.zeros(1, 3, 8, 8))
        torch.testing.assert_close(shade_of(level, sun), torch.ones(1, 12, 8, 8))


def test_slopes_towards_the_sun_are_brighter():
    flat, sun = torch.zeros(1, 4, 4), sun_at(torch.tensor([45.0]), torch.tensor([17350.0]))  # low in the south-east
    south, north = (
        shade_of(Terrain(flat, flat > 1, flat, flat, flat, flat + rise, torch.zeros(1, 3, 4, 4)), sun)
        for rise in (0.3, -0.3)
    )
    assert (south > 1).all()
    assert (north < 1).all()


def test_coarse_bands_are_repeated(some):
    pixels = some.strands["s2-l2a"]
    b05, b01 = pixels[:, 4], pixels[:, 0]
    assert torch.equal(b05[:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2), b05)
    assert torch.equal(b01[:, 0, 0], b01[:, 5, 5])


def test_deciduous_plants_are_greener_in_summer():
    world, places = World(side_px=16), torch.arange(300)
    climate = climate_of(0, places)
    cold = climate.warm + climate.swing
    temperate = (climate.lat > 40) & (climate.lat < 60) & (cold > 14)
    visits = [world.scenery(places[temperate], torch.full((int(temperate.sum()),), v)) for v in range(6)]
    turn = torch.cat([v.days % 365.25 for v in visits])
    ndvi = []
    for v in visits:
        red, near = v.strands["s2-l2a"][:, 3], v.strands["s2-l2a"][:, 7]
        land = v.cover.code == TREES
        ndvi.append(((near - red) / (near + red) * land).sum((1, 2)) / land.sum((1, 2)).clamp(min=1))
    green, wooded = torch.cat(ndvi), torch.cat([(v.cover.code == TREES).float().mean((1, 2)) > 0.2 for v in visits])
    summer, winter = (turn > 160) & (turn < 240) & wooded, ((turn < 60) | (turn > 330)) & wooded
    assert float(green[summer].mean()) > float(green[winter].mean()) + 0.2


def test_the_sun_is_high_enough_on_every_visit():
    places, visits = torch.arange(200).repeat(5), torch.arange(1000)
    lat = climate_of(0, places).lat
    zenith = sun_at(lat, day_of(0, places, visits, lat)).zenith
    assert float(zenith.max()) < MOST_SUN_ZENITH + 0.6
    assert float(zenith.min()) > 15


def test_snow_lies_where_it_is_cold_and_is_white():
    one = World(side_px=16).scenery(torch.arange(300), torch.arange(300))
    deep = (one.ground.snow > 0.9) & (one.cover.code == RANGE)
    assert bool(deep.any())
    assert float(one.strands["s2-l2a"][:, 3][deep].mean()) > 0.6
    assert float(one.strands["s2-l2a"][:, 10][deep].mean()) < 0.3
    assert SNOW in CODES


@pytest.mark.parametrize(
    "how", [{"places": 0}, {"side_px": 8}, {"looks": 0}, {"shading": 2.0}, {"strands": ("s5p-co",)}]
)
def test_worlds_that_are_none_are_refused(how):
    with pytest.raises(OutOfRange):
        World(**how)


def test_a_place_that_is_none_is_refused():
    with pytest.raises(OutOfRange, match="synthetic"):
        World(places=3).draw(3, rng())
