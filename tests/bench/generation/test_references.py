"""Floors by name, on synthetic items; those that cannot be had are left out."""

import numpy as np
import pytest
from tests.bench.generation.worlds import CODES, RHO, cuts, material

from armillary.bench.generation.references import (
    AROUND,
    CENTRE,
    COPY,
    LINEAR,
    MEAN,
    NEAREST,
    ORACLE,
    SAME,
    floors,
    other_date,
)
from armillary.sample.strands import Categories

CODE = {c.name: c for c in CODES}


def test_floors_that_fit_are_had_and_others_left_out():
    train = cuts(6, 0)
    assert set(dict(floors(train, ("s2-l1c",), "s2-l2a", CODE))) == {
        MEAN, CENTRE, ORACLE, NEAREST, LINEAR, COPY, SAME, AROUND
    }  # fmt: skip
    assert set(dict(floors(train, ("s2-l1c",), "s1-rtc", CODE))) == {MEAN, CENTRE, ORACLE, NEAREST, LINEAR, AROUND}
    assert set(dict(floors(train, (), "s1-rtc", CODE))) == {MEAN, CENTRE, ORACLE}
    assert not dict(floors((), (), "s1-rtc", CODE))


def test_copy_and_same_band_tell_what_they_say():
    train, item = cuts(6, 0), cuts(1, 9)[0].item
    found = dict(floors(train, ("s2-l1c",), "s2-l2a", CODE))
    np.testing.assert_array_equal(found[COPY](item), item["s2-l1c"])
    np.testing.assert_allclose(found[SAME](item), 0.1 + RHO * (item["s2-l1c"] - 0.1), atol=0.01)
    assert found[CENTRE](item) == pytest.approx(0.1)


def test_classes_are_told_by_the_commonest_and_by_the_largest_regression():
    rng = np.random.default_rng(0)
    code = Categories("land-cover", "land-cover", (1, 2, 5), 16)
    items = []
    for _ in range(6):
        x = rng.standard_normal((1, 16, 16)).astype(np.float32)
        items.append({"s1-rtc": x, "land-cover": np.where(x > 0.3, 5.0, 2.0).astype(np.float32)})
    train = [type(c)(c.key, c.block, c.place, None, (), values=i) for c, i in zip(cuts(6, 0), items, strict=True)]
    found = dict(floors(train, ("s1-rtc",), "land-cover", {**CODE, "land-cover": code}))
    assert set(np.unique(found[MEAN](items[0]))) == {2.0}
    right = found[LINEAR](items[0]) == items[0]["land-cover"]
    assert right.mean() > 0.8


def test_another_date_is_the_nearest_of_the_same_block():
    held = material(held=1, dates=3)
    first, second, _ = held.held
    np.testing.assert_array_equal(other_date(first, "s1-rtc", held.dates), second.item["s1-rtc"])
    assert other_date(first, "s1-rtc", {}) is None
