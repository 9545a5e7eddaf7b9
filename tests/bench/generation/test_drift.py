"""Drift and dates of the exact denoiser, in closed form. Synthetic."""

from dataclasses import replace

import numpy as np
import pytest
from tests.bench.generation.worlds import RHO, material, teller

from armillary.bench.generation.ask import Setting
from armillary.bench.generation.dates import dates
from armillary.bench.generation.drift import drift
from armillary.bench.generation.plan import GenerationPlan
from armillary.errors import BadInput

PLAN = GenerationPlan(("exact",), sampled=4, rounds=3)


def test_each_step_of_the_exact_law_keeps_rho_of_the_pattern_and_all_of_the_contrast():
    cuts, numbers, came = drift(Setting(teller(), material(), PLAN), "s2-l2a", "s1-rtc")
    assert len(cuts) == 4
    assert len(came) == len(numbers["rounds"]) == 3
    for r, found in enumerate(numbers["rounds"], 1):
        assert np.mean(found["s2-l2a"]["correlation"]) == pytest.approx(RHO ** (2 * r), abs=0.05)
        assert np.mean(found["s2-l2a"]["contrast"]) == pytest.approx(1, abs=0.06)
    apart = 0.05 * np.sqrt(2 / np.pi)
    assert np.mean(numbers["mean"]["s2-l2a"]["mae"]) == pytest.approx(apart, rel=0.05)


def test_a_place_of_one_date_has_no_seasons():
    with pytest.raises(BadInput, match="6 dates"):
        dates(Setting(teller(), material(), PLAN), "s2-l2a")


def test_samples_of_the_exact_law_differ_as_real_dates_do():
    whole = material(held=1, dates=8)
    dated = tuple(replace(c, values={**c.item, "date": np.zeros((2, 1, 1), np.float32)}) for c in whole.held)
    setting = Setting(teller(), replace(whole, held=dated, dates={"b0": dated}), PLAN)
    cuts, numbers, made = dates(setting, "s2-l2a")
    assert len(cuts) == len(numbers["days"]) == 8
    assert [len(m) for m in made] == [8, 8]
    spread = {who: found["s2-l2a"] for who, found in numbers["spread"].items()}
    assert spread["date told"] == pytest.approx(spread["real"], rel=0.05)
    assert spread["real"] == pytest.approx(2 / np.sqrt(np.pi) * 0.05 / 0.4, rel=0.05)
