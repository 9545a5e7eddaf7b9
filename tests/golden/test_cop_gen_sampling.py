"""The released noise schedule and sampler against numbers that the published code gives."""

import json
import math
from itertools import accumulate
from pathlib import Path as File

import pytest
import torch
from torch.testing import assert_close

from armillary.generate.moves import walk
from armillary.generate.solver import RELEASED_SOLVER, Solver
from armillary.models.path import RELEASED

GOLDEN = json.loads((File(__file__).parent / "cop_gen.json").read_text())
START = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64).view(5, 1, 1, 1)
MEAN, VARIANCE = 0.7, 0.4


def run(solver: Solver) -> torch.Tensor:
    """The problem of the file: a normal value of mean 0.7 and variance 0.4, exactly denoised."""
    moves = solver.moves(RELEASED)

    def expect(x, k):  # type: ignore[no-untyped-def]
        t = torch.tensor(moves[k].time, dtype=torch.float64)
        a, s = RELEASED.alpha(t), RELEASED.sigma(t)
        noise = s * (x["z"] - a * MEAN) / (a**2 * VARIANCE + s**2)
        return {"z": RELEASED.x0(x["z"], noise, t)}

    *_, (_, x, _) = walk(moves, {"z": START}, expect)
    return x["z"].flatten()


def closed_form() -> torch.Tensor:
    """Where the exact flow ends: the quantile is kept."""
    t = torch.tensor([1.0, RELEASED.end], dtype=torch.float64)
    (a, b), (s, e) = RELEASED.alpha(t), RELEASED.sigma(t)
    spread = ((b**2 * VARIANCE + e**2) / (a**2 * VARIANCE + s**2)).sqrt()
    return b * MEAN + spread * (START.flatten() - a * MEAN)


@pytest.mark.parametrize("n", sorted(map(int, GOLDEN["alpha_bar"])))
def test_what_is_left_after_n_steps_is_as_published(n: int) -> None:
    t = torch.tensor(n / 1000, dtype=torch.float64)
    assert RELEASED.alpha(t).item() ** 2 == pytest.approx(GOLDEN["alpha_bar"][str(n)], rel=1e-12)
    assert RELEASED.sigma(t).item() ** 2 == pytest.approx(1 - GOLDEN["alpha_bar"][str(n)], rel=1e-9)


def test_the_released_sampler_gives_the_published_samples() -> None:
    assert_close(run(RELEASED_SOLVER), torch.tensor(GOLDEN["dpm"]["out"], dtype=torch.float64), atol=2e-7, rtol=0)


def test_the_exact_flow_is_as_published() -> None:
    assert_close(closed_form(), torch.tensor(GOLDEN["dpm"]["exact"], dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("steps", range(1, 53))
def test_every_number_of_steps_asks_that_often_and_shares_orders_as_released(steps: int) -> None:
    moves = Solver("dpm++3s", steps).moves(RELEASED)
    nodes = torch.linspace(1, RELEASED.end, steps + 1, dtype=torch.float64).tolist()
    k, rest = steps // 3 + 1, steps % 3
    released = {0: [3] * (k - 2) + [2, 1], 1: [3] * (k - 1) + [1], 2: [3] * (k - 1) + [2]}[rest]
    assert [m.time for m in moves] == nodes[:-1]
    assert [m.to for m in moves if m.whole] == [nodes[i] for i in accumulate(released)]


@pytest.mark.parametrize("rest", [0, 1, 2])
def test_more_steps_come_closer_to_the_exact_flow(rest: int) -> None:
    errors = [float((run(Solver("dpm++3s", n + rest)) - closed_form()).abs().max()) for n in (48, 96, 192)]
    assert errors[0] > errors[1] > errors[2]
    assert math.log2(errors[1] / errors[2]) > 1
