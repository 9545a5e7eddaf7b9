"""FlexiViT's pseudo-inverse resize of a patch kernel (arXiv:2212.08013, eq. 4).

A kernel `w` for 16 px becomes the kernel for k px that answers an enlarged patch as `w` answers the patch itself.
With r the 16 x k matrix of a 1-D bicubic, antialiased resize, the 2-D matrix is r (x) r, and so is its pseudo-inverse:
w' = p w p^T with p = pinv(r). Two small products in place of one of 256 x k^2.
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate


def resize_matrix(old_px: int, new_px: int) -> Float[Tensor, "old_px new_px"]:
    """The 1-D resize as a matrix: row i is the resized unit pulse at i, float32.

    Along the width: with PyTorch 2.13 on CPU the same call along the height returns wrong values.
    """
    pulses = torch.eye(old_px, dtype=torch.float32).reshape(old_px, 1, 1, old_px)
    return interpolate(pulses, size=(1, new_px), mode="bicubic", antialias=True).reshape(old_px, new_px)


@lru_cache(maxsize=64)
def _pseudo_inverse(old_px: int, new_px: int) -> Tensor:
    with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"):
        inverse: Tensor = torch.linalg.pinv(resize_matrix(old_px, new_px).double())
        return inverse.float()


@lru_cache(maxsize=64)
def _resize_matrix(old_px: int, new_px: int) -> Tensor:
    with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"):
        return resize_matrix(old_px, new_px)


def pseudo_inverse(old_px: int, new_px: int) -> Float[Tensor, "new_px old_px"]:
    """The pseudo-inverse of `resize_matrix`, computed once per pair of sizes, on the CPU; do not write to it."""
    return _pseudo_inverse(old_px, new_px)


def resize_kernel(kernel: Float[Tensor, "d c k k"], patch_px: int) -> Float[Tensor, "d c {patch_px} {patch_px}"]:
    """The kernel for patches of `patch_px`; the same size gives back the same tensor."""
    old_px = kernel.shape[-1]
    if patch_px == old_px:
        return kernel
    p = pseudo_inverse(old_px, patch_px).to(kernel.device, kernel.dtype)
    return p @ kernel @ p.T


def enlarge_kernel(kernel: Float[Tensor, "d c k k"], patch_px: int) -> Float[Tensor, "d c {patch_px} {patch_px}"]:
    """A synthesis kernel for patches of `patch_px`: resized as a picture is, so that amplitudes stay what they are."""
    old_px = kernel.shape[-1]
    if patch_px == old_px:
        return kernel
    r = _resize_matrix(old_px, patch_px).to(kernel.device, kernel.dtype)
    return r.T @ kernel @ r
