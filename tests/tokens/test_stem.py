import pytest
import torch
from torch.testing import assert_close

from armillary.tokens.stem import FINE, Stem, Unstem


@pytest.fixture
def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("at", [(0, 0), (1, 2), (2, 0)])
def test_a_token_sees_its_own_fine_patches_and_no_others(at: tuple[int, int], noise: torch.Generator) -> None:
    stem = Stem(fine_width=3, width=5)
    fine = torch.randn(1, 3, 3 * FINE, 3 * FINE, generator=noise).requires_grad_()
    stem(fine)[0, :, at[0], at[1]].square().sum().backward()
    assert fine.grad is not None
    seen = fine.grad.abs().sum(dim=(0, 1)) > 0
    own = torch.zeros(3 * FINE, 3 * FINE, dtype=torch.bool)
    own[at[0] * FINE : (at[0] + 1) * FINE, at[1] * FINE : (at[1] + 1) * FINE] = True
    assert torch.equal(seen, own)


def test_the_same_fine_patches_are_the_same_token_wherever_they_lie(noise: torch.Generator) -> None:
    stem = Stem(fine_width=3, width=5)
    one = torch.randn(1, 3, FINE, FINE, generator=noise)
    tokens = stem(one.repeat(1, 1, 2, 3))
    assert_close(tokens, stem(one).expand(1, 5, 2, 3))


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
