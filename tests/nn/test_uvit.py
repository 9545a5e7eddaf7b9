import pytest
import torch
from torch.testing import assert_close

from armillary.nn.uvit import UBlock, UVit


def tokens() -> torch.Tensor:
    return torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def silent(block: UBlock) -> UBlock:
    """A block whose layers add nothing, and which joins by taking the first of two."""
    for layer in (block.attention.proj, block.mlp.fc2):
        layer.weight.zero_()
        layer.bias.zero_()
    if block.join is not None:
        block.join.weight.copy_(torch.cat((torch.eye(16), torch.zeros(16, 16)), dim=1))
        block.join.bias.zero_()
    return block


@pytest.mark.parametrize("joins", [False, True])
def test_a_pre_norm_block_that_adds_nothing_is_the_identity(joins: bool) -> None:
    x = tokens()
    block = silent(UBlock(16, 2, joins=joins, pre_norm=True))
    assert_close(block(x, -x if joins else None), x)


@pytest.mark.parametrize("joins", [False, True])
def test_a_post_norm_block_that_adds_nothing_is_its_norm(joins: bool) -> None:
    x = tokens()
    block = silent(UBlock(16, 2, joins=joins))
    assert_close(block(x, -x if joins else None), torch.nn.functional.layer_norm(x, (16,)), atol=5e-5, rtol=1e-4)


@torch.no_grad()
def test_an_up_block_sees_what_its_counterpart_on_the_way_down_saw() -> None:
    trunk = UVit(16, 4, 2, pre_norm=True)
    for block in (*trunk.down, trunk.middle, *trunk.up):
        silent(block)
    trunk.down[1].mlp.fc2.bias.fill_(10.0)  # what leaves the second block down is 10 more than what entered
    trunk.up[1].join.weight.copy_(torch.cat((torch.zeros(16, 16), torch.eye(16)), dim=1))
    x = tokens()
    assert_close(trunk(x), x)  # the last block up takes all from the first block down
    trunk.up[0].join.weight.copy_(torch.cat((torch.zeros(16, 16), torch.eye(16)), dim=1))
    trunk.up[1].join.weight.copy_(torch.cat((torch.eye(16), torch.zeros(16, 16)), dim=1))
    assert_close(trunk(x), x + 10)  # the first block up takes all from the last block down


def test_an_odd_depth_has_as_many_blocks_up_as_down() -> None:
    trunk = UVit(16, 5, 2)
    assert (len(trunk.down), len(trunk.up)) == (2, 2)
