"""Transformer blocks: pre-norm for the encoder (ViT, arXiv:2010.11929), post-norm for the kernel generator."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.nn.attention import Attention
from armillary.nn.mlp import Mlp

BLOCK_EPS = 1e-6
"""LayerNorm epsilon of the encoder."""

POST_NORM_EPS = 1e-5
"""LayerNorm epsilon of the kernel generator; the difference from `BLOCK_EPS` is upstream's and is in the weights."""


class Block(nn.Module):
    """Pre-norm block: x + attention(norm(x)), then x + mlp(norm(x)).

    Args:
        width: of a token.
        heads: of the attention.
        ratio: width of the hidden layer of the mlp, in widths of a token.
    """

    def __init__(self, width: int, heads: int, ratio: int = 4) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=BLOCK_EPS)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=BLOCK_EPS)
        self.mlp = Mlp(width, ratio * width)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """All tokens, one block further."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class ScaledBlock(nn.Module):
    """Pre-norm block whose two additions are scaled per channel (LayerScale, arXiv:2103.17239), as in DINOv2.

    x + scale1 * attention(norm1(x)), then x + scale2 * mlp(norm2(x)).

    Args:
        width: of a token.
        heads: of the attention.
        ratio: width of the hidden layer of the mlp, in widths of a token.
    """

    def __init__(self, width: int, heads: int, ratio: int = 4) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=BLOCK_EPS)
        self.attention = Attention(width, heads)
        self.scale1 = nn.Parameter(torch.ones(width))
        self.norm2 = nn.LayerNorm(width, eps=BLOCK_EPS)
        self.mlp = Mlp(width, ratio * width)
        self.scale2 = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """All tokens, one block further."""
        x = x + self.scale1 * self.attention(self.norm1(x))
        out: Tensor = x + self.scale2 * self.mlp(self.norm2(x))
        return out


class PostNormBlock(nn.Module):
    """Post-norm block: norm(x + attention(x)), then norm(x + mlp(x))."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.mlp = Mlp(width, hidden)
        self.norm1 = nn.LayerNorm(width, eps=POST_NORM_EPS)
        self.norm2 = nn.LayerNorm(width, eps=POST_NORM_EPS)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """All tokens, one block further."""
        x = self.norm1(x + self.attention(x))
        out: Tensor = self.norm2(x + self.mlp(x))
        return out
