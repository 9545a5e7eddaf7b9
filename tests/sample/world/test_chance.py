import pytest
import torch

from armillary.sample.world.chance import fields, gamma, key, normal, of_number, uniform

PLACES = torch.arange(4)


def test_an_item_does_not_depend_on_its_batch():
    whole = normal(key(3, 1, PLACES), 5, 7)
    assert torch.equal(normal(key(3, 1, PLACES[2:3]), 5, 7)[0], whole[2])
    assert torch.allclose(fields(key(3, 1, PLACES[2:3]), (3.0,), 16)[0], fields(key(3, 1, PLACES), (3.0,), 16)[2])


@pytest.mark.parametrize(
    "other", [key(1, 0, PLACES), key(0, 1, PLACES), key(0, 0, PLACES + 4), key(0, 0, PLACES + 2**32)]
)
def test_seeds_layers_and_places_share_nothing(other):
    one, two = normal(key(0, 0, PLACES), 20_000), normal(other, 20_000)
    assert abs(float((one * two).mean())) < 0.015


def test_uniform_numbers_are_even_and_uncorrelated():
    u = uniform(key(0, 0, PLACES), 100, 1000)
    assert float(u.min()) > 0
    assert float(u.max()) < 1
    assert float(u.mean()) == pytest.approx(0.5, abs=0.003)
    assert float(u.var()) == pytest.approx(1 / 12, abs=0.001)
    assert abs(float(((u[:, :, 1:] - 0.5) * (u[:, :, :-1] - 0.5)).mean())) < 0.001


def test_normal_numbers_have_the_moments_of_a_gaussian():
    x = normal(key(0, 0, PLACES), 50_001)
    assert [float((x**k).mean()) for k in (1, 2, 3, 4)] == pytest.approx([0, 1, 0, 3], abs=0.06)


@pytest.mark.parametrize("looks", [1, 5])
def test_gamma_numbers_have_mean_one_and_the_variance_of_their_looks(looks):
    x = gamma(key(0, 0, PLACES), looks, 40_000)
    assert float(x.mean()) == pytest.approx(1, abs=0.01)
    assert float(x.var()) == pytest.approx(1 / looks, rel=0.03)


def test_fields_have_variance_one_and_the_slope_that_was_asked():
    n = 96
    found = fields(key(0, 0, torch.arange(32)), (2.0, 4.0), n, torus=n)
    assert torch.allclose(found.var(dim=(-2, -1)).mean(dim=0), torch.ones(2), atol=0.02)
    power = torch.fft.rfft2(found).abs().square().mean(dim=0)[:, 0]
    for slope, p in zip((2.0, 4.0), power, strict=True):
        assert float((p[2] / p[16]).log2() / 3) == pytest.approx(slope, abs=0.5)


def test_equal_numbers_of_an_item_get_equal_ones():
    got = of_number(key(0, 0, PLACES), torch.tensor([[5, 9, 5]]).repeat(4, 1))
    assert torch.equal(got[:, 0], got[:, 2])
    assert len(got.unique()) == 8
