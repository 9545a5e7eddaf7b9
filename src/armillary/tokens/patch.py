"""Pixels to patches: cut them, or weigh them with a convolution kernel."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

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
    """One token per k x k patch. With `padding_px` > 0 the grid is shifted up and left by that much."""
    return conv2d(pixels, kernel, bias, stride=kernel.shape[-1], padding=padding_px)
