"""Laws 11 and 12: with an exact denoiser the sampler returns mean and covariance; given strands come back as given.

Named for a mistake of the released sampler: it shows ignored strands as noise and calls them clean, which loses half of
what the given strand says and two thirds of the variance where strands are strongly correlated.
"""

import pytest
import torch
from torch import Tensor

from armillary.errors import BadInput
from armillary.generate.condition import Ignoring, Roles
from armillary.generate.gaussian import Gaussian, alike
from armillary.generate.noise import noise
from armillary.generate.sampler import final, sample
from armillary.generate.solver import FAST, Solver
from armillary.models.path import OURS, RELEASED, Path

SIDE = 150
SHAPES = {"a": (1, SIDE, SIDE), "b": (1, SIDE, SIDE), "c": (1, SIDE, SIDE)}
CORRECT: tuple[Ignoring, ...] = ("noise at T", "jointly", "left out")
METHODS = (FAST, Solver("heun", 12), Solver("dpm++3s", 30, "log-snr"), Solver("euler", 80))


def b_from_a(rho: float, path: Path, solver: Solver, ignoring: Ignoring) -> tuple[float, float, float]:
    """Slope of b on a, variance of b given a, variance of b; c is ignored."""
    exact = Gaussian(alike(rho), path, strands=tuple(SHAPES))
    given = {"a": noise((1,), "truth", SHAPES["a"])}
    roles = Roles.asking(SHAPES, ("b",), ("a",), ignoring)
    b = final(sample(exact, path, roles, given, SHAPES, (0,), solver)).x["b"].flatten().double()
    a = given["a"].flatten().double()
    slope = (a * b).mean() / (a * a).mean()
    return float(slope), float((b - slope * a).var()), float(b.var())


@pytest.mark.parametrize("rho", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("ignoring", CORRECT)
def test_what_is_given_says_all_that_it_can_and_nothing_is_lost(rho: float, ignoring: Ignoring) -> None:
    found = b_from_a(rho, OURS, FAST, ignoring)
    assert found == pytest.approx((rho, 1 - rho**2, 1.0), abs=0.05)


@pytest.mark.parametrize("solver", METHODS)
def test_every_method_returns_the_conditional(solver: Solver) -> None:
    assert b_from_a(0.8, OURS, solver, "noise at T") == pytest.approx((0.8, 0.36, 1.0), abs=0.05)


@pytest.mark.parametrize(
    ("rho", "measured"), [(0.5, (0.318, 0.637, 0.738)), (0.8, (0.428, 0.265, 0.451)), (0.95, (0.478, 0.075, 0.301))]
)
def test_the_released_way_loses_what_was_measured_of_it(rho: float, measured: tuple[float, float, float]) -> None:
    found = b_from_a(rho, RELEASED, Solver("euler", 50, "time"), "released")
    assert found == pytest.approx(measured, abs=0.025)


@pytest.mark.parametrize("want", [("a", "b", "c"), ("b", "c")])
def test_what_is_generated_together_has_the_mean_and_covariance_of_the_model(want: tuple[str, ...]) -> None:
    covariance = torch.tensor([[1.0, 0.6, -0.3], [0.6, 2.0, 0.1], [-0.3, 0.1, 0.5]])
    rows = tuple(tuple(r) for r in covariance.tolist())
    exact = Gaussian(rows, OURS, (1.0, -2.0, 0.5), strands=tuple(SHAPES))
    roles = Roles.asking(SHAPES, want)
    x = final(sample(exact, OURS, roles, {}, SHAPES, (3,))).x
    drawn = torch.stack([x[s].flatten().double() for s in want])
    at = ["abc".index(s) for s in want]
    assert drawn.mean(dim=1).tolist() == pytest.approx([(1.0, -2.0, 0.5)[i] for i in at], abs=0.03)
    assert drawn.cov().flatten().tolist() == pytest.approx(covariance[at][:, at].flatten().tolist(), abs=0.08)


@pytest.mark.parametrize("ignoring", [*CORRECT, "released"])
def test_given_strands_come_back_bit_identical(ignoring: Ignoring) -> None:
    shapes = dict.fromkeys("abc", (1, 4, 3))
    given: dict[str, Tensor] = {"a": torch.tensor([1e-30, torch.nan, -0.0, 3.0]).view(1, 1, 4, 1).expand(1, 1, 4, 3)}
    exact = Gaussian(alike(0.5), OURS, strands=("a", "b", "c"))
    for state in sample(exact, OURS, Roles.asking("abc", "b", "a", ignoring), given, shapes, (0,), Solver(steps=3)):
        assert torch.equal(state.x["a"].contiguous().view(torch.int32), given["a"].contiguous().view(torch.int32))


def test_a_strand_both_given_and_wanted_is_an_error() -> None:
    with pytest.raises(BadInput, match="both given and wanted"):
        Roles.asking("abc", "ab", "a")
