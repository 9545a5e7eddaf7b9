from dataclasses import replace

import numpy as np
import pytest

from armillary.errors import BadInput
from armillary.probe.asked import Asked, Parts
from armillary.probe.choosing import score
from armillary.probe.dense import DenseProbe
from probe.questions import class_map, one_of, value_map

CONV = DenseProbe("conv", width=8, rates=(1e-2,), epochs=12, batch=4)
UPERNET = DenseProbe("upernet", width=8, rates=(1e-2,), epochs=8, batch=4)


def _score(probe: DenseProbe, asked: Asked) -> float:
    told = probe.learn(asked, 0).predict(asked.parts.test)
    return score(asked.answer, told, [asked.truths[i] for i in asked.parts.test])


@pytest.mark.parametrize("probe", [CONV, UPERNET], ids=["conv", "upernet"])
def test_classes_of_pixels_are_learned(probe: DenseProbe) -> None:
    assert _score(probe, class_map()) > 0.5


def test_values_of_pixels_are_learned() -> None:
    asked = value_map(n=48)
    spread = float(np.concatenate([t.ravel() for t in asked.truths]).std())
    assert _score(replace(CONV, rates=(3e-2,), epochs=20), asked) > -0.6 * spread


def test_the_rate_is_chosen_on_validation_items() -> None:
    chosen = replace(CONV, rates=(1e-6, 1e-2), epochs=4).learn(class_map(), 0).choices
    assert chosen["lr"] == 1e-2
    assert 1 <= chosen["epoch"] <= 4


def test_the_same_seed_gives_the_same_answers() -> None:
    asked, short = class_map(n=8), replace(CONV, epochs=2)
    one, same = (list(short.learn(asked, 3).predict(asked.parts.test)) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_truths_of_different_sizes_and_a_single_training_item_are_taken() -> None:
    asked = class_map(n=8)
    truths = [t[: 12 - i % 2, : 12 - i % 3] for i, t in enumerate(asked.truths)]
    alone = replace(asked, truths=truths, parts=Parts(np.array([0]), np.array([], dtype=np.int64), np.arange(1, 8)))
    told = list(replace(UPERNET, epochs=2).learn(alone, 0).predict(alone.parts.test))
    assert [t.shape[1:] for t in told] == [truths[i].shape for i in alone.parts.test]


def test_one_answer_per_item_is_refused() -> None:
    with pytest.raises(BadInput, match="gives no such answers"):
        CONV.learn(one_of(8), 0)
