from dataclasses import replace

import numpy as np
import pytest

from armillary.errors import BadInput
from armillary.probe.answer import ValueMap
from armillary.probe.asked import Asked, Learned, Parts, Seen
from armillary.probe.choosing import score
from armillary.probe.linear_head import LinearProbe
from probe.questions import any_of, one_of, value

SHORT = LinearProbe(rates=(0.003, 0.1, 1.0), epochs=8, batch=16)


def _score(learned: Learned, asked: Asked, items: np.ndarray) -> float:
    return score(asked.answer, learned.predict(items), [asked.truths[i] for i in items])


@pytest.mark.parametrize(("asked", "least"), [(one_of(120), 0.7), (any_of(120), 0.8), (value(120), -2.5)])
def test_every_answer_for_items_is_learned(asked: Asked, least: float) -> None:
    assert _score(SHORT.learn(asked, 0), asked, asked.parts.test) > least


def test_the_rate_is_the_best_of_those_tried_alone() -> None:
    asked = one_of()
    alone = [_score(replace(SHORT, rates=(r,)).learn(asked, 0), asked, asked.parts.val) for r in SHORT.rates]
    chosen = SHORT.learn(asked, 0)
    assert _score(chosen, asked, asked.parts.val) == max(alone)
    assert alone[SHORT.rates.index(chosen.choices["lr"])] == max(alone)


def test_without_validation_items_all_training_items_teach_to_the_last_epoch() -> None:
    asked = one_of()
    p = asked.parts
    without = replace(asked, parts=Parts(p.train, np.array([], dtype=np.int64), p.test))
    learned = SHORT.learn(without, 0)
    assert learned.choices["epoch"] == SHORT.epochs
    assert _score(learned, asked, p.test) > 0.6


def test_the_truth_of_items_that_are_asked_changes_nothing() -> None:
    asked = one_of()
    hidden = tuple(np.array(0) if i in asked.parts.test else t for i, t in enumerate(asked.truths))
    one, other = (SHORT.learn(a, 3).predict(asked.parts.test) for a in (asked, replace(asked, truths=hidden)))
    np.testing.assert_array_equal(list(one), list(other))


def test_a_missing_feature_spoils_nothing() -> None:
    asked = one_of()
    x = asked.seen.vectors.copy()
    x[:3, 1] = np.nan
    holed = replace(asked, seen=Seen(x))
    assert _score(SHORT.learn(holed, 0), holed, asked.parts.test) > 0.6


def test_one_training_item_alone_is_learned() -> None:
    asked = one_of(8)
    alone = replace(asked, parts=Parts(np.array([0]), np.array([], dtype=np.int64), np.arange(1, 8)))
    assert int(next(iter(SHORT.learn(alone, 0).predict(np.array([0])))).argmax()) == int(asked.truths[0])


def test_maps_are_refused() -> None:
    with pytest.raises(BadInput, match="gives no such answers"):
        SHORT.learn(replace(value(8), answer=ValueMap("m")), 0)
