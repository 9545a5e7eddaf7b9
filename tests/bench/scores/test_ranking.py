import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from armillary.bench.scores.ranking import all_labels, average_precision, each_label

RNG = np.random.default_rng(0)
SCORES = np.round(RNG.random((60, 4)), 1)
TRUTHS = RNG.random((60, 4)) < SCORES
ONE, EACH = np.ones((1, 60)), np.arange(60)


def test_average_precision_is_that_of_scikit_learn_with_equal_scores_too() -> None:
    found = each_label(SCORES, TRUTHS, ONE, EACH)[0]
    np.testing.assert_allclose(found, average_precision_score(TRUTHS, SCORES, average=None), rtol=1e-12)


def test_micro_average_precision_is_that_of_scikit_learn() -> None:
    found = all_labels(SCORES, TRUTHS, ONE, EACH)
    np.testing.assert_allclose(found, average_precision_score(TRUTHS, SCORES, average="micro"), rtol=1e-12)


def test_a_perfect_order_scores_one_and_a_constant_score_the_share_of_what_is_there() -> None:
    truths = np.array([True, True, False, False, False])
    scores = np.stack([[0.9, 0.8, 0.3, 0.2, 0.1], np.full(5, 0.5)], axis=1)
    found = each_label(scores, np.stack([truths, truths], axis=1), np.ones((1, 5)), np.arange(5))
    np.testing.assert_array_equal(found, [[1.0, 0.4]])


def test_a_weight_is_how_often_an_item_is_there() -> None:
    times = RNG.integers(0, 4, 60)
    found = average_precision(SCORES[:, 0], TRUTHS[:, 0], times[None].astype(float), EACH)
    again = np.repeat(EACH, times)
    repeated = average_precision(SCORES[again, 0], TRUTHS[again, 0], np.ones((1, 1)), np.zeros(len(again), dtype=int))
    np.testing.assert_allclose(found, repeated, rtol=1e-12)


def test_the_order_of_items_changes_no_bit() -> None:
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        found = all_labels(SCORES[order], TRUTHS[order], ONE, EACH)
        np.testing.assert_array_equal(found, all_labels(SCORES, TRUTHS, ONE, EACH))


@pytest.mark.parametrize("items", [0, 3])
def test_a_label_that_is_nowhere_has_no_average_precision(items: int) -> None:
    nothing = np.zeros(items, dtype=bool)
    found = average_precision(np.linspace(0, 1, items), nothing, np.ones((2, 1)), np.zeros(items, dtype=int))
    np.testing.assert_array_equal(found, [np.nan, np.nan])


def test_weightings_that_do_not_fit_at_once_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = RNG.integers(0, 3, (7, 60)).astype(float)
    whole = each_label(SCORES, TRUTHS, weights, EACH)
    monkeypatch.setattr("armillary.bench.scores.ranking.ROOM", 130)
    np.testing.assert_array_equal(each_label(SCORES, TRUTHS, weights, EACH), whole)
