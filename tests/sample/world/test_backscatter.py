import math

import pytest
import torch

from armillary.sample.world.backscatter import speckle_db, speckled
from armillary.sample.world.world import World

PLACES, VISITS = torch.arange(4), torch.zeros(4, dtype=torch.long)


@pytest.mark.parametrize("looks", [1, 3, 5])
def test_speckle_has_its_mean_and_spread_in_decibels_whatever_the_ground(looks):
    level = torch.linspace(-25, 0, 4)[:, None, None, None].expand(4, 2, 128, 128)
    noise = speckled(0, PLACES, VISITS, level, looks) - level
    mean, spread = speckle_db(looks)
    assert torch.allclose(noise.mean(dim=(1, 2, 3)), torch.full((4,), mean), atol=5 * spread / 181)
    assert torch.allclose(noise.std(dim=(1, 2, 3)), torch.full((4,), spread), rtol=0.03)


def test_speckle_of_one_look_is_that_of_an_exponential():
    assert speckle_db(1)[1] == pytest.approx(10 / math.log(10) * math.pi / math.sqrt(6))


def test_power_is_unbiased():
    level = torch.full((4, 2, 128, 128), -12.0)
    power = 10 ** (speckled(0, PLACES, VISITS, level) / 10)
    assert 10 * math.log10(float(power.mean())) == pytest.approx(-12, abs=0.02)


def test_speckle_differs_from_visit_to_visit_and_its_mean_does_not_know_it():
    world = World(side_px=32)
    one = world.scenery(PLACES, VISITS)
    assert torch.allclose(one.strands["s1-rtc"], speckled(0, PLACES, VISITS, one.level))
    other = world.scenery(PLACES, VISITS + 1)
    assert not torch.equal(one.strands["s1-rtc"], other.strands["s1-rtc"])
