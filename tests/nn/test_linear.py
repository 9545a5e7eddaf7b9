import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from armillary.nn.attention import FEW_TOKENS, attend
from armillary.nn.linear import Linear, can_pack


@pytest.fixture
def layer() -> Linear:
    torch_rng = torch.Generator().manual_seed(1)
    made = Linear(48, 80)
    with torch.no_grad():
        made.weight.normal_(generator=torch_rng)
        made.bias.normal_(generator=torch_rng)
    return made


def _rows(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("shape", [(1, 48), (7, 48), (2, 5, 48), (2, 3, 5, 48), (3000, 48)])
def test_packed_weights_give_the_plain_layer(layer: Linear, shape: tuple[int, ...]) -> None:
    want = nn.functional.linear(_rows(*shape), layer.weight, layer.bias)
    layer.working = torch.float32
    with torch.inference_mode():
        assert_close(layer(_rows(*shape)), want.detach(), atol=2e-5, rtol=0)


def test_bfloat16_rounds_and_says_so(layer: Linear) -> None:
    want = layer(_rows(9, 48)).detach()
    layer.working = torch.bfloat16
    with torch.inference_mode():
        got = layer(_rows(9, 48))
    assert got.dtype == torch.bfloat16
    assert 1e-4 < float((got.float() - want).abs().max()) < 0.2


def test_without_packing_the_result_is_the_same_to_rounding(layer: Linear, monkeypatch: pytest.MonkeyPatch) -> None:
    layer.working = torch.float32
    with torch.inference_mode():
        first = layer(_rows(9, 48))
        layer.copies.clear()
        monkeypatch.setattr("armillary.nn.linear.can_pack", lambda dtype: False)
        assert_close(layer(_rows(9, 48)), first, atol=2e-5, rtol=0)


def test_double_precision_is_never_packed() -> None:
    assert not can_pack(torch.float64)


def test_a_change_in_place_drops_the_copy(layer: Linear) -> None:
    layer.working = torch.float32
    with torch.no_grad():
        before = layer(_rows(4, 48))
        layer.weight.mul_(2.0)
        layer.bias.mul_(2.0)
        assert_close(layer(_rows(4, 48)), 2 * before, atol=4e-5, rtol=0)


def test_wanted_gradients_pass_through_the_full_weights(layer: Linear) -> None:
    layer.working = torch.bfloat16
    out = layer(_rows(4, 48))
    out.sum().backward()
    assert out.dtype == torch.float32
    assert layer.weight.grad is not None
    assert len(layer.copies) == 0


def test_a_deep_copy_begins_without_copies(layer: Linear) -> None:
    layer.working = torch.float32
    with torch.inference_mode():
        layer(_rows(4, 48))
    assert len(layer.copies) == 1
    assert len(copy.deepcopy(layer).copies) == 0


@pytest.mark.parametrize("n", [1, 50, FEW_TOKENS, FEW_TOKENS + 1])
def test_both_ways_of_attention_agree_in_bfloat16(n: int) -> None:
    q, k, v = _rows(3, 2, 4, n, 16).to(torch.bfloat16).unbind(0)
    want = nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float())
    with torch.inference_mode():
        assert_close(attend(q, k, v).float(), want, atol=0.03, rtol=0)


@torch.inference_mode()
def test_a_layer_without_bias_works_in_another_precision() -> None:
    layer, x = Linear(16, 8, bias=False), torch.ones(3, 16)
    exact = layer(x)
    layer.working = torch.bfloat16
    assert layer(x).dtype == torch.bfloat16
    torch.testing.assert_close(layer(x).float(), exact, atol=3e-2, rtol=0)
