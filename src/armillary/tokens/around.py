"""Around: hidden patches filled smoothly from what is seen, as a start that a decoder corrects.

Seen patches are cut into 4 x 4 cells. The mean of a hidden cell is that of all seen cells, weighed by the inverse cube
of their distance; pixels lie between the means of cells. Nothing is learned here, and no gradient goes through.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from armillary.tokens.mask import hidden_of
from armillary.tokens.patch import patchify

CELLS = 4
"""Cells along the side of a patch."""

POWER = 3.0
"""Of the distance. On real crops of Sentinel-1 and Sentinel-2 it lies between what suits the one and the other."""


@torch.no_grad()
def fill_around(pixels: Float[Tensor, "b c h w"], at: Int[Tensor, "b k"], patch_px: int) -> Float[Tensor, "b n p"]:
    """Every patch as if it were hidden or seen alike, (band, row, column); zeros where an item shows no patch.

    Args:
        pixels: normalised; what is not finite counts as 0. Rows and columns beyond whole patches are left out.
        at: positions of the patches that are seen.
        patch_px: side of a patch, a multiple of 4.
    """
    rows, columns = pixels.shape[-2] // patch_px, pixels.shape[-1] // patch_px
    b, c = pixels.shape[:2]
    whole = pixels[..., : rows * patch_px, : columns * patch_px].float().nan_to_num(0.0, 0.0, 0.0)
    if at.shape[1] == 0:
        return torch.zeros_like(patchify(whole, patch_px))
    cell_px = patch_px // CELLS
    seen = ~hidden_of(rows * columns, at).view(b, 1, rows, columns)
    seen = seen.repeat_interleave(CELLS, 2).repeat_interleave(CELLS, 3).float()
    cells = torch.cat((avg_pool2d(whole, cell_px) * seen, seen), dim=1).flatten(2)
    sums = cells @ _nearness(rows * CELLS, columns * CELLS, pixels.device)
    means = (sums[:, :c] / sums[:, c:]).view(b, c, rows * CELLS, columns * CELLS)
    smooth = interpolate(means, scale_factor=cell_px, mode="bilinear", align_corners=False) if cell_px > 1 else means
    return patchify(smooth, patch_px)


def _nearness(rows: int, columns: int, device: torch.device) -> Float[Tensor, "n n"]:
    """Inverse cubes of the distances between all cells; a cell is near itself, so that a seen one keeps its mean."""
    row, column = torch.arange(rows, device=device), torch.arange(columns, device=device)
    place = torch.cartesian_prod(row, column).float()
    square = (place[:, None] - place[None]).square().sum(dim=-1)
    return square.clamp(min=1e-3).pow(-POWER / 2)
