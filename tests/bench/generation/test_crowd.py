"""Generated items of the exact law cannot be told from real ones; those of another law can. Synthetic."""

from dataclasses import replace

import numpy as np
import pytest
from tests.bench.generation.worlds import COVARIANCE, NAMES, material, teller

from armillary.bench.generation.ask import Setting
from armillary.bench.generation.crowd import HALVES, MADE, TRAINING, crowd, describe_nano, has_crowd
from armillary.bench.generation.plan import GenerationPlan
from armillary.errors import BadInput
from armillary.generate.gaussian import Gaussian
from armillary.models.path import OURS

PLAN = GenerationPlan(("exact",), crowd=32)
SETTING = Setting(teller(), material(held=32, train=32), PLAN)


def pixels(samples):
    return np.stack([s.pixels[0, :4, :4].ravel() for s in samples])


@pytest.mark.parametrize("given", [(), ("all others",)])
def test_the_exact_law_cannot_be_told_apart(given):
    cuts, numbers = crowd(SETTING, "s2-l2a", given, pixels)
    assert len(cuts) == 32
    made = numbers["crowds"][MADE]
    assert made["low"] < 0.5 < made["high"] + 0.1
    assert made["told_apart"] == pytest.approx(numbers["crowds"][TRAINING]["told_apart"], abs=0.2)
    assert numbers["spread"][MADE] == pytest.approx(numbers["spread"]["real"], rel=0.1)
    assert [numbers["crowds"][who]["rows"] for who in (MADE, TRAINING, HALVES)] == [32, 32, 16]


def test_a_law_with_another_mean_is_told_apart():
    other = replace(SETTING.teller, denoise=Gaussian(COVARIANCE, OURS, mean=(3.0, 3.0, 3.0), strands=NAMES))
    _, numbers = crowd(Setting(other, SETTING.material, PLAN), "s2-l2a", (), pixels)
    found = numbers["crowds"]
    assert found[MADE]["low"] > 0.5
    assert found[MADE]["coverage"] < 0.5 < found[TRAINING]["coverage"]
    assert found[MADE]["frechet"] > 5 * found[TRAINING]["frechet"]


def test_copernicus_fm_sees_them():
    few = Setting(teller(steps=2), material(held=8, train=8), PLAN)
    assert has_crowd(few, "s2-l2a", ())
    _, numbers = crowd(few, "s2-l2a", (), describe_nano())
    assert numbers["spread"]["real"] > 0


def test_too_few_items_are_no_crowd():
    few = Setting(teller(), material(held=5), PLAN)
    assert not has_crowd(few, "s2-l2a", ())
    with pytest.raises(BadInput, match="8 are needed"):
        crowd(few, "s2-l2a", (), pixels)
