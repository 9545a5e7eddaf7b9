"""Patches back to pixels."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from armillary.errors import OutOfRange


def unpatchify(x: Float[Tensor, "b n d"], patch_px: int, *, rows: int, columns: int) -> Float[Tensor, "b c h w"]:
    """The inverse of `patchify` for a token grid of `rows` x `columns`."""
    n, d = x.shape[1:]
    if n != rows * columns or d % patch_px**2:
        raise OutOfRange(
            f"{n} vectors of {d} are no grid of {rows} x {columns} patches of {patch_px} px; "
            "give the grid that patchify cut"
        )
    return rearrange(x, "b (h w) (c p q) -> b c (h p) (w q)", h=rows, w=columns, p=patch_px, q=patch_px)
