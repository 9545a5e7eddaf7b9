import pytest
import torch
from torch.testing import assert_close

from armillary.nn.init import initialise
from armillary.nn.trunk import Trunk, run_alike


@pytest.fixture
def trunk() -> Trunk:
    made = Trunk(8, 3, 2)
    initialise(made, torch.Generator().manual_seed(0))
    return made


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_batches_that_share_a_pass_come_out_as_on_their_own(trunk: Trunk) -> None:
    several = [_noise(2, 5, 8), _noise(1, 3, 8, seed=1), _noise(3, 5, 8, seed=2), _noise(1, 5, 8, seed=3)]
    for x, found in zip(several, run_alike(trunk, several), strict=True):
        assert_close(found, trunk(x, ())[-1])


def test_equal_lengths_are_one_pass(trunk: Trunk) -> None:
    passes: list[tuple[int, ...]] = []
    trunk.register_forward_pre_hook(lambda _, args: passes.append(tuple(args[0].shape)))
    run_alike(trunk, [_noise(2, 5, 8), _noise(1, 3, 8), _noise(3, 5, 8)])
    assert passes == [(5, 5, 8), (1, 3, 8)]


def test_each_batch_gets_the_gradients_of_its_own_pass(trunk: Trunk) -> None:
    one, two = _noise(2, 4, 8).requires_grad_(), _noise(2, 4, 8, seed=1).requires_grad_()
    run_alike(trunk, [one, two])[0].square().sum().backward()
    assert two.grad is not None
    assert float(two.grad.abs().max()) == 0
    assert one.grad is not None
    alone = one.detach().clone().requires_grad_()
    trunk(alone, ())[-1].square().sum().backward()
    assert alone.grad is not None
    assert_close(one.grad, alone.grad)


def test_nothing_to_run_is_nothing(trunk: Trunk) -> None:
    assert run_alike(trunk, []) == []


def test_taps_are_the_outputs_of_their_blocks_and_the_last_comes_always(trunk: Trunk) -> None:
    x = _noise(1, 4, 8)
    first, last = trunk(x, (0,))
    assert_close(first, trunk.blocks[0](x))
    assert_close(last, trunk.blocks[2](trunk.blocks[1](first)))
