"""Fidelity: level and pattern are told apart, and what is unknown counts nowhere."""

import numpy as np
import pytest

from armillary.bench.generation.fidelity import Fidelity, fidelity, mean_fidelity
from armillary.errors import BadInput

TRUTH = np.random.default_rng(0).standard_normal((3, 16, 16)).astype(np.float32)


def test_the_truth_itself_has_no_error():
    found = fidelity(TRUTH, TRUTH)
    assert (found.mae, found.rmse, found.level) == (0, 0, 0)
    assert found.correlation == pytest.approx(1)


def test_a_wrong_level_leaves_the_correlation_and_a_wrong_sign_turns_it():
    shifted = fidelity(3 * TRUTH + 5, TRUTH)
    assert shifted.correlation == pytest.approx(1)
    assert fidelity(-TRUTH, TRUTH).correlation == pytest.approx(-1)
    assert shifted.level == pytest.approx(np.abs(2 * TRUTH.mean((1, 2)) + 5).mean(), rel=1e-5)


def test_a_flat_answer_correlates_with_nothing_and_a_flat_truth_is_not_measured():
    flat = np.full_like(TRUTH, 0.3)
    assert fidelity(flat, TRUTH).correlation == 0
    assert np.isnan(fidelity(TRUTH, flat).correlation)
    assert np.isfinite(fidelity(TRUTH, flat).mae)


def test_unknown_pixels_count_nowhere():
    told, truth = TRUTH + 1, TRUTH.copy()
    told[0, 0, 0], truth[1, 2:5] = np.nan, np.nan
    assert fidelity(told, truth).mae == pytest.approx(1)
    truth[2] = np.nan
    assert fidelity(told, truth).mae == pytest.approx(1)
    assert all(np.isnan(v) for v in vars(fidelity(told, np.full_like(truth, np.nan))).values())


def test_the_mean_leaves_out_what_has_no_number():
    items = [Fidelity(1, 2, 3, float("nan")), Fidelity(3, 4, 5, 0.5)]
    assert mean_fidelity(items) == Fidelity(2, 3, 4, 0.5)


def test_two_grids_are_refused():
    with pytest.raises(BadInput, match="give both on one grid"):
        fidelity(TRUTH, TRUTH[:, :8])


def test_a_single_number_has_an_error_and_no_correlation():
    found = fidelity(np.full((1, 1, 1), 7.0), np.full((1, 1, 1), 4.0))
    assert (found.mae, found.level) == (3, 3)
    assert np.isnan(found.correlation)
