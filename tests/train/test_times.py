import numpy as np
import pytest
import torch

from armillary.train.config import from_plain, to_plain
from armillary.train.times import AS_RELEASED, Times

SEEDS = tuple(range(4000))
ALL = torch.ones(len(SEEDS), 4, dtype=torch.bool)


def test_an_item_draws_the_same_whatever_stands_beside_it() -> None:
    times, shown = Times().draw(SEEDS, ALL)
    few, seen = Times().draw(SEEDS[7:9], ALL[7:9])
    assert torch.equal(times[7:9], few)
    assert torch.equal(shown[7:9], seen)


def test_independent_times_are_exactly_0_and_1_as_often_as_asked_and_else_even() -> None:
    times, shown = Times(at_0=0.1, at_T=0.2, asked=0.0).draw(SEEDS, ALL)
    assert bool(shown.all())
    assert float((times == 0).float().mean()) == pytest.approx(0.1, abs=0.01)
    assert float((times == 1).float().mean()) == pytest.approx(0.2, abs=0.015)
    inner = times[(times > 0) & (times < 1)]
    assert torch.histc(inner, 5, 0, 1).div(len(inner)).tolist() == pytest.approx([0.2] * 5, abs=0.02)
    assert np.corrcoef(times.numpy().T)[np.triu_indices(4, 1)].tolist() == pytest.approx([0.0] * 6, abs=0.06)


def test_the_released_times_are_whole_steps_from_1_to_1000() -> None:
    times, _ = AS_RELEASED.draw(SEEDS, ALL)
    n = 1000 * times
    torch.testing.assert_close(n, n.round(), atol=1e-4, rtol=0)
    assert (round(float(n.min())), round(float(n.max()))) == (1, 1000)


def test_a_place_shown_as_asked_has_one_time_between_the_ends() -> None:
    times, _ = Times(asked=1.0).draw(SEEDS, ALL)
    inner = [set(row[(row > 0) & (row < 1)].tolist()) for row in times]
    assert {len(found) for found in inner} == {1}


def test_every_split_into_given_wanted_and_ignored_comes_up() -> None:
    times, _ = Times(asked=1.0).draw(SEEDS, ALL)
    roles = {tuple(((row > 0).int() + (row == 1).int()).tolist()) for row in times}
    assert len(roles) == 3**4 - 2**4  # all but those in which nothing is wanted


def test_ignored_strands_are_left_out_for_a_share_of_the_places_and_nothing_else_is() -> None:
    times, shown = Times(asked=1.0, left_out=0.3).draw(SEEDS, ALL)
    assert bool((shown | (times == 1)).all())
    ignoring = (times == 1).any(dim=1)
    assert float((~shown).any(dim=1)[ignoring].float().mean()) == pytest.approx(0.3, abs=0.03)


def test_what_is_absent_is_not_shown_and_never_the_only_thing_wanted() -> None:
    present = ALL.clone()
    present[:, 2:] = False
    times, shown = Times(asked=1.0).draw(SEEDS, present)
    assert not bool(shown[:, 2:].any())
    assert bool((times[:, 2:] == 1).all())
    assert bool(((times[:, :2] > 0) & (times[:, :2] < 1)).any(dim=1).all())


def test_a_place_without_any_strand_is_shown_as_nothing() -> None:
    times, shown = Times(asked=1.0).draw((1,), torch.zeros(1, 3, dtype=torch.bool))
    assert (times.tolist(), shown.tolist()) == ([[1.0] * 3], [[False] * 3])


def test_configuration_to_plain_values_and_back_is_equal() -> None:
    times = Times(at_0=0.25, steps=10)
    assert from_plain(Times, to_plain(times), source="test") == times


def test_what_is_never_wanted_is_clean_or_gone() -> None:
    for asked in (0.0, 1.0):
        times, _ = Times(asked=asked).draw(SEEDS, ALL, [True, True, True, False])
        assert set(times[:, 3].tolist()) == {0.0, 1.0}
        assert 0.3 < float(times[:, 3].mean()) < 0.7
    assert bool((times[:, :3].amax(dim=1) > 0).all())


def test_late_times_are_as_often_near_the_end_as_asked() -> None:
    times, _ = Times(asked=1.0, late=2.0).draw(SEEDS, ALL)
    wanted = [float(row[row > 0].min()) for row in times]
    assert np.mean(np.array(wanted) > 0.75) == pytest.approx(0.5, abs=0.03)


def test_wanted_strands_are_at_the_end_as_often_as_asked_and_are_shown_there() -> None:
    times, shown = Times(asked=1.0, at_end=0.4, left_out=1.0).draw(SEEDS, ALL)
    inner = ((times > 0) & (times < 1)).any(dim=1)
    assert float((~inner).float().mean()) == pytest.approx(0.4, abs=0.03)
    assert bool((shown & (times == 1)).any(dim=1)[~inner].all())
