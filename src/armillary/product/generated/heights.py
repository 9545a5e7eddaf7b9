"""Heights: one elevation of a whole scene, from the relief about each window's mean and the means that were told.

Every window is told a mean of its own. Where they are guesses they disagree by more than the ground rises, and a cliff
stands where one window fades into the next. The relief knows better: true ground goes on beyond a seam as it came, so
the means are moved to where the whole bends least. Only ground that was measured counts; what a window makes of the
rest is cut off.

With z = relief + blended means, f = the field of what is added to the means, blended in the same way, and c = second
differences along rows and along columns, what is added, d, minimises |c(z + f)|^2 + r |d|^2. In normal equations that
is (M + r) d = -b. How much true ground bends (variance s) and how wrong a mean is (variance v) come from the scene: the
energy |c(z)|^2 that no d could take away is s for each of its numbers, and what one could, b M^-1 b, is expected to be
v tr(M) + s for each window but one; r = s / v. The mean height of the ground that was measured stays as it was told.

The relief is believed. Where it is too faint, as an expectation may be, right means are moved as well: see
docs/generate.md for how far.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

from armillary.generate.windows import Axis

STILL = 1e-10
"""Share of the largest entry of M that stands in for r where none is known yet: a scene may stand at any height."""


@dataclass(frozen=True)
class Side:
    """Rows or columns of a scene, and the windows along them.

    Args:
        axis: where the windows are.
        px: pixels of the relief in a cell.
    """

    axis: Axis
    px: int

    @cached_property
    def blend(self) -> csr_array:
        """Share of each window in each pixel, (window, pixel)."""
        shares, n = self.axis.shares(self.px).double().numpy(), self.axis.side * self.px
        columns = (np.asarray(self.axis.starts)[:, None] * self.px + np.arange(n)).ravel()
        rows = np.repeat(np.arange(len(shares)), n)
        return csr_array((shares.ravel(), (rows, columns)), shape=(len(shares), self.axis.cells * self.px))

    @cached_property
    def bends(self) -> csr_array:
        """Second differences of the shares, (window, pixel but the first and last)."""
        e = self.blend
        return csr_array(e[:, :-2] - 2 * e[:, 1:-1] + e[:, 2:])

    @cached_property
    def pairs(self) -> Int[np.ndarray, "2 k"]:
        """Windows that overlap or touch, each with itself and both ways."""
        starts = np.asarray(self.axis.starts)
        return np.stack(np.nonzero(np.abs(starts[:, None] - starts) <= self.axis.side))

    def products(self, of: csr_array) -> csr_array:
        """Rows of two windows multiplied pixel by pixel, for every pair."""
        one, other = self.pairs
        return csr_array(of[one].multiply(of[other]))


@dataclass(eq=False)
class _Sums:
    """What is summed over the pixels of a scene.

    Args:
        m: M, (pair of rows of windows, pair of columns).
        b: of each window.
        seen: share of each window in the ground that was measured.
        energy: of the bends.
        count: how many there are.
    """

    m: Float[np.ndarray, "i j"]
    b: Float[np.ndarray, "r c"]
    seen: Float[np.ndarray, "r c"]
    energy: float = field(default=0.0)
    count: float = field(default=0.0)


@dataclass(frozen=True)
class Blend:
    """Means of windows, as a field.

    Args:
        rows: of the scene.
        columns: of the scene.
    """

    rows: Side
    columns: Side

    def field(self, means: Float[np.ndarray, "r c"], rows: slice) -> Float[np.ndarray, "y x"]:
        """Rows of the means, each window fading into the next."""
        spread: np.ndarray = self.rows.blend[:, rows].T @ (self.columns.blend.T @ means.T).T
        return spread

    def agreed(
        self,
        means: Float[np.ndarray, "r c"],
        relief: Callable[[slice], Float[np.ndarray, "1 y x"]],
        known: Callable[[slice], Bool[np.ndarray, "y x"]],
        block: int,
    ) -> Float[np.ndarray, "r c"]:
        """The means, moved to where the whole bends least.

        Args:
            means: that the windows were told, in metres.
            relief: gives rows of the relief, in metres, from the first column to the last.
            known: gives rows of where the ground was measured.
            block: rows that are asked for at once.
        """
        if means.size == 1:
            return means
        sums = self._summed(means.astype(np.float64), relief, known, block)
        moved = _solved(self._matrix(sums.m), sums).reshape(means.shape)
        agreed: np.ndarray = means + moved - (sums.seen * moved).sum() / max(float(sums.seen.sum()), 1.0)
        return agreed

    def _summed(
        self,
        means: Float[np.ndarray, "r c"],
        relief: Callable[[slice], Float[np.ndarray, "1 y x"]],
        known: Callable[[slice], Bool[np.ndarray, "y x"]],
        block: int,
    ) -> _Sums:
        rows, columns = self.rows, self.columns
        blends, bends = ([side.products(of) for side, of in pair] for pair in (
            ((rows, rows.blend), (columns, columns.blend)), ((rows, rows.bends), (columns, columns.bends)),
        ))  # fmt: skip
        sums = _Sums(
            np.zeros((rows.pairs.shape[1], columns.pairs.shape[1])), np.zeros(means.shape), np.zeros(means.shape)
        )
        for start in range(0, rows.blend.shape[1], block):
            stop, first = min(start + block, rows.blend.shape[1]), max(start - 1, 0)
            seen = slice(first, min(stop + 1, rows.blend.shape[1]))
            z, there = relief(seen)[0] + self.field(means, seen), known(seen).astype(np.float64)
            own, of = slice(start - first, stop - first), slice(first, max(seen.stop - 2, first))
            down, across = _bent(z.T).T, _bent(z[own])
            down_there, across_there = _all_three(there.T).T, _all_three(there[own])
            sums.m += bends[0][:, of] @ (blends[1] @ down_there.T).T
            sums.m += blends[0][:, start:stop] @ (bends[1] @ across_there.T).T
            sums.b += rows.bends[:, of] @ (columns.blend @ (down_there * down).T).T
            sums.b += rows.blend[:, start:stop] @ (columns.bends @ (across_there * across).T).T
            sums.seen += rows.blend[:, start:stop] @ (columns.blend @ there[own].T).T
            sums.energy += float((down_there * down**2).sum() + (across_there * across**2).sum())
            sums.count += float(down_there.sum() + across_there.sum())
        return sums

    def _matrix(self, m: Float[np.ndarray, "i j"]) -> csc_array:
        """M of all windows, row by row of windows, from sums over pairs of rows and pairs of columns."""
        n, (r, c) = len(self.columns.axis.starts), (self.rows.pairs, self.columns.pairs)
        at = (r[:, :, None] * n + c[:, None, :]).reshape(2, -1)
        size = len(self.rows.axis.starts) * n
        return csc_array(coo_array((m.ravel(), (at[0], at[1])), shape=(size, size)))


def _solved(m: csc_array, sums: _Sums) -> Float[np.ndarray, " n"]:
    """What to add to each mean."""
    bends, b = m.diagonal(), sums.b.ravel()
    windows = int((bends > 0).sum()) - 1
    if windows < 1:
        return np.zeros_like(b)
    every = eye_array(len(b), format="csc")
    held = float(b @ splu(m + STILL * bends.max() * every).solve(b))
    s = max(sums.energy - held, 0.0) / max(sums.count - windows, 1.0)
    v = (held - windows * s) / float(bends.sum())
    if v <= 0:
        return np.zeros_like(b)
    moved: np.ndarray = splu(m + max(s / v, STILL * bends.max()) * every).solve(-b)
    return moved


def _bent(z: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y w"]:
    bent: np.ndarray = z[:, :-2] - 2 * z[:, 1:-1] + z[:, 2:]
    return bent


def _all_three(there: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y w"]:
    """1 where a second difference is one of numbers that are there."""
    found: np.ndarray = there[:, :-2] * there[:, 1:-1] * there[:, 2:]
    return found
