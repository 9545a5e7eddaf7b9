"""Solver: a method of sampling, how finely it goes, and through which times."""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from armillary.errors import BadInput, OutOfRange
from armillary.generate.methods import METHODS, Point
from armillary.generate.moves import Move
from armillary.models.path import Path

Method = Literal["dpm++2m", "dpm++3s", "euler", "heun"]

Spacing = Literal["log-snr", "time"]

LOG_SNR = (-4.0, 5.0)
"""Between these, 20 steps are evenly spaced in lambda. The spread of a Gaussian of any variance from 0.001 to 100 is
then right to 2 % (tests/generate/test_solver.py). The steps to and from the ends are of first order: n steps reach
further by log(n / 20), so that what those miss falls with 1 / n²."""

LOG_SNR_STEPS = 20

MOST_STEPS = 1000
"""A network tells about a thousand times apart."""


@dataclass(frozen=True)
class Solver:
    """A method, and how finely it goes.

    Args:
        method: "dpm++2m": second order, remembers the last asking. "dpm++3s": third order in single steps, as the
            released models are sampled. "euler": first order (DDIM, arXiv:2010.02502). "heun": second order, the mean
            of v at both ends of a step.
        steps: how often the network is asked; "heun" asks 2 steps - 1 times.
        spacing: nodes evenly spaced in log-SNR or in time; None: in time for "dpm++3s", else in log-SNR.

    Raises:
        OutOfRange: no step at all, or more than MOST_STEPS.
        BadInput: no such method.
    """

    method: Method = "dpm++2m"
    steps: int = 20
    spacing: Spacing | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise OutOfRange(f"{self.steps} steps lead nowhere; give at least 1")
        if self.steps > MOST_STEPS:
            raise OutOfRange(
                f"{self.steps} steps were asked for and a network tells {MOST_STEPS} times apart; give less"
            )
        if self.method not in METHODS:
            raise BadInput(f"{self.method!r} is no way of sampling; it is one of {', '.join(METHODS)}")

    def nodes(self, path: Path) -> tuple[float, ...]:
        """Times from T to the end of the path, one more than steps."""
        spacing = self.spacing or ("time" if self.method == "dpm++3s" else "log-snr")
        if spacing == "time":
            return tuple(torch.linspace(1, path.end, self.steps + 1, dtype=torch.float64).tolist())
        return _by_log_snr(path, self.steps)

    def moves(self, path: Path) -> tuple[Move, ...]:
        """The table of numbers on a path."""
        return METHODS[self.method](_points(path, self.nodes(path)))


FAST = Solver()
"""Twenty askings, multistep, second order."""

RELEASED_SOLVER = Solver("dpm++3s", 50)
"""As the released code samples."""


def _points(path: Path, nodes: tuple[float, ...]) -> tuple[Point, ...]:
    t = torch.tensor(nodes, dtype=torch.float64)
    columns = zip(nodes, path.alpha(t).tolist(), path.sigma(t).tolist(), path.log_snr(t).tolist(), strict=True)
    return tuple(Point(*column) for column in columns)


def _by_log_snr(path: Path, steps: int) -> tuple[float, ...]:
    """T, evenly spaced lambda, and the end; an end that lies within LOG_SNR is one of the evenly spaced."""
    first, last = path.log_snr(torch.tensor((1.0, path.end), dtype=torch.float64)).tolist()
    further = math.log(steps / LOG_SNR_STEPS)
    low, high = max(first, LOG_SNR[0] - further), min(last, LOG_SNR[1] + further)
    before, after = [1.0] * (first < low), [path.end] * (last > high)
    count = steps + 1 - len(before) - len(after)
    even = torch.linspace(low, high, count, dtype=torch.float64) if count != 1 else torch.tensor([(low + high) / 2])
    nodes = [*before, *path.time_of(even.double()).tolist(), *after]
    return (1.0, *nodes[1:-1], path.end)
