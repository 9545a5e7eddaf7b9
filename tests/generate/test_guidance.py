import pytest
import torch
from torch.testing import assert_close

from armillary.generate.condition import Ignoring, Roles
from armillary.generate.gaussian import Gaussian, alike
from armillary.generate.noise import noise
from armillary.generate.sampler import final, sample
from armillary.generate.solver import FAST
from armillary.models.path import OURS

SHAPES = dict.fromkeys("abc", (1, 60, 60))
EXACT = Gaussian(alike(0.8), OURS, strands=("a", "b", "c"))
GIVEN = {"a": noise((1,), "truth", SHAPES["a"])}


def slope(guidance: float, ignoring: Ignoring = "noise at T") -> float:
    roles = Roles.asking("abc", "b", "a", ignoring, guidance=guidance)
    b = final(sample(EXACT, OURS, roles, GIVEN, SHAPES, (0,), FAST)).x["b"]
    return float((GIVEN["a"] * b).mean() / GIVEN["a"].square().mean())


@pytest.mark.parametrize("ignoring", ["noise at T", "left out", "jointly"])
def test_more_guidance_follows_what_is_given_more_and_none_forgets_it(ignoring: Ignoring) -> None:
    found = [slope(g, ignoring) for g in (0.0, 1.0, 2.0)]
    assert found == pytest.approx([0.0, 0.8, found[2]], abs=0.05)
    assert found[2] > 1.0


def test_a_prediction_is_moved_along_the_line_from_without_to_with() -> None:
    asked: list[torch.Tensor] = []

    def denoise(x, times):  # type: ignore[no-untyped-def]
        asked.append(times)
        return EXACT(x, times)

    roles = Roles.asking("abc", ("b", "c"), "a", guidance=1.5)
    first = next(sample(denoise, OURS, roles, GIVEN, SHAPES, (0,), FAST)).x0["b"]
    # at T the expected value is 0 without, and rho a with
    assert_close(first, 1.5 * 0.8 * GIVEN["a"], atol=1e-5, rtol=0)
    assert [t[0].tolist() for t in asked] == [[0.0, 1000.0, 1000.0], [1000.0] * 3]


def test_without_guidance_or_without_anything_given_the_network_is_asked_once() -> None:
    for roles in (Roles.asking("abc", "b", "a"), Roles.asking("abc", "b", guidance=3.0)):
        assert not roles.guided
