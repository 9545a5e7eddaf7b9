"""Drift and dates of the exact denoiser, in closed form. Synthetic."""

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
