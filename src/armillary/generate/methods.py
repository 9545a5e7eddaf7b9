"""Methods: which numbers each way of sampling moves by, from the nodes that it goes through.

All solve d(x / sigma) = x_0 d(alpha / sigma), with x_0 as the network expects it: data prediction, as DPM-Solver++ does
(Lu et al., arXiv:2211.01095). Where lambda = log(alpha / sigma) is infinite, at either end, a step is of first order.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from armillary.generate.moves import Move


@dataclass(frozen=True)
class Point:
    """A node of the path."""

    t: float
    alpha: float
    sigma: float
    log_snr: float

    def from_(self, s: "Point") -> tuple[float, float]:
        """Factors of x and of x_0 in the exact step from s, were x_0 the same all the way."""
        keep = self.sigma / s.sigma
        return keep, self.alpha - s.alpha * keep


def euler(points: tuple[Point, ...]) -> tuple[Move, ...]:
    """First order: as if x_0 were the same all the way (DDIM, arXiv:2010.02502)."""
    moves = []
    for k, (s, t) in enumerate(pairwise(points)):
        keep, gain = t.from_(s)
        moves.append(Move(s.t, k, keep, ((k, gain),), t.t))
    return tuple(moves)


def multistep2(points: tuple[Point, ...]) -> tuple[Move, ...]:
    """Algorithm 2 of arXiv:2211.01095; first order where lambda is infinite."""
    moves = list(euler(points))
    for k in range(1, len(moves)):
        h, before = (points[j + 1].log_snr - points[j].log_snr for j in (k, k - 1))
        if math.isfinite(h) and math.isfinite(before):
            gain, share = moves[k].weights[0][1], h / (2 * before)
            weights = ((k, gain * (1 + share)), (k - 1, -gain * share))
            moves[k] = Move(points[k].t, k, moves[k].keep, weights, points[k + 1].t)
    return tuple(moves)


def heun(points: tuple[Point, ...]) -> tuple[Move, ...]:
    """The trapezoid rule in the angle atan2(sigma, alpha), along which x moves with v; the last step is Euler's."""
    moves: list[Move] = []
    for s, t in pairwise(points[:-1]):
        k = len(moves)
        keep, gain = t.from_(s)
        half = 0.5 * (math.atan2(t.sigma, t.alpha) - math.atan2(s.sigma, s.alpha))
        both = 1 + half * (s.alpha / s.sigma + t.alpha / t.sigma * keep)
        first = half * (t.alpha / t.sigma * gain - 1 / s.sigma)
        moves.append(Move(s.t, k, keep, ((k, gain),), t.t, whole=False))
        moves.append(Move(t.t, k, both, ((k, first), (k + 1, -half / t.sigma)), t.t))
    k = len(moves)
    keep, gain = points[-1].from_(points[-2])
    return (*moves, Move(points[-2].t, k, keep, ((k, gain),), points[-1].t))


def orders(steps: int) -> tuple[int, ...]:
    """Orders of the single steps that ask `steps` times in all, as the released code shares them out.

    Example:
        >>> orders(6), orders(7), orders(8)
        ((3, 2, 1), (3, 3, 1), (3, 3, 2))
    """
    thirds, rest = divmod(steps, 3)
    if rest == 0:
        return (3,) * (thirds - 1) + (2, 1) if steps else ()
    return (3,) * thirds + (rest,)


def singlestep3(points: tuple[Point, ...]) -> tuple[Move, ...]:
    """Single steps of up to third order over nodes; first order where lambda is infinite."""
    steps = len(points) - 1
    start = int(math.isinf(points[0].log_snr))
    stop = int(math.isinf(points[-1].log_snr) and steps > start)
    moves: list[Move] = []
    for order in (1,) * start + orders(steps - start - stop) + (1,) * stop:
        k = len(moves)
        moves += _single(points[k : k + order + 1], k)
    return tuple(moves)


def _single(points: tuple[Point, ...], k: int) -> Iterator[Move]:
    """The moves of one step from the first to the last of 2, 3 or 4 points."""
    s, t, order = points[0], points[-1], len(points) - 1
    keep, gain = t.from_(s)
    if order == 1:
        yield Move(s.t, k, keep, ((k, gain),), t.t)
        return
    h = t.log_snr - s.log_snr
    one = points[1]
    r1 = (one.log_snr - s.log_snr) / h
    inner_keep, inner_gain = one.from_(s)
    yield Move(s.t, k, inner_keep, ((k, inner_gain),), one.t, whole=False)
    if order == 2:
        bend = gain / (2 * r1)
        yield Move(one.t, k, keep, ((k, gain - bend), (k + 1, bend)), t.t)
        return
    two = points[2]
    r2 = (two.log_snr - s.log_snr) / h
    inner_keep, inner_gain = two.from_(s)
    bend = r2 / r1 * two.alpha * (math.expm1(-r2 * h) / (r2 * h) + 1)
    yield Move(one.t, k, inner_keep, ((k, inner_gain - bend), (k + 1, bend)), two.t, whole=False)
    bend = t.alpha * (math.expm1(-h) / h + 1) / r2
    yield Move(two.t, k, keep, ((k, gain - bend), (k + 2, bend)), t.t)


METHODS: Mapping[str, Callable[[tuple[Point, ...]], tuple[Move, ...]]] = {
    "dpm++2m": multistep2,
    "dpm++3s": singlestep3,
    "euler": euler,
    "heun": heun,
}
