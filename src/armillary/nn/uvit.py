"""The U-ViT: a transformer whose second half sees again what the first half saw (arXiv:2209.12152).

Blocks in three rows, *down*, *middle* and *up*; the output of each down block is joined, last in first out, to the
input of an up block. No token is lost on the way: the U is one of depth, not of resolution.

The norms stand after the additions (post-norm), as in UniDiffuser (arXiv:2303.06555) and COP-GEN-Beta; or before them
(pre-norm), as in the U-ViT's own paper, which small models trained anew take better.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from armillary.nn.attention import Attention
from armillary.nn.block import POST_NORM_EPS
from armillary.nn.linear import Linear
from armillary.nn.mlp import Mlp


class UBlock(nn.Module):
    """A block of a U-ViT.

    Post-norm: norm(x + attention(x)), then norm(x + mlp(x)); an up block begins with norm(join(x, skip)).
    Pre-norm: x + attention(norm(x)), then x + mlp(norm(x)); an up block begins with join(x, skip).

    Args:
        width: of a token.
        heads: of the attention.
        ratio: width of the hidden layer of the mlp, in widths of a token.
        joins: whether it is an up block.
        pre_norm: which of the two.
        exact: attention in float32 whatever the precision of the rest.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        ratio: int = 4,
        joins: bool = False,
        pre_norm: bool = False,
        exact: bool = False,
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.join = Linear(2 * width, width) if joins else None
        self.join_norm = nn.LayerNorm(width, eps=POST_NORM_EPS) if joins and not pre_norm else None
        self.attention = Attention(width, heads, qkv_bias=False, exact=exact)
        self.attention_norm = nn.LayerNorm(width, eps=POST_NORM_EPS)
        self.mlp = Mlp(width, ratio * width)
        self.mlp_norm = nn.LayerNorm(width, eps=POST_NORM_EPS)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        skip: Float[Tensor, "b n d"] | None = None,
        keys: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """All tokens, one block further."""
        if self.join is not None and skip is not None:
            x = self.join(torch.cat((x, skip), dim=-1)).to(x.dtype)
        if self.join_norm is not None:
            x = self.join_norm(x)
        if self.pre_norm:
            x = x + self.attention(self.attention_norm(x), keys)
            x = x + self.mlp(self.mlp_norm(x))
        else:
            x = self.attention_norm(x + self.attention(x, keys))
            x = self.mlp_norm(x + self.mlp(x))
        return x


class UVit(nn.Module):
    """`depth` // 2 blocks down, one in the middle, as many up; no norm at the end.

    Args:
        width: of a token.
        depth: number of blocks without the middle one.
        heads: of each attention.
        ratio: of each mlp.
        pre_norm: where the norms stand.
        exact: attention in float32 whatever the precision of the rest.
    """

    def __init__(
        self, width: int, depth: int, heads: int, *, ratio: int = 4, pre_norm: bool = False, exact: bool = False
    ) -> None:
        super().__init__()

        def block(joins: bool) -> UBlock:
            return UBlock(width, heads, ratio=ratio, joins=joins, pre_norm=pre_norm, exact=exact)

        self.down = nn.ModuleList([block(joins=False) for _ in range(depth // 2)])
        self.middle = block(joins=False)
        self.up = nn.ModuleList([block(joins=True) for _ in range(depth // 2)])
        self.checkpointing = False
        """Whether a block's inner values are computed again for the gradient instead of kept: a third more work, about
        a tenth of the memory, the same numbers."""

    def forward(self, x: Float[Tensor, "b n d"], keys: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """The last block's output.

        Args:
            x: tokens.
            keys: which tokens may be looked at; None: all.
        """
        skips: list[Tensor] = []
        for block in self.down:
            x = self._run(block, x, None, keys)
            skips.append(x)
        x = self._run(self.middle, x, None, keys)
        for block in self.up:
            x = self._run(block, x, skips.pop(), keys)
        return x

    def _run(self, block: nn.Module, x: Tensor, skip: Tensor | None, keys: Tensor | None) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            x = checkpoint(block, x, skip, keys, use_reentrant=False, preserve_rng_state=False)
        else:
            x = block(x, skip, keys)
        return x
