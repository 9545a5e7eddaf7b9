from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from armillary.errors import BadInput
from armillary.probe.answer import IGNORE, OneOf
from armillary.probe.asked import Asked, Parts, Seen
from armillary.probe.choosing import score
from armillary.probe.regressions import LogisticProbe, RidgeProbe
from probe.questions import any_of, class_map, one_of, value, value_map


def _split(asked: Asked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, p = asked.seen.vectors.astype(np.float64), asked.parts
    scale = StandardScaler().fit(x[p.train])
    return scale.transform(x[p.train]), np.array([asked.truths[i] for i in p.train]), scale.transform(x[p.test])


def _tested(probe: LogisticProbe | RidgeProbe, asked: Asked) -> list[np.ndarray]:
    return list(probe.learn(asked, 0).predict(asked.parts.test))


def _score(probe: LogisticProbe | RidgeProbe, asked: Asked) -> float:
    return score(asked.answer, _tested(probe, asked), [asked.truths[i] for i in asked.parts.test])


def test_probabilities_of_one_class_are_those_of_scikit_learn() -> None:
    asked = one_of()
    x, y, queries = _split(asked)
    expected = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(x, y).predict_proba(queries)
    np.testing.assert_allclose(_tested(LogisticProbe((0.1,)), asked), expected, atol=5e-3)


def test_probabilities_of_several_classes_are_those_of_scikit_learn() -> None:
    asked = any_of()
    x, y, queries = _split(asked)
    each = [LogisticRegression(C=0.1, tol=1e-8).fit(x, y[:, j]).predict_proba(queries)[:, 1] for j in range(3)]
    np.testing.assert_allclose(_tested(LogisticProbe((0.1,)), asked), np.stack(each, axis=1), atol=5e-3)


def test_values_are_those_of_scikit_learn() -> None:
    asked = value()
    x, y, queries = _split(asked)
    np.testing.assert_allclose(_tested(RidgeProbe((10.0,)), asked), Ridge(10.0).fit(x, y).predict(queries), rtol=1e-5)


def test_a_penalty_is_chosen_that_tells_signal_from_noise() -> None:
    noisy = one_of(n=120, width=100)
    assert _score(LogisticProbe(), noisy) >= _score(LogisticProbe((10.0,)), noisy)
    assert _score(RidgeProbe(), value()) > -0.6


def test_a_class_without_a_training_item_gets_no_probability() -> None:
    asked = one_of()
    wider = replace(asked, answer=OneOf(("a", "b", "c", "never")))
    told = np.stack(_tested(LogisticProbe(), wider))
    assert told.shape[1] == 4
    assert told[:, 3].max() == 0.0


def test_without_validation_items_settings_are_chosen_by_folds() -> None:
    asked = one_of()
    p = asked.parts
    without = replace(asked, parts=Parts(p.train, np.array([], dtype=np.int64), p.test))
    assert _score(LogisticProbe(), without) > 0.6


def test_the_truth_of_items_that_are_asked_changes_nothing() -> None:
    asked = one_of()
    hidden = tuple(np.array(0) if i in asked.parts.test else t for i, t in enumerate(asked.truths))
    np.testing.assert_array_equal(
        _tested(LogisticProbe(), asked), _tested(LogisticProbe(), replace(asked, truths=hidden))
    )


def test_classes_of_pixels_are_told_on_the_grid_of_the_truth() -> None:
    asked = class_map()
    told = _tested(LogisticProbe(), asked)
    assert told[0].shape == (3, 12, 12)
    np.testing.assert_allclose(told[0].sum(axis=0), 1.0, atol=1e-5)
    assert _score(LogisticProbe(), asked) > 0.7


def test_a_map_that_is_as_fine_as_the_truth_is_the_regression_of_pixels() -> None:
    asked = value_map(grid=5, zoom=1)
    p = asked.parts

    def pixels(items: np.ndarray) -> np.ndarray:
        maps = np.concatenate([m[items] for m in asked.seen.maps], axis=1).astype(np.float64)
        return np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])

    scale = StandardScaler().fit(pixels(p.train))
    y = np.concatenate([asked.truths[i].ravel() for i in p.train])
    expected = Ridge(1.0).fit(scale.transform(pixels(p.train)), y).predict(scale.transform(pixels(p.test)))
    np.testing.assert_allclose(
        np.concatenate([t.ravel() for t in _tested(RidgeProbe((1.0,)), asked)]), expected, rtol=1e-4
    )


def test_truths_of_different_sizes_are_answered_in_their_own() -> None:
    asked = class_map()
    cropped = list(asked.truths)
    last = int(asked.parts.test[-1])
    cropped[last] = cropped[last][:11, :10]
    assert _tested(LogisticProbe(), replace(asked, truths=cropped))[-1].shape == (3, 11, 10)


def test_unknown_pixels_do_not_teach() -> None:
    asked = class_map()
    holed = [t.copy() for t in asked.truths]
    for t in holed:
        t[:, :6] = IGNORE
    assert _score(LogisticProbe(), replace(asked, truths=holed)) > 0.7


def test_an_unknown_value_of_one_item_leaves_the_rest() -> None:
    asked = value()
    truths = list(asked.truths)
    truths[int(asked.parts.train[0])] = np.array(np.nan, dtype=np.float32)
    assert _score(RidgeProbe(), replace(asked, truths=truths)) > -0.6


def test_answers_that_are_not_served_are_refused() -> None:
    with pytest.raises(BadInput, match="Value"):
        LogisticProbe().learn(value(), 0)
    with pytest.raises(BadInput, match="OneOf"):
        RidgeProbe().learn(one_of(), 0)


def test_a_missing_feature_counts_as_its_mean() -> None:
    asked = one_of()
    x = asked.seen.vectors.copy()
    item = int(asked.parts.test[0])
    x[item, 2] = np.nan
    filled = x.copy()
    filled[item, 2] = x[asked.parts.train, 2].astype(np.float64).mean()
    a, b = (_tested(LogisticProbe(), replace(asked, seen=Seen(v))) for v in (x, filled))
    np.testing.assert_allclose(a, b, atol=1e-5)
