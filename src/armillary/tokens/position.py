"""Position on the token grid: a square table, resized to any rectangle."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from armillary.nn.fourier import sincos_grid
from armillary.nn.recall import Recall

KEPT = 32
"""How many resized grids are remembered."""


class Position(nn.Module):
    """The extra token and the fixed position table; the row of the extra token comes first.

    Args:
        side: rows and columns of the table.
        width: of a token.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.side = side
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.table = nn.Parameter(torch.empty(1, 1 + side * side, width), requires_grad=False)
        self.recall: Recall[Tensor] = Recall(KEPT)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """The table as sines and cosines; the row of the extra token is 0."""
        self.table.zero_()
        self.table[0, 1:] = sincos_grid(self.side, self.table.shape[-1]).to(self.table)

    def grid(self, rows: int, columns: int) -> Float[Tensor, "n d"]:
        """Position of each cell of a rectangle, row by row."""
        if (rows, columns) == (self.side, self.side):
            return self.table[0, 1:]
        key = (rows, columns, self.table.dtype, self.table.device)
        return self.recall.get(key, (self.table,), lambda: self._resized(rows, columns))

    def _resized(self, rows: int, columns: int) -> Float[Tensor, "n d"]:
        square = rearrange(self.table[:, 1:].float(), "b (h w) d -> b d h w", h=self.side)
        resized = interpolate(square, size=(rows, columns), mode="bicubic", antialias=True)
        return rearrange(resized[0], "d h w -> (h w) d").to(self.table.dtype)

    def forward(self, grid: Float[Tensor, "b d h w"], here: Float[Tensor, "b d"]) -> Float[Tensor, "b n d"]:
        """Patches of a grid as tokens that know where they are; the extra token first.

        Args:
            grid: patches without position.
            here: what is known of the item, added to every token and to the extra one.
        """
        b, _, rows, columns = grid.shape
        x = rearrange(grid, "b d h w -> b (h w) d") + self.grid(rows, columns) + here[:, None]
        cls = self.cls_token + self.table[:, :1] + here[:, None]
        return torch.cat((cls.expand(b, -1, -1), x), dim=1)
