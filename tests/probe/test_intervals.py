import numpy as np
import pytest
from scipy.stats import ttest_rel

from armillary.errors import OutOfRange
from armillary.probe.intervals import mean_interval, over_draws, over_items

RNG = np.random.default_rng(0)


def test_the_interval_over_draws_is_that_of_the_paired_t_test() -> None:
    a, b = RNG.normal(0.8, 0.05, 20), RNG.normal(0.7, 0.05, 20)
    found, expected = over_draws(a, b), ttest_rel(a, b).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high])


def test_two_numbers_have_the_interval_of_one_degree_of_freedom() -> None:
    found = mean_interval(np.array([0.0, 2.0]))
    np.testing.assert_allclose([found.mean, found.high], [1.0, 1.0 + np.tan(0.475 * np.pi)])  # t of one degree: Cauchy


def test_what_is_common_to_both_cancels() -> None:
    common = RNG.normal(size=20)
    found = over_draws(common + 0.1, common)
    np.testing.assert_allclose([found.low, found.high], [0.1, 0.1])


def test_the_bootstrap_over_items_has_the_width_of_the_central_limit() -> None:
    a, b = RNG.normal(0.2, 1.0, (1, 400)), np.zeros((1, 400))
    found = over_items(a, b, np.random.default_rng(1))
    assert found.mean == pytest.approx(a.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * a.std() / 20, rel=0.1)


def test_repeating_the_same_answers_makes_no_interval_narrower() -> None:
    a = RNG.normal(0.2, 1.0, (1, 100))
    once = over_items(a, np.zeros((1, 100)), np.random.default_rng(1))
    often = over_items(np.repeat(a, 50, axis=0), np.zeros((50, 100)), np.random.default_rng(1))
    np.testing.assert_allclose([once.low, once.high], [often.low, often.high])


def test_items_of_one_group_count_as_one() -> None:
    per_group = RNG.normal(size=30)
    copies = np.repeat(per_group, 10)[None]
    wide = over_items(copies, np.zeros((1, 300)), np.random.default_rng(1), groups=np.arange(300) // 10)
    alone = over_items(per_group[None], np.zeros((1, 30)), np.random.default_rng(1))
    np.testing.assert_allclose([wide.low, wide.high], [alone.low, alone.high])


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = [
        found.low <= 0.3 <= found.high
        for k in range(200)
        for found in [mean_interval(np.random.default_rng(k).normal(0.3, 1.0, 10))]
    ]
    assert 0.9 <= np.mean(held) <= 0.99


def test_trials_that_were_asked_different_items_are_refused() -> None:
    a, b = np.array([[1.0, np.nan]]), np.array([[1.0, 0.0]])
    with pytest.raises(OutOfRange, match="the same items"):
        over_items(a, b, np.random.default_rng(0))
