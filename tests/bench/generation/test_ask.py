"""Asked of the exact denoiser of a Gaussian: errors, calibration and floors have closed forms. Synthetic."""

from dataclasses import replace

import numpy as np
import pytest
from tests.bench.generation.worlds import RHO, SIDE, material, teller

from armillary.bench.generation import ask
from armillary.bench.generation.ask import Setting
from armillary.bench.generation.calibration import Calibration, total
from armillary.bench.generation.parties import OTHERS
from armillary.bench.generation.plan import GenerationPlan
from armillary.bench.generation.references import LINEAR, MEAN, NEAREST, OTHER_DATE, SAME
from armillary.errors import BadInput

PLAN = GenerationPlan(("exact",), sampled=4, samples=6)
DB = 3.0
"""Deviation of the synthetic radar."""


@pytest.fixture(scope="module")
def setting():
    return Setting(teller(), material(), PLAN)


@pytest.fixture(scope="module")
def drawn(setting):
    return ask.sampled(setting, "s1-rtc", ("s2-l1c",))


def rmse(numbers, who, strand="s1-rtc"):
    return np.sqrt(np.mean(np.square(numbers["fidelity"][who][strand]["rmse"])))


def test_the_exact_conditional_mean_has_the_error_of_the_closed_form(setting):
    cuts, numbers = ask.told(setting, "s1-rtc", ("s2-l1c",))
    assert len(cuts) == 8
    exact = DB * np.sqrt(1 - RHO**2)
    assert rmse(numbers, ask.EXPECTED) == pytest.approx(exact, rel=0.05)
    assert rmse(numbers, LINEAR) == pytest.approx(exact, rel=0.05)
    assert rmse(numbers, MEAN) == pytest.approx(DB, rel=0.05)
    assert rmse(numbers, NEAREST) > rmse(numbers, MEAN)


def test_more_is_known_from_both_others_by_as_much_as_the_closed_form_says(setting):
    _, numbers = ask.told(setting, "s1-rtc", (OTHERS,))
    left = 1 - 2 * RHO**2 / (1 + RHO)
    assert rmse(numbers, ask.EXPECTED) == pytest.approx(DB * np.sqrt(left), rel=0.05)


def test_nothing_given_expects_the_mean(setting):
    _, numbers = ask.told(setting, "s1-rtc", ())
    assert rmse(numbers, ask.EXPECTED) == pytest.approx(rmse(numbers, MEAN), rel=0.01)


def test_the_same_band_of_another_level_is_a_floor(setting):
    _, numbers = ask.told(setting, "s2-l2a", ("s2-l1c",))
    assert rmse(numbers, SAME, "s2-l2a") == pytest.approx(0.05 * np.sqrt(1 - RHO**2), rel=0.05)


def test_samples_of_the_exact_law_are_calibrated(drawn):
    cuts, numbers, _ = drawn
    assert len({c.place for c in cuts}) == 4
    sums = total(Calibration(**{**s, "ranks": tuple(s["ranks"])}) for s in numbers["calibration"]["s1-rtc"])
    assert sums.count == 4 * SIDE**2
    assert sums.dispersion == pytest.approx(1, abs=0.07)
    assert sums.unevenness < 0.03


def test_a_sample_errs_more_than_the_mean_of_samples_and_that_more_than_what_is_expected(drawn):
    _, numbers, _ = drawn
    expected, mean, one = (rmse(numbers, w) for w in (ask.EXPECTED, ask.MEAN_OF, ask.SAMPLE))
    assert expected < mean < one
    assert one == pytest.approx(expected * np.sqrt(2), rel=0.06)
    assert mean == pytest.approx(expected * np.sqrt(1 + 1 / 6), rel=0.06)
    assert rmse(numbers, ask.BEST_OF) <= one


def test_samples_do_not_depend_on_what_is_asked_beside(setting, drawn):
    fewer = Setting(teller(), material(), replace(PLAN, samples=2))
    _, _, few = ask.sampled(fewer, "s1-rtc", ("s2-l1c",))
    np.testing.assert_allclose(few[3][1]["s1-rtc"], drawn[2][3][1]["s1-rtc"], atol=1e-4)


def test_other_dates_of_the_same_ground_are_shown(setting):
    several = Setting(teller(), material(held=2, dates=3), PLAN)
    cuts, numbers = ask.told(several, "s1-rtc", ())
    assert len(cuts) == 6
    assert rmse(numbers, OTHER_DATE) == pytest.approx(DB * np.sqrt(2), rel=0.1)


def test_unknown_pixels_of_the_truth_are_not_measured(setting):
    held = list(setting.material.held)
    values = {s: v.copy() for s, v in held[0].item.items()}
    values["s1-rtc"][:, :8] = np.nan
    values["s1-rtc"][:, 8:] = 0.0
    holed = replace(setting.material, held=(replace(held[0], values=values),))
    _, numbers = ask.told(Setting(teller(), holed, PLAN), "s1-rtc", ("s2-l1c",))
    assert numbers["fidelity"][ask.EXPECTED]["s1-rtc"]["mae"][0] == pytest.approx(10, abs=1.5)


def test_a_set_that_no_cut_has_is_refused(setting):
    bare = [replace(c, values={"s1-rtc": c.item["s1-rtc"]}) for c in setting.material.held]
    lonely = Setting(teller(), replace(setting.material, held=tuple(bare)), PLAN)
    with pytest.raises(BadInput, match="no held-out cut"):
        ask.told(lonely, "s1-rtc", ("s2-l1c",))
