import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from armillary.errors import OutOfRange
from armillary.tokens.mask import hidden_of, kept_of, mask_random, pick, unpick


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("n", "kept"), [(196, 58), (144, 43), (49, 14), (225, 67)])
def test_seven_tenths_masked_leave_the_published_numbers_of_tokens(n: int, kept: int) -> None:
    assert kept_of(n, 0.7) == kept


def test_one_token_always_stays() -> None:
    assert kept_of(2, 0.99) == 1


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 2.0])
def test_a_ratio_that_leaves_nothing_is_refused(ratio: float) -> None:
    with pytest.raises(OutOfRange, match="mask ratio"):
        kept_of(10, ratio)


@given(
    n=st.integers(1, 40), ratio=st.floats(0, 0.99), seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4)
)
@settings(max_examples=50, deadline=None)
def test_unpick_puts_every_picked_token_back_and_the_fill_elsewhere(n: int, ratio: float, seeds: list[int]) -> None:
    x, fill = _noise(len(seeds), n, 3), torch.tensor([7.0, 8.0, 9.0])
    at = mask_random(n, ratio, seeds)
    whole, hidden = unpick(pick(x, at), at, fill, n), hidden_of(n, at)
    assert_close(whole, torch.where(hidden[..., None], fill, x), rtol=0, atol=0)
    assert_close(pick(whole, at), pick(x, at), rtol=0, atol=0)


def test_positions_are_ascending_and_none_comes_twice() -> None:
    at = mask_random(49, 0.7, range(50))
    assert bool((at.diff(dim=1) > 0).all())
    assert int(at.min()) >= 0
    assert int(at.max()) < 49


def test_the_mask_of_an_item_depends_on_its_own_seed_only() -> None:
    together = mask_random(49, 0.7, [5, 6, 7])
    for i, seed in enumerate([5, 6, 7]):
        assert_close(mask_random(49, 0.7, [seed])[0], together[i], rtol=0, atol=0)
    assert not torch.equal(together[0], together[1])


def test_every_token_stays_as_often_as_any_other() -> None:
    n, items = 16, 4000
    share = 1 - hidden_of(n, mask_random(n, 0.75, range(items))).float().mean(dim=0)
    assert_close(share, torch.full((n,), 0.25), atol=4 * (0.25 * 0.75 / items) ** 0.5, rtol=0)


def test_hidden_and_visible_tokens_are_all_tokens() -> None:
    assert hidden_of(49, mask_random(49, 0.7, [1, 2])).sum(dim=1).tolist() == [35, 35]


def test_gradients_reach_picked_tokens_alone() -> None:
    x = _noise(1, 6, 2).requires_grad_()
    at = torch.tensor([[1, 4]])
    pick(x, at).sum().backward()
    assert x.grad is not None
    assert x.grad[0].sum(dim=1).tolist() == [0.0, 2.0, 0.0, 0.0, 2.0, 0.0]
