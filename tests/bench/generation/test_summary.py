"""Means over places, and whether more that is given helps: on cells made by hand."""

import numpy as np
import pytest

from armillary.bench.generation.cell import Cell, Question
from armillary.bench.generation.summary import added, best_floor, dispersion, place_mean, relative

ITEMS = (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"))


def cell(given, mae, floors=None, items=ITEMS, kind="told", **numbers):
    told = {"expected": mae, "mean": [2.0] * len(items), "oracle: image mean": [0.0] * len(items), **(floors or {})}
    fidelity = {who: {"s": {"mae": list(v)}} for who, v in told.items()}
    return Cell(Question(kind, "m", "s", given), items, {"fidelity": fidelity, **numbers})


def test_each_place_counts_once():
    found = place_mean(np.array([1.0, 2.0, 3.0, 5.0, np.nan]), [p for _, p in ITEMS])
    assert (found.value, found.items, found.places) == (3.5, 4, 2)
    assert not found.over_places


def test_an_interval_over_places_is_that_of_their_means():
    values = np.array([1.0, 1.0, 1.0, 2.0, 3.0])
    found = place_mean(values, [p for _, p in ITEMS], draws=2000)
    assert found.over_places
    assert (found.low, found.value, found.high) == (pytest.approx(1, abs=0.4), 2.0, pytest.approx(3, abs=0.4))
    none = place_mean(np.full(3, np.nan), ["a"] * 3, draws=10)
    assert none.items == 0
    assert np.isnan(none.value)


def test_the_best_floor_is_one_that_all_items_have_and_that_is_no_oracle():
    some = {"linear": [0.1, None, None, None, None], "copy": [1.0] * 5}
    asked = cell((), [0.5] * 5, some)
    assert best_floor(asked, "s") == ("copy", 1.0)
    assert relative(asked, "s") == pytest.approx(0.5)


def test_what_is_added_is_compared_on_the_items_that_were_asked_with_both():
    nothing, one = cell((), [2.0] * 5), cell(("x",), [1.0] * 3, items=ITEMS[2:])
    both, others = cell(("x", "y"), [1.5] * 3, items=ITEMS[2:]), cell(("all others",), [1.0] * 3, items=ITEMS[2:])
    (found,) = added([nothing, one, both, others], draws=500)
    # nothing to x and to all others: -0.5; x to x and y: +0.25; x to all others: the same answer, left out;
    # x and y to all others: -0.25
    assert found.steps == 4
    assert found.change.value == pytest.approx((-0.5 - 0.5 + 0.25 - 0.25) / 4)
    assert found.change.places == 3
    assert found.worse == pytest.approx(1 / 4)
    assert found.worst.startswith("x → x + y: +0.25")


def test_dispersion_is_of_all_items_together_with_an_interval():
    rows = [
        {"count": 10, "variance": v, "squared": 1.125, "crps": 1.0, "ranks": [1] * 9 + [1]} for v in (1, 1, 1, 1, 1)
    ]
    sums, low, high = dispersion(cell((), [1.0] * 5, kind="sampled", calibration={"s": [*rows]}), "s", draws=200)
    assert sums.samples == 9
    assert sums.dispersion == pytest.approx(np.sqrt((1 + 1 / 9) / 1.125))
    assert low == pytest.approx(high)
    assert dispersion(cell((), [1.0] * 5), "s")[0] is None
