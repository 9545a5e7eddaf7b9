import math

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from armillary.train.contrast import info_nce

PLACES = ("a", "b", "a", "c", "b", "a", "d")


def noise(n: int, d: int = 5) -> torch.Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def by_loop(z: torch.Tensor, places: tuple[str, ...], t: float) -> list[float]:
    unit = [normalize(v, dim=0) for v in z]
    losses = []
    for i, place in enumerate(places):
        others = [j for j in range(len(places)) if j != i]
        whole = sum(math.exp(float(unit[i] @ unit[a]) / t) for a in others)
        positive = [j for j in others if places[j] == place]
        shares = [math.log(math.exp(float(unit[i] @ unit[p]) / t) / whole) for p in positive]
        losses.append(-sum(shares) / len(shares) if shares else 0.0)
    return losses


@pytest.mark.parametrize("t", [0.07, 0.2, 1.0])
def test_it_equals_a_loop_over_pairs(t: float) -> None:
    z = noise(len(PLACES))
    losses, counted = info_nce(z, PLACES, temperature=t)
    assert_close(losses, torch.tensor(by_loop(z, PLACES, t), dtype=torch.float64))
    assert counted.tolist() == [1, 1, 1, 0, 1, 1, 0]


def test_its_gradients_are_those_of_differences() -> None:
    z = noise(len(PLACES)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: info_nce(x, PLACES, temperature=0.5)[0], (z,))


def test_the_length_of_a_vector_does_not_matter() -> None:
    z = noise(len(PLACES))
    longer = z * torch.arange(1.0, 8.0)[:, None]
    assert_close(info_nce(longer, PLACES, temperature=0.2)[0], info_nce(z, PLACES, temperature=0.2)[0])


def test_equal_vectors_cost_the_logarithm_of_the_number_of_others() -> None:
    losses, _ = info_nce(torch.ones(6, 4), ("a", "a", "b", "b", "c", "c"), temperature=0.2)
    assert_close(losses, torch.full((6,), math.log(5)))


def test_views_of_one_place_far_from_all_others_cost_almost_nothing() -> None:
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    assert float(info_nce(z, ("a", "a", "b", "b"), temperature=0.05)[0].max()) < 1e-6


@pytest.mark.parametrize("n", [1, 3])
def test_places_that_are_seen_once_cost_nothing_and_teach_nothing(n: int) -> None:
    z = noise(n).requires_grad_()
    losses, counted = info_nce(z, tuple("abc"[:n]), temperature=0.2)
    losses.sum().backward()
    assert losses.tolist() == [0.0] * n
    assert counted.tolist() == [0.0] * n
    assert z.grad is not None
    assert float(z.grad.abs().max()) == 0


def test_half_precision_is_compared_in_single() -> None:
    z = noise(len(PLACES)).bfloat16()
    losses, _ = info_nce(z, PLACES, temperature=0.07)
    assert losses.dtype == torch.float32
    assert_close(losses, info_nce(z.float(), PLACES, temperature=0.07)[0])


def test_autocast_does_not_blur_it() -> None:
    z = noise(len(PLACES)).float()
    with torch.autocast("cpu", torch.bfloat16):
        losses, _ = info_nce(z, PLACES, temperature=0.07)
    assert_close(losses, info_nce(z, PLACES, temperature=0.07)[0])
