import numpy as np

from armillary.probe.splits import Split
from armillary.probe.trials import Trials, run

Y = np.array([0, 1, 0, 1])
LEFT, RIGHT = np.array([0, 1]), np.array([2, 3])


def test_an_item_that_was_not_asked_counts_neither_way() -> None:
    found = run(lambda split: Y[split.test], Y, [(Split(LEFT, RIGHT),)])
    assert np.isnan(found.right[0, :2]).all()
    assert found.accuracy.tolist() == [1.0]


def test_folds_of_one_draw_fill_one_row() -> None:
    found = run(lambda split: 1 - Y[split.test], Y, [(Split(LEFT, RIGHT), Split(RIGHT, LEFT))])
    assert found.right.tolist() == [[0.0, 0.0, 0.0, 0.0]]


def test_the_mean_of_the_asked_has_no_skill_and_the_truth_has_all() -> None:
    y = np.array([1.0, 2.0, 3.0])
    found = Trials(np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0], [1.0, np.nan, 3.0]]), y)
    assert found.skill.tolist() == [0.0, 1.0, 1.0]
    assert found.error[0].tolist() == [1.0, 0.0, 1.0]
