import numpy as np
import pytest

from armillary.errors import OutOfRange
from armillary.probe.knn import average, nearest, standardised, vote

RNG = np.random.default_rng(0)
KNOWN, QUERIES = RNG.normal(size=(40, 6)), RNG.normal(size=(9, 6))
Y = RNG.integers(0, 3, 40)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_neighbours_are_those_of_brute_force() -> None:
    items, cosine = nearest(QUERIES, KNOWN, 7)
    for q, row, value in zip(QUERIES, items, cosine, strict=True):
        table = sorted(((-_cosine(q, x), i) for i, x in enumerate(KNOWN)))[:7]
        assert row.tolist() == [i for _, i in table]
        np.testing.assert_allclose(value, [-c for c, _ in table])


def test_votes_are_those_of_brute_force() -> None:
    items, cosine = nearest(QUERIES, KNOWN, 5)
    for chosen, row, value in zip(vote(QUERIES, KNOWN, Y, 5), items, cosine, strict=True):
        tally = {c: (int((Y[row] == c).sum()), float(value[Y[row] == c].sum())) for c in set(Y[row].tolist())}
        assert chosen == max(tally, key=lambda c: tally[c])


def test_one_neighbour_gives_every_known_item_its_own_class() -> None:
    assert np.array_equal(vote(KNOWN, KNOWN, Y, 1), Y)


def test_the_average_of_all_is_the_mean() -> None:
    values = RNG.normal(size=40)
    np.testing.assert_allclose(average(QUERIES, KNOWN, values, 40), np.full(9, values.mean()))


def test_the_length_of_a_vector_changes_nothing() -> None:
    scale = RNG.uniform(0.1, 10, size=(40, 1))
    assert np.array_equal(vote(QUERIES, KNOWN * scale, Y, 5), vote(QUERIES, KNOWN, Y, 5))


def test_units_change_nothing_after_standardisation() -> None:
    units, shift = RNG.uniform(0.1, 10, size=6), RNG.normal(size=6)
    for a, b in zip(
        standardised(QUERIES * units + shift, KNOWN * units + shift), standardised(QUERIES, KNOWN), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_a_constant_feature_is_left_out() -> None:
    known = np.concatenate([KNOWN, np.full((40, 1), 3.0)], axis=1)
    queries = np.concatenate([QUERIES, np.full((9, 1), 99.0)], axis=1)
    assert np.array_equal(standardised(queries, known)[0][:, -1], np.zeros(9))


def test_more_neighbours_than_items_are_refused() -> None:
    with pytest.raises(OutOfRange, match="41 neighbours"):
        nearest(QUERIES, KNOWN, 41)
