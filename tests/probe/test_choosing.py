import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from torch import tensor
from torchmetrics.classification import MulticlassJaccardIndex

from armillary.errors import BadInput, OutOfRange
from armillary.probe.answer import IGNORE, AnyOf, ClassMap, OneOf, Value, ValueMap
from armillary.probe.asked import Asked, Parts, Seen
from armillary.probe.choosing import best, inner_splits, refuse_unless, score, with_truth

RNG = np.random.default_rng(0)
N = 24


def _asked(val: int = 4, groups: np.ndarray | None = None) -> Asked:
    parts = Parts(np.arange(10), np.arange(10, 10 + val), np.arange(14, N), groups)
    truths = tuple(np.array(i % 3) for i in range(N))
    return Asked(OneOf(("a", "b", "c")), Seen(RNG.normal(size=(N, 2))), truths, parts)


def test_settings_are_tried_on_validation_items_where_there_are_some() -> None:
    (split,) = inner_splits(_asked(), 0)
    assert (split.train.tolist(), split.test.tolist()) == (list(range(10)), [10, 11, 12, 13])


def test_without_validation_items_each_training_item_judges_once_and_no_other_does() -> None:
    judges = np.concatenate([s.test for s in inner_splits(_asked(val=0), 0)])
    assert sorted(judges) == list(range(10))


def test_folds_cut_no_group() -> None:
    groups = np.arange(N) // 3
    for split in inner_splits(_asked(val=0, groups=groups), 0):
        assert not set(groups[split.train]) & set(groups[split.test])


def test_one_training_item_alone_chooses_nothing() -> None:
    parts = Parts(np.array([3]), np.array([], dtype=np.int64), np.array([5]))
    assert inner_splits(Asked(OneOf(("a",)), Seen(np.zeros((6, 1))), (np.array(0),) * 6, parts), 0) == ()


def test_mean_precision_is_that_of_scikit_learn_with_equal_shares_and_absent_classes() -> None:
    truth = RNG.random((40, 5)) < 0.4
    truth[:, 3] = False
    shares = RNG.integers(0, 6, size=(40, 5)) / 6
    expected = average_precision_score(truth[:, [0, 1, 2, 4]], shares[:, [0, 1, 2, 4]], average="macro")
    assert score(AnyOf(tuple("abcde")), shares, truth) == pytest.approx(expected)


def test_mean_iou_is_that_of_torchmetrics_over_all_items_at_once_whatever_their_sizes() -> None:
    truths = [RNG.integers(0, 3, size=(5, 4)), RNG.integers(0, 3, size=(3, 7))]
    truths[0][0, 0] = IGNORE
    shares = [RNG.random((3, *t.shape)) for t in truths]
    measure = MulticlassJaccardIndex(3, ignore_index=IGNORE)
    flat = np.concatenate([s.argmax(0).ravel() for s in shares]), np.concatenate([t.ravel() for t in truths])
    expected = float(measure(tensor(flat[0]), tensor(flat[1])))
    assert score(ClassMap(("a", "b", "c")), shares, truths) == pytest.approx(expected)


def test_an_unknown_value_does_not_count() -> None:
    truths = [np.array([[1.0, np.nan]]), np.array([[np.nan, np.nan]])]
    assert score(ValueMap("1"), [np.array([[3.0, 9.0]])] * 2, truths) == pytest.approx(-2.0)
    assert score(OneOf(("a", "b")), [np.array([0.9, 0.1])] * 2, [np.array(0), np.array(IGNORE)]) == 1.0


def test_the_first_of_equal_scores_is_best_and_nan_never_is() -> None:
    assert best([float("nan"), 1.0, 2.0, 2.0]) == 2
    assert best([float("nan"), float("nan")]) == 0


def test_items_without_a_truth_do_not_teach() -> None:
    parts = Parts(np.arange(3), np.array([], dtype=np.int64), np.array([3]))
    asked = Asked(
        Value("m"), Seen(np.zeros((4, 1))), tuple(np.array(v, dtype=np.float32) for v in (1, np.nan, 2, 0)), parts
    )
    assert with_truth(asked, parts.train).tolist() == [0, 2]
    with pytest.raises(OutOfRange, match="none of 1 items"):
        with_truth(asked, np.array([1]))


def test_a_dense_question_without_maps_is_refused() -> None:
    asked = Asked(
        ClassMap(("a",)),
        Seen(np.zeros((4, 1))),
        (np.zeros((2, 2), dtype=np.int64),) * 4,
        Parts(*map(np.array, ([0], [1], [2]))),
    )
    with pytest.raises(BadInput, match="no maps"):
        refuse_unless(True, "logistic", asked)
    with pytest.raises(BadInput, match="gives no such answers"):
        refuse_unless(False, "ridge", asked)
