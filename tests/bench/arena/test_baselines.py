from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.bench.invented import KINDS, Chips, Memory

from armillary.bench.arena.baselines import Boosting, Constant, plain_of
from armillary.bench.encoders.encoder import Look
from armillary.bench.encoders.plain import Nothing, PixelStatistics, PlaceAndTime
from armillary.errors import OutOfRange
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap
from armillary.probe.asked import Asked, Parts, Seen
from armillary.sample.sample import Sample

PARTS = Parts(np.arange(0, 40), np.arange(40, 45), np.arange(45, 60))


def _asked(answer: Answer, truths: Sequence[np.ndarray]) -> Asked:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, len(truths))
    vectors = (level[:, None] + 0.05 * rng.normal(size=(len(truths), 4))).astype(np.float32)
    maps = (np.broadcast_to(vectors[:, :, None, None], (len(truths), 4, 5, 5)).astype(np.float16),)
    return Asked(answer, Seen(vectors, maps), truths, PARTS)


def _levels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, 60)


def test_the_constant_of_classes_is_their_share_among_training_items() -> None:
    truths = [np.array(k) for k in _levels()]
    (told,) = Constant().learn(_asked(OneOf(KINDS), truths), 0).predict(np.array([50]))
    np.testing.assert_allclose(told, np.bincount(_levels()[:40], minlength=3) / 40)


def test_the_constant_of_a_value_is_the_training_mean_without_the_unknown() -> None:
    truths = [np.array(v, dtype=np.float32) for v in _levels()]
    truths[0] = np.array(np.nan, dtype=np.float32)
    (told,) = Constant().learn(_asked(Value("t"), truths), 0).predict(np.array([59]))
    assert told == pytest.approx(_levels()[1:40].mean())
    assert told.shape == ()


def test_the_constant_of_a_map_counts_known_pixels_alone() -> None:
    truths = [np.full((4, 6), k, dtype=np.int64) for k in _levels()]
    for t in truths:
        t[0] = IGNORE
    (told,) = Constant().learn(_asked(ClassMap(KINDS), truths), 0).predict(np.array([47]))
    assert told.shape == (3, 4, 6)
    np.testing.assert_allclose(told[:, 2, 3], np.bincount(_levels()[:40], minlength=3) / 40)


def test_a_constant_of_nothing_is_refused() -> None:
    with pytest.raises(OutOfRange, match="known truth"):
        Constant().learn(_asked(Value("t"), [np.array(np.nan, dtype=np.float32)] * 60), 0)


def test_boosting_learns_classes_from_vectors() -> None:
    truths = [np.array(k) for k in _levels()]
    learned = Boosting(trees=20).learn(_asked(OneOf(KINDS), truths), 0)
    told = np.stack(list(learned.predict(PARTS.test)))
    np.testing.assert_allclose(told.sum(axis=1), 1.0)
    assert (told.argmax(axis=1) == _levels()[45:]).mean() > 0.9


@pytest.mark.parametrize("answer", [OneOf(KINDS), Value("t")])
def test_a_fact_that_no_training_item_has_is_left_aside(answer: Answer) -> None:
    asked = _asked(answer, [np.array(k) for k in _levels()])
    told = []
    for of_others in (np.nan, 7.0):
        vectors = asked.seen.vectors.copy()
        vectors[:45, 3], vectors[45:, 3] = np.nan, of_others
        seen = replace(asked.seen, vectors=vectors)
        told += list(Boosting(trees=5).learn(replace(asked, seen=seen), 0).predict(PARTS.test))
    np.testing.assert_array_equal(told[: len(PARTS.test)], told[len(PARTS.test) :])


def test_boosting_learns_several_classes_and_values() -> None:
    level = _levels()
    several = [np.array([k == 0, k >= 1]) for k in level]
    told = np.stack(list(Boosting(trees=20).learn(_asked(AnyOf(("a", "b")), several), 0).predict(PARTS.test)))
    assert ((told > 0.5) == np.stack(several)[45:]).mean() > 0.9
    values = [np.array(10.0 + k, dtype=np.float32) for k in level]
    said = np.array(list(Boosting(trees=20).learn(_asked(Value("t"), values), 0).predict(PARTS.test)))
    assert np.abs(said - (10.0 + level[45:])).mean() < 0.5


def test_boosting_answers_maps_on_the_grid_of_the_truth() -> None:
    level = _levels()
    classes = [np.full((7, 9), k, dtype=np.int64) for k in level]
    told = list(Boosting(trees=10).learn(_asked(ClassMap(KINDS), classes), 0).predict(PARTS.test))
    assert told[0].shape == (3, 7, 9)
    assert np.mean([(t.argmax(axis=0) == k).mean() for t, k in zip(told, level[45:], strict=True)]) > 0.9
    values = [np.full((7, 9), 2.0 * k, dtype=np.float32) for k in level]
    (said,) = Boosting(trees=10).learn(_asked(ValueMap("t"), values), 0).predict(np.array([50]))
    assert said.shape == (7, 9)


def test_a_class_that_training_does_not_show_has_no_probability() -> None:
    truths = [np.array(min(k, 1)) for k in _levels()]
    (told,) = Boosting(trees=5).learn(_asked(OneOf(KINDS), truths), 0).predict(np.array([50]))
    assert told[2] == 0
    assert told.sum() == pytest.approx(1.0)


def _samples(count: int = 2) -> list[Sample]:
    items = Chips(Memory(), OneOf(KINDS))
    return [items.item(n).samples[0] for n in range(count)]


def test_pixel_statistics_do_not_depend_on_the_neighbours_in_a_batch() -> None:
    both = PixelStatistics().see(_samples(), Look(maps=True))
    alone = PixelStatistics().see(_samples(1), Look(maps=True))
    np.testing.assert_allclose(both.vectors[0], alone.vectors[0], rtol=1e-5)
    np.testing.assert_allclose(both.maps[0][0], alone.maps[0][0], rtol=1e-4, atol=1e-5)
    assert both.maps[0].shape == (2, 9, 32, 32)


def test_pixel_statistics_of_nothing_measured_are_nan() -> None:
    sample = _samples(1)[0]
    bare = Sample(np.full_like(sample.pixels, np.nan), sample.sensor, sample.window)
    sight = PixelStatistics().see([bare], Look(maps=True))
    assert sight.vectors.isnan().all()
    assert sight.maps[0].isnan().all()


def test_place_and_time_say_what_they_are_told_and_no_more() -> None:
    sample = _samples(1)[0]
    told = PlaceAndTime().see([sample], Look(("place", "time"), maps=True))
    np.testing.assert_allclose(told.vectors[0, :2], sample.window.center, rtol=1e-5)
    assert told.vectors[0, 5] == pytest.approx(sample.days)
    untimed = PlaceAndTime().see([sample], Look(("place",)))
    assert untimed.vectors[0, 5:].isnan().all()
    longitudes = told.maps[0][0, 0]
    assert (longitudes[:, 1:] > longitudes[:, :-1]).all()


def test_place_and_time_stand_beside_items_whose_place_or_time_is_known() -> None:
    assert [e.name for e in plain_of(("area",))] == ["none", "pixels"]
    assert [e.name for e in plain_of(("place",))] == ["none", "pixels", "place-time"]
    assert Nothing().see(_samples(), Look()).vectors.shape == (2, 1)
