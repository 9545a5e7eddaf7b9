from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.bench.scores.exact import exact, exact_products, read_exact, real, spelled

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20)


@given(NUMBERS)
def test_a_sum_is_that_of_fractions(x: list[float]) -> None:
    assert real(exact(np.array(x, dtype=np.float64))) == sum(map(Fraction, x), Fraction(0))


@given(st.lists(st.floats(1e-9, 1e9) | st.floats(-1e9, -1e-9), max_size=20))
def test_a_sum_of_products_is_that_of_fractions(x: list[float]) -> None:
    a = np.array(x, dtype=np.float64)
    expected = sum((Fraction(i) * Fraction(j) for i, j in zip(x, reversed(x), strict=True)), Fraction(0))
    assert real(exact_products(a, a[::-1])) == expected


@given(NUMBERS, st.integers(0, 20))
def test_the_sums_of_two_parts_are_the_sum_of_the_whole(x: list[float], cut: int) -> None:
    a = np.array(x, dtype=np.float64)
    assert exact(a[:cut]) + exact(a[cut:]) == exact(a)


@given(NUMBERS)
def test_a_written_sum_is_read_as_it_was(x: list[float]) -> None:
    total = exact(np.array(x, dtype=np.float64))
    assert read_exact(spelled(total)) == total


def test_the_order_of_a_million_numbers_does_not_matter() -> None:
    x = np.random.default_rng(0).lognormal(0, 20, 1_000_000)
    assert exact(x) == exact(x[::-1].copy())


@pytest.mark.parametrize("smallest", [5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308])
def test_the_ends_of_what_a_float_can_hold_are_kept(smallest: float) -> None:
    assert float(real(exact(np.array([smallest])))) == smallest


def test_arrays_of_any_shape_and_precision_are_added() -> None:
    assert real(exact(np.full((2, 3, 4), 0.25, dtype=np.float32))) == 6
