import pytest
import torch
from torch.nn.functional import interpolate
from torch.testing import assert_close

from armillary.tokens.resize import enlarge_kernel, pseudo_inverse, resize_kernel, resize_matrix

SIZES = [4, 7, 8, 12, 14, 20, 24, 32, 48, 64]


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("k", SIZES)
def test_it_equals_the_published_pseudo_inverse_of_the_two_dimensional_resize(k: int) -> None:
    pulses = torch.eye(256).reshape(256, 1, 16, 16)
    matrix = interpolate(pulses, size=(k, k), mode="bicubic", antialias=True).reshape(256, k * k)
    w = _noise(3, 2, 16, 16)
    want = (torch.linalg.pinv(matrix.double()) @ w.double().reshape(6, 256).T).T.reshape(3, 2, k, k)
    assert_close(resize_kernel(w, k), want.float(), atol=3e-6, rtol=0)


@pytest.mark.parametrize(("k", "total"), [(4, 248.5), (8, 253.7), (12, 255.8), (14, 256.0), (32, 256.0), (64, 256.0)])
def test_a_constant_kernel_keeps_the_published_sum(k: int, total: float) -> None:
    assert float(resize_kernel(torch.ones(1, 1, 16, 16), k).sum()) == pytest.approx(total, abs=0.06)


@pytest.mark.parametrize("k", [20, 32, 64])
def test_an_enlarged_patch_answers_an_enlarged_kernel_as_before(k: int) -> None:
    w, patch = _noise(1, 1, 16, 16), torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    larger = interpolate(patch, size=(k, k), mode="bicubic", antialias=True)
    assert_close((resize_kernel(w, k) * larger).sum(), (w * patch).sum(), atol=1e-3, rtol=1e-4)


def test_each_column_of_the_resize_sums_to_one() -> None:
    for k in SIZES:
        assert_close(resize_matrix(16, k).sum(dim=0), torch.ones(k))


def test_the_pseudo_inverse_is_computed_once() -> None:
    assert pseudo_inverse(16, 8) is pseudo_inverse(16, 8)


@pytest.mark.parametrize("k", SIZES)
def test_an_enlarged_synthesis_kernel_keeps_the_amplitude_of_a_constant_one(k: int) -> None:
    assert_close(enlarge_kernel(torch.ones(2, 1, 16, 16), k), torch.ones(2, 1, k, k))


@pytest.mark.parametrize("k", [4, 8, 32, 64])
def test_the_rule_for_analysis_kernels_multiplies_amplitudes_by_the_ratio_of_areas(k: int) -> None:
    amplitude = float(resize_kernel(torch.ones(1, 1, 16, 16), k).mean())
    assert amplitude == pytest.approx((16 / k) ** 2, rel=0.035)


def test_an_enlarged_synthesis_kernel_is_an_enlarged_picture() -> None:
    w = _noise(3, 2, 16, 16)
    assert_close(
        enlarge_kernel(w, 40), interpolate(w, size=(40, 40), mode="bicubic", antialias=True), atol=1e-5, rtol=0
    )


def test_a_kernel_of_the_size_that_is_wanted_is_the_same_tensor() -> None:
    w = _noise(1, 1, 16, 16)
    assert enlarge_kernel(w, 16) is w
    assert resize_kernel(w, 16) is w
