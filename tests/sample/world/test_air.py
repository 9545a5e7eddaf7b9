from dataclasses import replace

import pytest
import torch

from armillary.sample.world.air import Air, blur, to_surface, to_top, transfer


def air(**how: float) -> Air:
    facts = {"aerosol": 0.15, "exponent": 1.2, "water_cm": 2.0, "ozone_du": 300.0, "cirrus": 0.001, "pressure": 1.0}
    facts |= {"zenith": 40.0} | how
    return Air(**{name: torch.tensor([value]) for name, value in facts.items()})


def ground(side: int = 40) -> torch.Tensor:
    return 0.02 + 0.5 * torch.rand(1, 12, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("how", [{}, {"aerosol": 0.8, "exponent": 1.8, "zenith": 74.0}, {"pressure": 0.6}])
def test_the_surface_comes_back_when_the_air_is_known(how):
    surface = ground()
    torch.testing.assert_close(to_surface(to_top(surface, air(**how)), air(**how)), surface, atol=2e-4, rtol=0)


def test_an_even_ground_has_the_closed_form_of_a_lambertian_plane():
    surface = torch.full((1, 12, 8, 8), 0.3)
    t = transfer(air())
    at = (t.path + t.down * (t.direct + t.scattered) * 0.3 / (1 - t.spherical * 0.3)) * t.gas + t.cirrus
    torch.testing.assert_close(to_top(surface, air()), at.expand(1, 13, 8, 8))


def test_without_air_the_top_is_the_surface():
    none = air(aerosol=0.0, water_cm=0.0, ozone_du=0.0, cirrus=0.0, pressure=1e-9)
    surface = ground()
    top = to_top(surface, none)
    torch.testing.assert_close(torch.cat([top[:, :10], top[:, 11:]], dim=1), surface, atol=1e-5, rtol=0)


def test_a_dark_ground_shines_blue_and_more_so_in_haze():
    dark = torch.zeros(1, 12, 8, 8)
    clear, haze = (to_top(dark, air(aerosol=a))[0, :, 0, 0] for a in (0.05, 0.5))
    assert (haze[:9] > clear[:9]).all()
    assert clear[0] > clear[1] > clear[2] > clear[3] > clear[7]
    assert 0.04 < float(clear[0]) < 0.15


def test_vapour_darkens_b09_and_hides_the_ground_in_b10():
    bright = torch.full((1, 12, 8, 8), 0.5)
    dry, wet = (to_top(bright, air(water_cm=w))[0, :, 0, 0] for w in (0.3, 4.0))
    assert wet[9] < 0.6 * dry[9]
    assert float(wet[10]) == pytest.approx(0.001, abs=1e-4)


def test_different_airs_give_different_tops_of_one_surface():
    surface = ground()
    one, two = (to_top(surface, air(aerosol=a)) for a in (0.1, 0.3))
    assert float((one - two).abs().mean()) > 0.005
    assert float((to_surface(one, replace(air(), aerosol=torch.tensor([0.3]))) - surface).abs().mean()) > 0.005


def test_a_blur_keeps_an_even_picture_and_its_mean():
    even = torch.full((1, 2, 20, 20), 0.7)
    torch.testing.assert_close(blur(even), even)
