import numpy as np
import pytest

from armillary.errors import OutOfRange
from armillary.probe.splits import Split, blocks, folds, group_folds, halves, leave_one_out, repeated, shots

Y = np.repeat(np.arange(5), 12)
GROUPS = np.arange(60) // 4


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_folds_ask_every_item_once_and_share_out_each_class() -> None:
    made = folds(Y, 4, _rng())
    assert np.array_equal(np.sort(np.concatenate([s.test for s in made])), np.arange(60))
    assert all(np.array_equal(np.bincount(Y[s.test]), [3] * 5) for s in made)


def test_classes_that_do_not_divide_evenly_differ_by_one_item_at_most() -> None:
    y = np.repeat(np.arange(3), 7)
    counts = [np.bincount(y[s.test], minlength=3) for s in folds(y, 5, _rng())]
    assert np.ptp(counts, axis=0).max() <= 1


def test_group_folds_never_cut_a_group_and_ask_every_item_once() -> None:
    for seed in range(5):
        made = group_folds(GROUPS, 4, _rng(seed), y=Y)
        assert np.array_equal(np.sort(np.concatenate([s.test for s in made])), np.arange(60))
        assert all(not set(GROUPS[s.train]) & set(GROUPS[s.test]) for s in made)


def test_group_folds_spread_classes() -> None:
    made = group_folds(GROUPS, 3, _rng(), y=Y)
    assert np.ptp([np.bincount(Y[s.test], minlength=5) for s in made], axis=0).max() <= 4  # one group of four


def test_leave_one_out_asks_each_group_alone() -> None:
    made = leave_one_out(GROUPS)
    assert [set(GROUPS[s.test]) for s in made] == [{g} for g in range(15)]


def test_shots_take_so_many_of_each_class_and_ask_the_rest() -> None:
    split = shots(Y, 3, _rng())
    assert np.array_equal(np.bincount(Y[split.train]), [3] * 5)
    assert len(split.train) + len(split.test) == 60


def test_shots_of_groups_leave_touched_groups_unasked() -> None:
    split = shots(Y, 1, _rng(), groups=GROUPS)
    assert not set(GROUPS[split.train]) & set(GROUPS[split.test])


def test_more_shots_than_items_are_refused() -> None:
    with pytest.raises(OutOfRange, match="has 12"):
        shots(Y, 12, _rng())


def test_a_split_with_an_item_on_both_sides_is_refused() -> None:
    with pytest.raises(OutOfRange, match="both sides"):
        Split(np.array([0, 1]), np.array([1, 2]))


def test_the_halves_are_fixed_disjoint_and_stratified() -> None:
    first, last = halves(Y)
    assert np.array_equal(first, halves(Y)[0])
    assert not set(first) & set(last)
    assert np.array_equal(np.bincount(Y[first]), np.bincount(Y[last]))


def test_draw_k_depends_on_seed_and_k_alone() -> None:
    three, five = list(repeated(Y, 4, 3, 7)), list(repeated(Y, 4, 5, 7))
    assert all(
        np.array_equal(a.test, b.test) for x, z in zip(three, five, strict=False) for a, b in zip(x, z, strict=True)
    )
    assert not np.array_equal(three[0][0].test, three[1][0].test)


def test_blocks_have_about_one_size_on_the_ground_from_the_equator_to_the_north() -> None:
    rng = _rng()
    for lat in (0.5, 60.5):
        lonlat = np.stack([rng.uniform(0, 40, 500), np.full(500, lat)], axis=1)
        found = blocks(lonlat, 1.0)
        width_km = max(np.ptp(lonlat[found == b, 0]) for b in np.unique(found)) * 111.3 * np.cos(np.deg2rad(lat))
        assert 80 < width_km < 120
