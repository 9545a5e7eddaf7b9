import pytest
import torch
from torch.nn.functional import conv2d
from torch.testing import assert_close

from armillary.tokens.patch import embed_patches


@pytest.mark.parametrize("padding_px", [0, 1, 2])
@pytest.mark.parametrize("patch_px", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("shape", [(32, 32), (17, 40), (33, 16)])
def test_the_product_is_the_convolution(shape: tuple[int, int], patch_px: int, padding_px: int) -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *shape, generator=rng)
    kernel = torch.randn(8, 3, patch_px, patch_px, generator=rng) / patch_px
    bias = torch.randn(8, generator=rng)
    want = conv2d(x, kernel, bias, stride=patch_px, padding=padding_px)
    assert_close(embed_patches(x, kernel, bias, padding_px=padding_px), want, atol=2e-5, rtol=0)
