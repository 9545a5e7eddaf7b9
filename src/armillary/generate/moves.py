"""Moves: the way from noise to a sample, as a table of numbers.

Every method of sampling here asks a network at some times and then sets x to a sum of an earlier x and of the clean
values x_0 that the network expected. A *move* is one asking with the numbers of that sum.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from armillary.generate.denoiser import ByStrand


@dataclass(frozen=True)
class Move:
    """One asking, and what follows from it: x_{k+1} = keep x_base + sum of weight x (x_0 expected at asking j).

    Args:
        time: of x_k, at which the network is asked.
        base: number of the x that is kept; 0 is the noise at the start.
        keep: its factor.
        weights: (number of an asking, factor).
        to: time of x_{k+1}.
        whole: whether x_{k+1} lies on the way; otherwise it only serves to ask.
    """

    time: float
    base: int
    keep: float
    weights: tuple[tuple[int, float], ...]
    to: float
    whole: bool = True


def walk(
    moves: tuple[Move, ...], x: ByStrand, expect: Callable[[ByStrand, int], ByStrand]
) -> Iterator[tuple[Move, ByStrand, ByStrand]]:
    """Go through a table: each move with the x that it led to and the x_0 that was expected before it.

    Args:
        moves: see `Solver.moves`.
        x: noise at T.
        expect: x and the number of the asking -> the clean values expected.
    """
    states: dict[int, ByStrand] = {0: x}
    clean: dict[int, ByStrand] = {}
    for k, move in enumerate(moves):
        clean[k] = expect(states[k], k)
        states[k + 1] = moved(move, states[move.base], {j: clean[j] for j, _ in move.weights})
        yield move, states[k + 1], clean[k]
        states = {j: v for j, v in states.items() if j == k + 1 or j in bases_after(moves, k)}
        clean = {j: v for j, v in clean.items() if j in askings_after(moves, k)}


def moved(move: Move, base: ByStrand, clean: Mapping[int, ByStrand]) -> dict[str, Tensor]:
    """The x that a move leads to, from its base and the clean values that it weighs."""
    found = {}
    for strand, x in base.items():
        x_next = move.keep * x
        for j, weight in move.weights:
            x_next = x_next.add(clean[j][strand], alpha=weight)
        found[strand] = x_next
    return found


def bases_after(moves: tuple[Move, ...], k: int) -> frozenset[int]:
    """Which x moves after the k-th begin from."""
    return frozenset(m.base for m in moves[k + 1 :])


def askings_after(moves: tuple[Move, ...], k: int) -> frozenset[int]:
    """Which askings moves after the k-th weigh."""
    return frozenset(j for m in moves[k + 1 :] for j, _ in m.weights)
