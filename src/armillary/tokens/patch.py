"""Pixels to patches: cut them, or weigh them with a convolution kernel."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import linear, pad

from armillary.errors import OutOfRange


def patchify(x: Float[Tensor, "b c h w"], patch_px: int) -> Float[Tensor, "b n d"]:
    """Cut into squares, row by row; each vector holds (band, row, column) of its square, column fastest."""
    h, w = x.shape[-2:]
    if h % patch_px or w % patch_px:
        raise OutOfRange(f"{h} x {w} pixels cannot be cut into patches of {patch_px} px; crop or pad them to multiples")
    return rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=patch_px, q=patch_px)


def grid_shape(h: int, w: int, *, patch_px: int, padding_px: int) -> tuple[int, int]:
    """Rows and columns of the token grid."""
    return (h + 2 * padding_px - patch_px) // patch_px + 1, (w + 2 * padding_px - patch_px) // patch_px + 1


def embed_patches(
    pixels: Float[Tensor, "b c h w"],
    kernel: Float[Tensor, "d c k k"],
    bias: Float[Tensor, " d"],
    *,
    padding_px: int,
) -> Float[Tensor, "b d rows columns"]:
    """One token per k x k patch. With `padding_px` > 0 the grid is shifted up and left by that much.

    A convolution whose patches do not overlap is one matrix product, which is up to twice as fast (docs/speed.md).
    """
    k = kernel.shape[-1]
    h, w = pixels.shape[-2:]
    rows, columns = grid_shape(h, w, patch_px=k, padding_px=padding_px)
    whole = pad(pixels, (padding_px, columns * k - w - padding_px, padding_px, rows * k - h - padding_px))
    cut = rearrange(whole, "b c (h p) (w q) -> (b h w) (c p q)", p=k, q=k)
    tokens = linear(cut, kernel.flatten(1), bias)
    return rearrange(tokens, "(b h w) d -> b d h w", h=rows, w=columns)
