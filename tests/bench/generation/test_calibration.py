"""Calibration of exact Gaussians, in closed form."""

import numpy as np
import pytest
from scipy.stats import norm

from armillary.bench.generation.calibration import calibration, fair_crps, total
from armillary.errors import BadInput

ONE = np.ones(1)


def drawn(spread, n=8, pixels=60_000, seed=0):
    """Samples and truth about a mean that both know; the samples' deviation is `spread`, the truth's 1."""
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal((1, 1, pixels)) * 3
    return middle + spread * rng.standard_normal((n, 1, 1, pixels)), middle + rng.standard_normal(middle.shape)


def measured(spread, n=8):
    return calibration(*drawn(spread, n), ONE, np.random.default_rng(1))


@pytest.mark.parametrize("n", [2, 8])
def test_the_exact_law_is_calibrated_for_any_number_of_samples(n):
    found = measured(1.0, n)
    assert found.dispersion == pytest.approx(1, abs=0.02)
    assert found.unevenness < 1e-3
    assert sum(found.ranks) == found.count == 60_000


def test_dispersion_is_that_of_the_closed_form():
    n, spread = 8, 0.5
    expected = np.sqrt(spread**2 * (1 + 1 / n) / (1 + spread**2 / n))
    assert measured(spread, n).dispersion == pytest.approx(expected, abs=0.01)


def test_samples_that_are_too_sure_leave_the_truth_outside():
    sure, wide = measured(0.3).ranks, measured(3.0).ranks
    assert min(sure[0], sure[-1]) > 2 * sure[4]
    assert wide[4] > 2 * wide[0]


def test_crps_is_that_of_a_gaussian_and_owes_nothing_to_the_number_of_samples():
    y = 0.7
    exact = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
    rng = np.random.default_rng(2)
    for n in (2, 5):
        x = rng.standard_normal((n, 400_000))
        assert fair_crps(x, np.full(400_000, y)).mean() == pytest.approx(exact, abs=0.005)


def test_crps_is_that_of_all_pairs():
    x, y = np.random.default_rng(3).standard_normal((5, 7)), np.zeros(7)
    pairs = np.abs(x[:, None] - x[None]).sum(axis=(0, 1)) / (2 * 5 * 4)
    np.testing.assert_allclose(fair_crps(x, y), np.abs(x).mean(axis=0) - pairs)


def test_ties_are_broken_evenly():
    x, y = np.zeros((4, 1, 1, 50_000)), np.zeros((1, 1, 50_000))
    assert calibration(x, y, ONE, np.random.default_rng(0)).unevenness < 1e-3


def test_unknown_pixels_count_nowhere_and_sums_add_up():
    x, y = drawn(1.0, pixels=100)
    holed = y.copy()
    holed[..., 50:] = np.nan
    rng = np.random.default_rng
    half = calibration(x, holed, ONE, rng(0))
    assert half.count == 50
    other = calibration(x[..., 50:], y[..., 50:], ONE, rng(0))
    both = total((half, other))
    whole = calibration(x, y, ONE, rng(0))
    assert both.ranks == whole.ranks
    assert both.mean_crps == pytest.approx(whole.mean_crps)
    assert both.dispersion == pytest.approx(whole.dispersion)


def test_a_span_scales_what_is_pooled_and_not_the_score():
    x, y = drawn(1.0, pixels=100)
    a, b = (calibration(x, y, s * ONE, np.random.default_rng(0)) for s in (1, 10))
    assert b.variance == pytest.approx(a.variance / 100)
    assert (b.dispersion, b.crps) == pytest.approx((a.dispersion, a.crps))


def test_one_sample_says_nothing_of_a_spread():
    x, y = drawn(1.0, n=1, pixels=10)
    with pytest.raises(BadInput, match="two samples"):
        calibration(x, y, ONE, np.random.default_rng(0))
