import math
from itertools import pairwise

import pytest
import torch

from armillary.errors import OutOfRange
from armillary.generate.moves import walk
from armillary.generate.solver import FAST, RELEASED_SOLVER, Method, Solver
from armillary.models.path import OURS, RELEASED, Path

VARIANCES = torch.logspace(-3, 2, 21, dtype=torch.float64)
METHODS: tuple[Method, ...] = ("dpm++2m", "dpm++3s", "euler", "heun")


def stretch(solver: Solver, path: Path = OURS, variances: torch.Tensor = VARIANCES) -> torch.Tensor:
    """Deviation of samples of centred normal values over the true deviation, one per variance."""
    moves = solver.moves(path)

    def expect(x, k):  # type: ignore[no-untyped-def]
        t = torch.tensor(moves[k].time, dtype=torch.float64)
        a, s = path.alpha(t), path.sigma(t)
        return {"z": (a * variances / (a**2 * variances + s**2)).view(-1, 1, 1, 1) * x["z"]}

    *_, (_, x, _) = walk(moves, {"z": torch.ones(len(variances), 1, 1, 1, dtype=torch.float64)}, expect)
    return x["z"].flatten() / variances.sqrt()


def error(solver: Solver, path: Path = OURS) -> float:
    return float((stretch(solver, path) - 1).abs().max())


def test_twenty_fast_steps_spread_every_variance_right_to_2_percent() -> None:
    assert error(FAST) < 0.02


def test_the_released_way_spreads_small_and_large_variances_wrong() -> None:
    assert error(RELEASED_SOLVER, RELEASED) > 0.15


@pytest.mark.parametrize("method", METHODS)
def test_every_method_converges(method: Method) -> None:
    coarse, fine = (error(Solver(method, n, "log-snr")) for n in (20, 80))
    assert fine < coarse * (0.5 if method == "euler" else 0.25)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("dpm++2m", 2), ("heun", 2), ("dpm++3s", 3)])
def test_every_method_has_its_order_between_the_ends(method: Method, order: int) -> None:
    # on the released path lambda is finite; the exact flow of a normal value keeps its quantile
    path, v = RELEASED, torch.tensor([0.2, 3.0], dtype=torch.float64)
    a, s = (f(torch.tensor([1.0, path.end], dtype=torch.float64)) for f in (path.alpha, path.sigma))
    exact = ((a[1] ** 2 * v + s[1] ** 2) / (a[0] ** 2 * v + s[0] ** 2) / v).sqrt()
    off = [float((stretch(Solver(method, n, "log-snr"), path, v) - exact).abs().max()) for n in (92, 185)]  # 3k + 2
    assert math.log2(off[0] / off[1]) > order - 0.4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 20])
@pytest.mark.parametrize("path", [OURS, RELEASED, Path("scaled-linear", "eps")])
def test_any_number_of_steps_goes_from_noise_to_the_end(method: Method, steps: int, path: Path) -> None:
    for spacing in ("time", "log-snr"):
        solver = Solver(method, steps, spacing)  # type: ignore[arg-type]
        nodes, moves = solver.nodes(path), solver.moves(path)
        assert (len(nodes), nodes[0], nodes[-1]) == (steps + 1, 1.0, path.end)
        assert all(a > b for a, b in pairwise(nodes))
        assert len(moves) == (2 * steps - 1 if method == "heun" else steps)
        assert bool(torch.isfinite(stretch(solver, path)).all())


@pytest.mark.parametrize("method", METHODS)
def test_a_place_that_is_known_beforehand_is_returned(method: Method) -> None:
    moves = Solver(method, 7).moves(OURS)
    truth = torch.full((1, 1, 2, 2), 3.25)
    *_, (_, x, _) = walk(moves, {"z": torch.randn(1, 1, 2, 2)}, lambda *_: {"z": truth})
    torch.testing.assert_close(x["z"], truth)


def test_no_steps_are_refused() -> None:
    with pytest.raises(OutOfRange, match="at least 1"):
        Solver(steps=0)


def test_more_steps_than_times_are_refused() -> None:
    with pytest.raises(OutOfRange, match="tells 1000 times apart"):
        Solver(steps=100_000_000)
