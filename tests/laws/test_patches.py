"""Laws 4 and 5: cutting into patches loses nothing; a kernel resized to its own size is itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import OutOfRange
from armillary.tokens.patch import patchify
from armillary.tokens.resize import resize_kernel, resize_matrix
from armillary.tokens.unpatch import unpatchify

SMALL = st.integers(1, 5)


@given(b=st.integers(1, 3), c=SMALL, rows=SMALL, columns=SMALL, p=st.integers(1, 6))
def test_unpatchify_undoes_patchify_for_any_rectangle(b: int, c: int, rows: int, columns: int, p: int) -> None:
    x = torch.arange(float(b * c * rows * columns * p * p)).reshape(b, c, rows * p, columns * p)
    assert torch.equal(unpatchify(patchify(x, p), p, rows=rows, columns=columns), x)


def test_the_first_patch_is_the_upper_left_square_band_by_band() -> None:
    x = torch.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)
    assert torch.equal(patchify(x, 2)[0, 0], x[0, :, :2, :2].flatten())
    assert torch.equal(patchify(x, 2)[0, 3], x[0, :, 2:, :2].flatten())


def test_pixels_that_no_patch_covers_are_refused() -> None:
    with pytest.raises(OutOfRange, match="multiples"):
        patchify(torch.zeros(1, 1, 5, 4), 2)


def test_a_grid_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OutOfRange, match="grid of 2 x 3"):
        unpatchify(torch.zeros(1, 5, 4), 2, rows=2, columns=3)


@pytest.mark.parametrize("k", [4, 8, 14, 16, 32])
def test_a_kernel_resized_to_its_own_size_is_itself(k: int) -> None:
    kernel = torch.randn(3, 2, k, k, generator=torch.Generator().manual_seed(k))
    assert torch.equal(resize_kernel(kernel, k), kernel)
    assert torch.allclose(resize_matrix(k, k), torch.eye(k))
