import pytest
import torch
from torch.testing import assert_close

from armillary.tokens.stem import FINE, SPAN, Stem, Unstem, fine_steps


@pytest.fixture
def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


REACH = 4
"""Fine steps beyond its own 4 x 4 that the three convolutions of a stem let a token see."""


@pytest.mark.parametrize("at", [(0, 0), (1, 2), (2, 0)])
def test_a_token_sees_its_patch_and_little_beyond(at: tuple[int, int], noise: torch.Generator) -> None:
    stem = Stem(fine_width=3, width=5)
    fine = torch.randn(1, 3, 3 * FINE, 3 * FINE, generator=noise).requires_grad_()
    stem(fine)[0, :, at[0], at[1]].square().sum().backward()
    assert fine.grad is not None
    seen = fine.grad.abs().sum(dim=(0, 1)) > 0
    steps = torch.arange(3 * FINE)
    near = [(steps >= i * FINE - REACH) & (steps < (i + 1) * FINE + REACH) for i in at]
    assert bool(seen[at[0] * FINE : (at[0] + 1) * FINE - 1, at[1] * FINE : (at[1] + 1) * FINE - 1].all())
    assert not bool((seen & ~(near[0][:, None] & near[1][None])).any())


@pytest.mark.parametrize("step", [1, 2, 4, 16])
def test_there_is_one_fine_step_for_each_quarter_of_a_patch(step: int, noise: torch.Generator) -> None:
    """S5P, S3, S2 and the DEM have patches of 4, 8, 16 and 64 px."""
    kernel = torch.randn(3, 2, SPAN * step, SPAN * step, generator=noise)
    pixels = torch.randn(1, 2, 8 * step, 4 * step, generator=noise)
    assert fine_steps(pixels, kernel, torch.zeros(3)).shape == (1, 3, 8, 4)


def test_a_fine_step_is_the_kernel_on_the_pixels_around_it() -> None:
    pixels = torch.zeros(1, 1, 8, 8)
    pixels[0, 0, 3:5, 3:5] = 1.0  # the step of 2 px that begins at (4, 4) reaches 1 px back and 1 px ahead
    found = fine_steps(pixels, torch.ones(1, 1, 4, 4), torch.zeros(1))[0, 0]
    assert found.tolist() == [[0, 0, 0, 0], [0, 4, 4, 0], [0, 4, 4, 0], [0, 0, 0, 0]]


def test_a_stem_is_more_than_a_linear_map(noise: torch.Generator) -> None:
    stem = Stem(fine_width=3, width=5)
    one, two = torch.randn(2, 1, 3, FINE, FINE, generator=noise)
    none = stem(torch.zeros_like(one))
    assert not torch.allclose(stem(one + two) + none, stem(one) + stem(two), atol=1e-3)


def test_the_way_back_orders_fine_patches_row_by_row() -> None:
    """Biases alone tell which of the four splits, and of their four, each fine patch comes from."""
    unstem = Unstem(width=2, fine_width=1)
    with torch.no_grad():
        for p in unstem.parameters():
            p.zero_()
        unstem.split2.bias.copy_(torch.arange(4.0))
    found = unstem(torch.zeros(1, 1, 2))[0, 0, :, 0].reshape(FINE, FINE)
    assert found.tolist() == [[0, 1, 0, 1], [2, 3, 2, 3], [0, 1, 0, 1], [2, 3, 2, 3]]


def test_the_way_back_keeps_quarters_apart() -> None:
    unstem = Unstem(width=1, fine_width=1)
    with torch.no_grad():
        for p in unstem.parameters():
            p.zero_()
        unstem.split1.bias.copy_(torch.arange(4.0).repeat_interleave(2) * 10 + 10)
        unstem.split2.weight.fill_(0.5)
    found = unstem(torch.zeros(1, 1, 1))[0, 0, :, 0].reshape(FINE, FINE)
    assert_close(found, torch.tensor([[10.0, 20.0], [30.0, 40.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1))
