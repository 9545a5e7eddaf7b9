"""Likeness against closed forms and torchmetrics, with holes."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from armillary.bench.generation.likeness import agreement, overlap, psnr, spectral_angle, ssim

RNG = np.random.default_rng(0)
TRUTH = RNG.random((3, 40, 32))
TOLD = 0.7 * TRUTH + 0.3 * RNG.random(TRUTH.shape)
SPANS = np.array([1.0, 1.0, 1.0])


def test_ssim_is_that_of_torchmetrics():
    x, y = (torch.from_numpy(v)[None] for v in (TOLD, TRUTH))
    _, everywhere = structural_similarity_index_measure(x, y, data_range=1.0, return_full_image=True)
    inner = everywhere[..., 5:-5, 5:-5]  # theirs pads, ours looks at whole windows alone
    assert ssim(TOLD, TRUTH, SPANS) == pytest.approx(float(inner.mean()), abs=1e-6)
    assert ssim(TRUTH, TRUTH, SPANS) == pytest.approx(1)


def test_a_hole_changes_nothing_but_the_windows_that_see_it():
    holed = TRUTH.copy()
    holed[:, :, 16:] = np.nan
    assert ssim(TOLD, holed, SPANS) == pytest.approx(ssim(TOLD[:, :, :16], TRUTH[:, :, :16], SPANS))
    assert psnr(TOLD, holed, SPANS) == pytest.approx(psnr(TOLD[:, :, :16], TRUTH[:, :, :16], SPANS))
    assert np.isnan(ssim(TOLD, np.full_like(TRUTH, np.nan), SPANS))


def test_twice_the_span_is_six_decibels_more():
    once, twice = psnr(TOLD, TRUTH, SPANS), psnr(TOLD, TRUTH, 2 * SPANS)
    assert twice - once == pytest.approx(20 * np.log10(2))


def test_a_picture_smaller_than_the_window_has_no_ssim():
    assert np.isnan(ssim(TOLD[:, :10, :10], TRUTH[:, :10, :10], SPANS))


def test_the_spectral_angle_is_blind_to_brightness():
    assert spectral_angle(3 * TRUTH, TRUTH) == pytest.approx(0, abs=1e-5)
    x, y = np.zeros((3, 2, 2)), np.zeros((3, 2, 2))
    x[0], y[:2] = 1, 1
    assert spectral_angle(x, y) == pytest.approx(45)
    assert np.isnan(spectral_angle(TOLD[:2], TRUTH[:2]))


def test_agreement_and_overlap_count_pixels_that_are_known():
    truth = np.array([[[1.0, 1.0, 2.0, np.nan]]])
    told = np.array([[[1.0, 2.0, 2.0, 7.0]]])
    assert agreement(told, truth) == pytest.approx(2 / 3)
    assert overlap(told, truth, (1, 2, 3)) == pytest.approx((1 / 2 + 1 / 2) / 2)
