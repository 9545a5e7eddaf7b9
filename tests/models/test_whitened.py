from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import BandMismatch, OutOfRange
from armillary.models.whitened import FEWEST, Whitened, fit
from armillary.sample.sample import Sample

S2 = sensors["s2-l2a"].select(("B04", "B08", "B11"))


def samples(n: int, side_px: int = 16, seed: int = 0) -> list[Sample]:
    """Synthetic crops whose brightness and texture differ."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        level, contrast = rng.uniform(0.05, 0.4, (3, 1, 1)), rng.uniform(0.001, 0.05)
        pixels = (level + contrast * rng.normal(size=(3, side_px, side_px))).astype(np.float32)
        window = Window.of((side_px, side_px), (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0), "EPSG:32632")
        made.append(Sample(pixels, S2, window))
    return made


@pytest.fixture(scope="module")
def teacher() -> Whitened:
    return fit(samples(300), width=12, patches=6, seed=0)


def test_targets_of_the_samples_it_was_fitted_to_are_uncorrelated_with_mean_variance_1(teacher: Whitened) -> None:
    targets = teacher(samples(300)).double()
    assert teacher.width == 12
    second = targets.T @ targets / len(targets)
    assert_close(second, torch.diag(second.diagonal()), atol=2e-3, rtol=0)
    assert float(second.diagonal().mean()) == pytest.approx(1.0, abs=0.01)


def test_the_strongest_component_comes_first_and_is_damped_to_the_root_of_its_deviation(teacher: Whitened) -> None:
    variance = teacher(samples(300)).var(dim=0)
    assert bool((variance.diff() < 1e-3).all())
    raw = _scaled(teacher, samples(300))
    deviation = torch.linalg.eigvalsh(raw.T @ raw / len(raw)).flip(0)[:12].sqrt()
    assert_close((variance / variance[0]), (deviation / deviation[0]).float(), rtol=0.03, atol=0.01)


def _scaled(teacher: Whitened, found: list[Sample]) -> torch.Tensor:
    """Numbers before they are turned, found by turning with the unit matrix."""
    return replace(teacher, turn=torch.eye(len(teacher.mean)))(found).double()


def test_an_item_is_described_the_same_whatever_its_neighbours(teacher: Whitened) -> None:
    found = samples(5, seed=1)
    assert_close(teacher(found)[2:3], teacher(found[2:3]))


def test_pixels_without_a_value_never_make_a_target_that_is_no_number(teacher: Whitened) -> None:
    found = samples(2, seed=1)
    found[0].pixels[:] = np.nan
    found[1].pixels[1, :8] = np.nan
    assert bool(torch.isfinite(teacher(found)).all())


def test_the_same_samples_and_seed_give_the_same_teacher(teacher: Whitened) -> None:
    again = fit(samples(300), width=12, patches=6, seed=0)
    assert torch.equal(again.turn, teacher.turn)


def test_a_teacher_without_random_patches_says_less() -> None:
    assert len(fit(samples(40), width=99, patches=0, seed=0).mean) < len(
        fit(samples(40), width=99, patches=6, seed=0).mean
    )


def test_families_of_numbers_have_the_same_say(teacher: Whitened) -> None:
    """One over the root of how many there are: the squares of a family's weights add up to 1."""
    totals = [float(teacher.say[teacher.say == say].square().sum()) for say in teacher.say.unique()]
    assert totals == pytest.approx([1.0] * len(totals))


def test_few_samples_or_samples_of_several_kinds_are_refused() -> None:
    with pytest.raises(OutOfRange, match=f"at least {FEWEST}"):
        fit(samples(FEWEST - 1), width=4, patches=0, seed=0)
    with pytest.raises(BandMismatch, match="one kind"):
        fit([*samples(40), *samples(1, side_px=8)], width=4, patches=0, seed=0)
