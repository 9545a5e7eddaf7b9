import pytest

from armillary.train.schedule import rate

COURSE = {"lr": 2.0, "warmup_steps": 4, "steps": 14, "min_lr": 0.5}


def test_the_warm_up_grows_by_equal_parts_to_the_full_rate() -> None:
    assert [rate(k, **COURSE) for k in range(4)] == [0.5, 1.0, 1.5, 2.0]


def test_half_a_cosine_leads_from_the_full_rate_to_the_least() -> None:
    assert rate(4, **COURSE) == 2.0
    assert rate(9, **COURSE) == pytest.approx((2.0 + 0.5) / 2)
    assert rate(14, **COURSE) == pytest.approx(0.5)
    assert rate(4 + 1, **COURSE) - 0.5 == pytest.approx(2.0 - rate(14 - 1, **COURSE))  # odd about its middle


def test_after_the_last_step_the_rate_stays_least() -> None:
    assert rate(99, **COURSE) == pytest.approx(0.5)


def test_without_a_warm_up_the_first_step_has_the_full_rate() -> None:
    assert rate(0, lr=1.0, warmup_steps=0, steps=10) == 1.0
