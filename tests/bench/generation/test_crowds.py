"""Two sets of vectors, against definitions by brute force, scipy and closed forms."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.neighbors import KNeighborsClassifier

from armillary.bench.generation.crowds import (
    compare,
    coverage,
    density,
    frechet,
    frechet_endless,
    precision,
    principal,
    told_apart,
    wilson,
)
from armillary.errors import BadInput

RNG = np.random.default_rng(0)
REAL, MADE = RNG.standard_normal((30, 4)), RNG.standard_normal((25, 4)) * 0.6 + 0.5
K = 3


def reach(rows, i):
    return sorted(np.linalg.norm(rows[i] - x) for j, x in enumerate(rows) if j != i)[K - 1]


def test_precision_density_and_coverage_are_those_of_their_definitions():
    inside = np.array([[np.linalg.norm(r - m) <= reach(REAL, i) for m in MADE] for i, r in enumerate(REAL)])
    assert precision(REAL, MADE, K) == pytest.approx(inside.any(axis=0).mean())
    assert density(REAL, MADE, K) == pytest.approx(inside.sum() / (K * len(MADE)))
    assert coverage(REAL, MADE, K) == pytest.approx(inside.any(axis=1).mean())


def test_recall_is_precision_the_other_way_round():
    inside = [any(np.linalg.norm(r - m) <= reach(MADE, j) for j, m in enumerate(MADE)) for r in REAL]
    assert precision(MADE, REAL, K) == pytest.approx(np.mean(inside))


def test_what_tells_sets_apart_is_the_nearest_neighbour_left_one_out():
    both, own = np.concatenate([REAL, MADE]), np.repeat([0, 1], [len(REAL), len(MADE)])
    right = []
    for i in range(len(both)):
        rest = np.arange(len(both)) != i
        right.append(KNeighborsClassifier(1).fit(both[rest], own[rest]).predict(both[i : i + 1])[0] == own[i])
    assert told_apart(REAL, MADE) == pytest.approx(np.mean(right))
    assert told_apart(REAL, REAL + 100) == 1


def test_frechet_is_that_of_a_matrix_root():
    a, b = np.cov(REAL.T), np.cov(MADE.T)
    expected = ((REAL.mean(0) - MADE.mean(0)) ** 2).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet(REAL, MADE) == pytest.approx(expected)
    assert frechet(REAL, REAL) == pytest.approx(0, abs=1e-9)


def test_frechet_of_independent_axes_is_that_of_deviations():
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((200_000, 2)) * s + m for s, m in (((1, 2), 0), ((3, 2), 1)))
    assert frechet(a, b) == pytest.approx(2 + 4, rel=0.02)


def test_endless_rows_take_most_of_the_bias_away():
    rng = np.random.default_rng(2)
    raw, led = [], []
    for _ in range(30):
        a, b = rng.standard_normal((2, 40, 6))
        raw.append(frechet(a, b))
        led.append(frechet_endless(a, b, rng))
    assert np.mean(raw) > 0.5
    assert abs(np.mean(led)) < 0.25 * np.mean(raw)


def test_principal_axes_keep_distances_where_there_are_as_many_as_dimensions():
    to_axes = principal(REAL, 4)
    unit = np.sqrt(((REAL - REAL.mean(0)) ** 2).sum() / len(REAL))
    apart = np.linalg.norm(to_axes(REAL[:1]) - to_axes(MADE[:1]))
    assert apart == pytest.approx(np.linalg.norm(REAL[0] - MADE[0]) / unit)


def test_two_sets_of_one_law_cannot_be_told_apart_and_another_law_can():
    rng = np.random.default_rng(3)
    same = compare(*rng.standard_normal((2, 100, 5)), rng)
    assert same.low < 0.5 < same.high
    assert same.rows == 100
    other = compare(rng.standard_normal((120, 5)), rng.standard_normal((100, 5)) * 0.3 + 2, rng)
    assert other.rows == 100
    assert other.low > 0.9
    assert other.coverage < 0.3 < same.coverage
    assert other.frechet > 3 * same.frechet


def test_the_interval_of_a_share_is_wilsons():
    low, high = wilson(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-3)
    assert wilson(1.0, 10)[1] == pytest.approx(1)


def test_three_rows_are_refused():
    with pytest.raises(BadInput, match="at least 4"):
        compare(REAL[:3], MADE, RNG)
