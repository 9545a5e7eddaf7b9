import torch
from torch import nn
from torch.testing import assert_close

from armillary.nn.attention import Attention
from armillary.nn.block import Block, PostNormBlock
from armillary.nn.mlp import ResidualMlp
from armillary.nn.trunk import Trunk


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_attention_equals_its_definition() -> None:
    layer, x = Attention(8, 2), _noise(1, 5, 8)
    q, k, v = layer.qkv(x)[0].chunk(3, dim=-1)
    heads = [
        (q[:, s] @ k[:, s].T / 2.0).softmax(dim=-1) @ v[:, s] for s in (slice(0, 4), slice(4, 8))
    ]  # 2.0 is the root of the head's width
    assert_close(layer(x)[0], layer.proj(torch.cat(heads, dim=-1)))


def test_the_post_norm_block_equals_pytorchs_own_encoder_layer() -> None:
    ours = PostNormBlock(16, heads=4, hidden=24)
    theirs = nn.TransformerEncoderLayer(16, 4, 24, dropout=0.0, activation="gelu", batch_first=True)
    theirs.load_state_dict(
        {
            "self_attn.in_proj_weight": ours.attention.qkv.weight,
            "self_attn.in_proj_bias": ours.attention.qkv.bias,
            "self_attn.out_proj.weight": ours.attention.proj.weight,
            "self_attn.out_proj.bias": ours.attention.proj.bias,
            "linear1.weight": ours.mlp.fc1.weight,
            "linear1.bias": ours.mlp.fc1.bias,
            "linear2.weight": ours.mlp.fc2.weight,
            "linear2.bias": ours.mlp.fc2.bias,
            **{f"norm{i}.{n}": p for i in (1, 2) for n, p in getattr(ours, f"norm{i}").named_parameters()},
        }
    )
    x = _noise(2, 7, 16)
    assert_close(ours(x), theirs(x))


def test_blocks_treat_tokens_as_a_set() -> None:
    block, x = Block(8, 2), _noise(1, 6, 8)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert_close(block(x[:, order]), block(x)[:, order])


def test_the_residual_mlp_never_lowers_a_value() -> None:
    x = _noise(4, 16)
    assert bool((ResidualMlp(16)(x) >= x).all())


def test_taps_are_the_outputs_of_their_blocks() -> None:
    trunk, x = Trunk(8, 3, 2), _noise(1, 4, 8)
    first, last = trunk(x, (0,))
    assert_close(first, trunk.blocks[0](x))
    assert_close(last, trunk.blocks[2](trunk.blocks[1](first)))
