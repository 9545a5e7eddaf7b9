from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench.scores.answered import ANSWERS, NAMES, answered

from armillary.bench.scores.measures import measures
from armillary.bench.scores.sums import Sums, tally, total, zero
from armillary.errors import BadInput, OutOfRange
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap

every_answer = pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: type(a).__name__)


@every_answer
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 32), max_size=4))
@settings(max_examples=15, deadline=None)
def test_any_split_and_any_order_have_the_same_scores_to_the_last_bit(
    answer: Answer, seed: int, cuts: list[int]
) -> None:
    per_item = answered(answer).per_item
    shuffled = [per_item[i] for i in np.random.default_rng(seed).permutation(len(per_item))]
    ends = [0, *sorted(cuts), len(shuffled)]
    parts = [total(shuffled[a:b]) for a, b in pairwise(ends)]
    assert measures(answer, total(parts)) == measures(answer, total(per_item))


@every_answer
@pytest.mark.parametrize("batch", [1, 4, 16])
def test_the_size_of_batches_does_not_matter(answer: Answer, batch: int) -> None:
    per_item = answered(answer, items=30).per_item
    batches = [total(per_item[at : at + batch]) for at in range(0, 30, batch)]
    assert measures(answer, total(batches)) == measures(answer, total(per_item))


@every_answer
def test_nothing_is_the_neutral_element(answer: Answer) -> None:
    some = total(answered(answer).per_item)
    for same in (some + Sums(), Sums() + some, some + zero(answer), zero(answer) + some):
        assert measures(answer, same) == measures(answer, some)


@every_answer
def test_addition_leaves_both_sides_alone(answer: Answer) -> None:
    one, two = answered(answer, items=2).per_item
    before = measures(answer, one)
    _ = one + two
    _ = total([one, two])
    np.testing.assert_equal(measures(answer, one), before)


def test_a_confusion_has_truths_in_rows() -> None:
    sums = tally(OneOf(("dry", "wet")), np.array([0.3, 0.7]), np.array(0))
    np.testing.assert_array_equal(sums.counts["confusion"], [[0, 1], [0, 0]])


def test_of_two_equal_probabilities_the_first_class_is_answered() -> None:
    sums = tally(OneOf(("dry", "wet")), np.array([0.5, 0.5]), np.array(1))
    np.testing.assert_array_equal(sums.counts["confusion"], [[0, 0], [1, 0]])


def test_pixels_of_unknown_class_count_nowhere_whatever_is_predicted_there() -> None:
    p, y = np.full((2, 2, 2), 0.5), np.array([[0, IGNORE], [IGNORE, 1]])
    p[:, y == IGNORE] = np.nan
    assert int(tally(ClassMap(("dry", "wet")), p, y).counts["confusion"].sum()) == 2


def test_unknown_values_count_nowhere_whatever_is_predicted_there() -> None:
    sums = tally(ValueMap("m"), np.array([[1.0, np.nan]]), np.array([[2.0, np.nan]]))
    assert int(sums.counts["known"]) == 1


def test_an_item_of_unknown_class_counts_nowhere() -> None:
    assert int(tally(OneOf(NAMES), np.full(5, 0.2), np.array(IGNORE)).counts["confusion"].sum()) == 0


def test_labels_in_small_unsigned_integers_are_read_right() -> None:
    truth = np.array([[0, 4], [4, 4]], dtype=np.uint8)
    sums = tally(ClassMap(NAMES), np.moveaxis(np.eye(5)[truth], -1, 0), truth)
    np.testing.assert_array_equal(np.diag(sums.counts["confusion"]), [1, 0, 0, 0, 3])


@pytest.mark.parametrize(
    ("answer", "prediction", "truth", "words"),
    [
        (OneOf(NAMES), np.full(5, np.nan), np.array(0), "probabilities"),
        (OneOf(NAMES), np.arange(5.0), np.array(0), "0 to 4 were given; give probabilities"),
        (AnyOf(NAMES), np.full(5, -3.0), np.zeros(5, dtype=bool), "probabilities"),
        (OneOf(NAMES), np.full(4, 0.25), np.array(0), r"of 5 classes .* \[4\]"),
        (OneOf(NAMES), np.full(5, 0.2), np.array(5), "classes 5 to 5 were found where 0 to 4"),
        (ClassMap(NAMES), np.full((5, 1, 1), 0.2), np.array([[255]]), "what is not asked to -100"),
        (ClassMap(NAMES), np.full((5, 2, 2), 0.2), np.zeros((3, 3), dtype=int), "on the truth's own grid"),
        (Value("m"), np.array(np.nan), np.array(1.0), "1 of 1 predictions are no finite numbers"),
        (ValueMap("m"), np.zeros((2, 2)), np.zeros((3, 3)), "on the truth's own grid"),
    ],
)
def test_what_is_no_answer_is_refused(answer: Answer, prediction: np.ndarray, truth: np.ndarray, words: str) -> None:
    with pytest.raises(OutOfRange, match=words):
        tally(answer, prediction, truth)


def test_sums_of_different_answers_do_not_add_up() -> None:
    with pytest.raises(BadInput, match="one answer only"):
        total([zero(OneOf(("a", "b"))), zero(OneOf(("a", "b", "c")))])
    with pytest.raises(BadInput, match="one answer only"):
        measures(Value("m"), zero(AnyOf(NAMES)))
