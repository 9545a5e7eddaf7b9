"""Position that was learned, as in DINOv2 (arXiv:2304.07193): a square table, resized to any rectangle.

*Registers* are further tokens without a place (arXiv:2309.16588); they stand between the extra token and the patches.

How the table is resized belongs to the weights, not to taste: the values a model was evaluated with came from one
way, and another gives other features. DINOv2 without registers (and SoftCon, which goes on from it) resizes without
antialiasing and asks for 0.1 cells more than it needs, so that every position is sampled slightly off its place;
DINOv2 with registers antialiases and asks for what it needs, as timm does for all of them.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from armillary.nn.recall import Recall

KEPT = 32
"""How many resized grids are remembered."""


@dataclass(frozen=True)
class Resampling:
    """How a position table becomes another rectangle; always bicubic.

    Args:
        antialias: whether cells are averaged where the rectangle is coarser than the table.
        offset: cells asked for beyond those needed; it changes the scale of the sampled positions, not their number.
    """

    antialias: bool
    offset: float


REFERENCE = Resampling(antialias=False, offset=0.1)
"""DINOv2 without registers, SoftCon."""

EXACT = Resampling(antialias=True, offset=0.0)
"""DINOv2 with registers; timm for every model."""


class LearnedPosition(nn.Module):
    """The extra token, the registers and the position table, whose first row is that of the extra token.

    Args:
        side: rows and columns of the table.
        width: of a token.
        registers: how many.
        resampling: how the table is resized.
    """

    def __init__(self, side: int, width: int, *, registers: int = 0, resampling: Resampling = REFERENCE) -> None:
        super().__init__()
        self.side = side
        self.resampling = resampling
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.table = nn.Parameter(torch.empty(1, 1 + side * side, width))
        self.registers = nn.Parameter(torch.empty(1, registers, width)) if registers else None
        self.recall: Recall[Tensor] = Recall(KEPT)

    def grid(self, rows: int, columns: int) -> Float[Tensor, "n d"]:
        """Position of each cell of a rectangle, row by row; the table's own square is taken as it is."""
        if (rows, columns) == (self.side, self.side):
            return self.table[0, 1:]
        if torch.is_grad_enabled() and self.table.requires_grad:
            return self._resized(rows, columns)
        key = (rows, columns, self.table.dtype, self.table.device)
        return self.recall.get(key, (self.table,), lambda: self._resized(rows, columns))

    def _resized(self, rows: int, columns: int) -> Float[Tensor, "n d"]:
        square = rearrange(self.table[:, 1:].float(), "b (h w) d -> b d h w", h=self.side)
        more, antialias = self.resampling.offset, self.resampling.antialias
        if more:
            scale = ((rows + more) / self.side, (columns + more) / self.side)
            resized = interpolate(square, scale_factor=scale, mode="bicubic", antialias=antialias)
        else:
            resized = interpolate(square, size=(rows, columns), mode="bicubic", antialias=antialias)
        return rearrange(resized[0], "d h w -> (h w) d").to(self.table.dtype)

    def forward(self, grid: Float[Tensor, "b d h w"]) -> Float[Tensor, "b n d"]:
        """Patches as tokens that know where they are; before them the extra token, then the registers."""
        b, _, rows, columns = grid.shape
        x = rearrange(grid, "b d h w -> b (h w) d") + self.grid(rows, columns)
        first = [self.cls_token + self.table[:, :1], *([] if self.registers is None else [self.registers])]
        return torch.cat((*(t.expand(b, -1, -1) for t in first), x), dim=1)
