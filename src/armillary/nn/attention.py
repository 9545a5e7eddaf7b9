"""Self-attention over tokens (arXiv:1706.03762), computed by PyTorch's fused kernel.

In bfloat16 on a CPU that kernel is slower than the three plain steps (17.0 against 10.6 ms for 8 x 12 heads of 197
tokens on one AVX512-BF16 core), so these are taken while their matrices are small.
"""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from armillary.nn.linear import Linear

FEW_TOKENS = 512
"""Up to so many tokens the plain steps are faster in bfloat16 on a CPU, and their matrices stay in the cache."""


class Attention(nn.Module):
    """Multi-head self-attention; queries, keys and values come from one linear layer.

    Args:
        width: of a token.
        heads: how many; they split the width evenly.
        qkv_bias: whether that layer has biases.
        exact: queries, keys and values are float32 whatever computes them, as the released COP-GEN-Beta asks.
    """

    def __init__(self, width: int, heads: int, *, qkv_bias: bool = True, exact: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.exact = exact
        self.qkv = Linear(width, 3 * width, bias=qkv_bias)
        self.proj = Linear(width, width)

    def forward(self, x: Float[Tensor, "b n d"], keys: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """Each token, as a mixture of all, or of those that `keys` names."""
        q, k, v = rearrange(self.qkv(x), "b n (three heads d) -> three b heads n d", three=3, heads=self.heads)
        mixed = attend_exactly(q, k, v, keys) if self.exact else attend(q, k, v, keys)
        out: Tensor = self.proj(rearrange(mixed, "b heads n d -> b n (heads d)"))
        return out


def attend(
    q: Float[Tensor, "b heads n d"],
    k: Float[Tensor, "b heads n d"],
    v: Float[Tensor, "b heads n d"],
    keys: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b heads n d"]:
    """softmax(q k^T / sqrt(d)) v, by the faster of two ways; only tokens that `keys` names are looked at."""
    n, d = q.shape[-2:]
    mask = None if keys is None else keys[:, None, None]
    if n > FEW_TOKENS or q.dtype != torch.bfloat16 or q.device.type != "cpu":
        return scaled_dot_product_attention(q, k, v, attn_mask=mask)
    likeness = (q * d**-0.5) @ k.transpose(-1, -2)
    return torch.softmax(likeness if mask is None else likeness.masked_fill(~mask, -torch.inf), dim=-1) @ v


def attend_exactly(
    q: Float[Tensor, "b heads n d"],
    k: Float[Tensor, "b heads n d"],
    v: Float[Tensor, "b heads n d"],
    keys: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b heads n d"]:
    """The same in float32, also where autocast would choose less."""
    with torch.autocast(q.device.type, enabled=False):
        return attend(q.float(), k.float(), v.float(), keys)
