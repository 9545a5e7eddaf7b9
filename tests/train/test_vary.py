from collections import Counter

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.sample.batch import Batch
from armillary.train.vary import Group, band_groups, drop_facts, narrow

BANDS = sensors["s2-l1c"].bands


def batch_of(items: int) -> Batch:
    pixels = torch.arange(items * 13.0).reshape(items, 13, 1, 1).expand(items, 13, 16, 16).contiguous()
    lonlat = torch.stack((torch.arange(items) % 180.0, torch.zeros(items)), dim=1)
    return Batch(pixels, BANDS, lonlat, torch.arange(items) + 1.0, torch.full((items,), 0.0256))


@pytest.mark.parametrize(("c", "least"), [(13, 10), (21, 16)])
def test_upstream_share_keeps_the_published_numbers_of_bands_each_as_often(c: int, least: int) -> None:
    sizes = Counter(
        len(band_groups(c, [1], step=step, groups=1, at_least=0.75)[0].bands) for step in range(400 * (c - least + 1))
    )
    assert sorted(sizes) == list(range(least, c + 1))
    assert all(abs(n - 400) < 5 * 400**0.5 for n in sizes.values())


def test_a_subset_holds_no_band_twice_and_is_permuted() -> None:
    found = [band_groups(13, [1], step=step, groups=1, at_least=0.5)[0].bands for step in range(50)]
    assert all(len(set(bands)) == len(bands) and set(bands) <= set(range(13)) for bands in found)
    assert any(list(bands) != sorted(bands) for bands in found)


def test_every_item_is_in_one_group() -> None:
    groups = band_groups(13, range(40), step=3, groups=3, at_least=0.5)
    assert sorted(i for g in groups for i in g.items) == list(range(40))
    assert len(groups) == 3


def test_the_bands_of_an_item_depend_on_its_seed_and_the_step_alone() -> None:
    seeds = [7, 8, 9, 10, 11]
    whole = {i: g.bands for g in band_groups(13, seeds, step=3, groups=3, at_least=0.5) for i in g.items}
    for i, seed in enumerate(seeds):
        (alone,) = band_groups(13, [seed], step=3, groups=3, at_least=0.5)
        assert alone.bands == whole[i]


def test_the_choice_of_a_batch_is_one_for_all_items_with_the_switch_of_upstream() -> None:
    (group,) = band_groups(13, range(20), step=3, groups=3, at_least=0.5, whole_batch=True)
    assert group.items == tuple(range(20))
    assert len(band_groups(13, range(20), step=3, groups=3, at_least=0.5)) > 1


@pytest.mark.parametrize(("c", "share"), [(1, 0.1), (13, 1.0)])
def test_nothing_is_dropped_of_one_band_or_when_all_stay(c: int, share: float) -> None:
    assert band_groups(c, [1, 2], step=0, groups=2, at_least=share) == (Group((0, 1), tuple(range(c))),)


def test_a_narrowed_batch_holds_the_pixels_bands_and_facts_of_its_group() -> None:
    batch = batch_of(4)
    part = narrow(batch, Group((3, 1), (12, 0)))
    assert part.pixels[:, :, 0, 0].tolist() == [[51.0, 39.0], [25.0, 13.0]]
    assert part.bands == (BANDS[12], BANDS[0])
    assert part.days is not None
    assert part.days.tolist() == [4.0, 2.0]
    assert part.lonlat is not None
    assert part.lonlat[:, 0].tolist() == [3.0, 1.0]


def gone(batch: Batch) -> np.ndarray:
    assert batch.lonlat is not None
    assert batch.days is not None
    assert batch.token_km2 is not None
    assert torch.equal(batch.lonlat.isnan()[:, 0], batch.lonlat.isnan()[:, 1])
    return torch.stack((batch.lonlat[:, 0], batch.days, batch.token_km2), dim=1).isnan().numpy()


def test_each_fact_of_each_item_is_dropped_on_its_own_as_often_as_asked() -> None:
    n = 4000
    dropped = gone(drop_facts(batch_of(n), range(n), 0.7))
    np.testing.assert_allclose(dropped.mean(axis=0), 0.7, atol=4 * (0.7 * 0.3 / n) ** 0.5)
    np.testing.assert_allclose(np.corrcoef(dropped.T), np.eye(3), atol=4 / n**0.5)


def test_what_stays_known_is_what_was_known() -> None:
    batch = batch_of(50)
    less = drop_facts(batch, range(50), 0.5)
    assert batch.days is not None
    assert less.days is not None
    known = ~less.days.isnan()
    assert_close(less.days[known], batch.days[known], rtol=0, atol=0)
    assert torch.equal(less.pixels, batch.pixels)


def test_the_facts_of_an_item_are_dropped_by_its_own_seed() -> None:
    batch, seeds = batch_of(20), list(range(20))
    whole = gone(drop_facts(batch, seeds, 0.5))
    np.testing.assert_array_equal(gone(drop_facts(batch[4:9], seeds[4:9], 0.5)), whole[4:9])


def test_upstream_drops_a_fact_for_the_whole_batch_and_the_default_does_not() -> None:
    """Spec section 13 and item 13."""
    n = 64
    theirs = [gone(drop_facts(batch_of(n), range(s, s + n), 0.5, whole_batch=True)).mean(axis=0) for s in range(20)]
    assert set(np.concatenate(theirs).tolist()) == {0.0, 1.0}
    assert 0 < gone(drop_facts(batch_of(n), range(n), 0.5)).mean() < 1


def test_nothing_is_dropped_with_probability_0_and_all_with_1() -> None:
    batch = batch_of(9)
    assert drop_facts(batch, range(9), 0.0) is batch
    assert gone(drop_facts(batch, range(9), 1.0)).all()
