"""Exchange: rows of every process, for losses that compare an item with all others of a batch.

The gradient of the whole is the sum over processes of what each computes (see `devices`), so the loss of a process is
that of its own rows against everybody's, and a gathered row sends back to its owner what all processes ask of it. Every
process must take part, with no row if it has none.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor

Rows = Shaped[Tensor, "n *d"]


@dataclass(frozen=True)
class Exchange:
    """How many rows each process has, and which process this is. Make it with `meet`.

    Args:
        counts: rows of each process, in the order of ranks.
        rank: of this process.
    """

    counts: tuple[int, ...]
    rank: int = 0

    @property
    def first(self) -> int:
        """Where this process's own rows begin among all."""
        return sum(self.counts[: self.rank])

    def everybody(self, rows: Rows) -> Rows:
        """The rows of all processes, in the order of ranks; gradients go back to their owners."""
        if len(self.counts) == 1:
            return rows
        if rows.requires_grad:
            gathered: Tensor = _Gather.apply(rows, self.counts, self.rank)  # type: ignore[no-untyped-call]
            return gathered
        return _gathered(rows, self.counts)


def meet(n: int, device: torch.device) -> Exchange:
    """Every process says how many rows it has."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return Exchange((n,))
    found = [torch.zeros(1, dtype=torch.long, device=device) for _ in range(dist.get_world_size())]
    dist.all_gather(found, torch.tensor([n], device=device))
    return Exchange(tuple(int(f) for f in found), dist.get_rank())


def _gathered(rows: Tensor, counts: tuple[int, ...]) -> Tensor:
    """All rows; shorter shares travel padded, since a message has one size."""
    most = max(counts)
    mine = rows.new_zeros(most, *rows.shape[1:])
    mine[: len(rows)] = rows.detach()
    found = [torch.empty_like(mine) for _ in counts]
    dist.all_gather(found, mine)
    return torch.cat([f[:n] for f, n in zip(found, counts, strict=True)])


class _Gather(torch.autograd.Function):
    """All rows forward; backward, the sum over processes of the gradient of this process's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: tuple[int, ...], rank: int) -> Tensor:
        ctx.counts, ctx.rank = counts, rank
        return _gathered(rows, counts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        whole = gradient.contiguous()
        dist.all_reduce(whole)
        ends = list(accumulate(ctx.counts))
        return whole[ends[ctx.rank] - ctx.counts[ctx.rank] : ends[ctx.rank]], None, None
