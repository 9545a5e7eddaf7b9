from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from armillary.errors import BadInput
from armillary.probe.answer import ClassMap
from armillary.probe.asked import Asked, Parts, Seen
from armillary.probe.choosing import score
from armillary.probe.neighbours import Neighbours
from probe.questions import any_of, one_of, value


def _split(asked: Asked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, p = asked.seen.vectors.astype(np.float64), asked.parts
    scale = StandardScaler().fit(x[p.train])
    y = np.array([asked.truths[i] for i in p.train])
    return scale.transform(x[p.train]), y, scale.transform(x[p.test])


def _predicted(asked: Asked, k: int) -> np.ndarray:
    return np.stack(list(Neighbours((k,)).learn(asked, 0).predict(asked.parts.test)))


def test_shares_of_classes_are_those_of_scikit_learn() -> None:
    asked = one_of()
    x, y, queries = _split(asked)
    expected = KNeighborsClassifier(5, metric="cosine").fit(x, y).predict_proba(queries)
    np.testing.assert_allclose(_predicted(asked, 5), expected, atol=1e-5)


def test_shares_of_several_classes_are_those_of_scikit_learn() -> None:
    asked = any_of()
    x, y, queries = _split(asked)
    each = KNeighborsClassifier(5, metric="cosine").fit(x, y).predict_proba(queries)
    np.testing.assert_allclose(_predicted(asked, 5), np.stack([p[:, 1] for p in each], axis=1), atol=1e-5)


def test_values_are_those_of_scikit_learn() -> None:
    asked = value()
    x, y, queries = _split(asked)
    expected = KNeighborsRegressor(5, metric="cosine").fit(x, y).predict(queries)
    np.testing.assert_allclose(_predicted(asked, 5), expected, rtol=1e-4)


def test_the_number_of_neighbours_is_the_best_on_validation_items() -> None:
    asked, counts = one_of(n=120), (1, 5, 20)
    truths = [asked.truths[i] for i in asked.parts.val]
    found = [score(asked.answer, Neighbours((k,)).learn(asked, 0).predict(asked.parts.val), truths) for k in counts]
    assert Neighbours(counts).learn(asked, 0).choices["k"] == counts[int(np.argmax(found))]


def test_no_more_neighbours_are_asked_than_there_are_items() -> None:
    asked = one_of(n=8)
    assert Neighbours().learn(asked, 0).choices["k"] <= 4


def test_one_training_item_answers_for_all() -> None:
    asked = one_of(n=8)
    alone = replace(asked, parts=Parts(np.array([0]), np.array([], dtype=np.int64), np.arange(1, 8)))
    told = list(Neighbours().learn(alone, 0).predict(alone.parts.test))
    assert [int(p.argmax()) for p in told] == [int(alone.truths[0])] * 7


def test_a_map_is_refused() -> None:
    asked = Asked(ClassMap(("a",)), Seen(np.zeros((3, 1))), (np.zeros((2, 2), dtype=np.int64),) * 3, one_of(8).parts)
    with pytest.raises(BadInput, match="gives no such answers"):
        Neighbours().learn(asked, 0)
