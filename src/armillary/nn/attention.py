"""Self-attention over tokens (arXiv:1706.03762), computed by PyTorch's fused kernel."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    """Multi-head self-attention; queries, keys and values come from one linear layer.

    Args:
        width: of a token.
        heads: how many; they split the width evenly.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Each token, as a mixture of all."""
        q, k, v = rearrange(self.qkv(x), "b n (three heads d) -> three b heads n d", three=3, heads=self.heads)
        mixed = scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(rearrange(mixed, "b heads n d -> b n (heads d)"))
        return out
