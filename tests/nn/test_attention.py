import pytest
import torch
from torch.testing import assert_close

from armillary.nn.attention import FEW_TOKENS, Attention, attend, attend_exactly

BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 3e-2}


def tokens(n: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v = torch.randn(3, 2, 4, n, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    return q, k, v


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("n", [12, FEW_TOKENS + 4])
def test_attending_to_some_tokens_is_attending_where_there_are_no_others(n: int, dtype: torch.dtype) -> None:
    q, k, v = tokens(n, dtype)
    keys = torch.zeros(2, n, dtype=torch.bool)
    keys[:, ::3] = True
    few = torch.softmax((q.float() @ k[:, :, ::3].float().mT) / 8**0.5, dim=-1) @ v[:, :, ::3].float()
    assert_close(attend(q, k, v, keys).float(), few, atol=BOUNDS[dtype], rtol=0)


def test_attending_exactly_gives_float32_under_autocast() -> None:
    q, k, v = tokens(12)
    with torch.autocast("cpu", torch.bfloat16):
        out = attend_exactly(q, k, v)
    assert torch.equal(out, attend(q, k, v))


def test_a_layer_without_biases_has_none() -> None:
    assert set(Attention(8, 2, qkv_bias=False).state_dict()) == {"qkv.weight", "proj.weight", "proj.bias"}
