"""The trunk: a stack of equal blocks, with the outputs of some of them kept."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.nn.block import Block


class Trunk(nn.Module):
    """`depth` pre-norm blocks in a row; no norm at the end.

    Args:
        width: of a token.
        depth: number of blocks.
        heads: of each attention.
        block: makes one block of a width and a number of heads.
    """

    def __init__(self, width: int, depth: int, heads: int, *, block: Callable[[int, int], nn.Module] = Block) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([block(width, heads) for _ in range(depth)])

    def forward(self, x: Float[Tensor, "b n d"], taps: Sequence[int]) -> tuple[Float[Tensor, "b n d"], ...]:
        """The outputs of the blocks in `taps` (0-based, ascending), then that of the last block."""
        kept = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in taps:
                kept.append(x)
        return (*kept, x)


def run_alike(trunk: "Trunk", several: Sequence[Float[Tensor, "_ _ d"]]) -> list[Float[Tensor, "_ _ d"]]:
    """The last block's output for each of several batches; those of equal length go through as one.

    Items do not see each other, so nothing changes but the time that small batches take.
    """
    out: dict[int, Tensor] = {}
    by_length: dict[int, list[int]] = {}
    for i, x in enumerate(several):
        by_length.setdefault(x.shape[1], []).append(i)
    for which in by_length.values():
        last = trunk(torch.cat([several[i] for i in which]), ())[-1]
        out |= dict(zip(which, last.split([len(several[i]) for i in which]), strict=True))
    return [out[i] for i in range(len(several))]
