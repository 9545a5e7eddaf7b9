"""Heights: one elevation of a whole scene, from the relief about each window's mean and the means that were told.

Every window is told a mean of its own. Where they are guesses they disagree by more than the ground rises, and a cliff
stands where one window fades into the next. The relief knows better: true ground goes on beyond a seam as it came, so
the means are moved to where the whole bends least.

With z = relief + blended means, f = the field of what is added to the means, blended in the same way, and c = second
differences along rows and along columns, what is added minimises |c(z + f)|^2 + r |f|^2. Blending is a product of rows
and columns, so rows and columns are diagonalised each alone and every mode k has its own answer, -b_k / (m_k + r).
What true ground bends (variance s) and how wrong means are (variance v) come from the scene: s from what no f could
explain, v from what the modes hold beyond that; r = s / v. Where seams bend no more than the ground does, nothing is
moved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh
from scipy.sparse import csr_array

from armillary.generate.windows import Axis

STILL = 1e-9
"""Share of the strongest mode's bend below which a mode bends nothing: a scene may stand at any height."""


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
    def modes(self) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n"]]:
        """How much each mode bends, and the modes in columns, each of length 1 over the pixels."""
        bend, length = ((m @ m.T).toarray() for m in (self.bends, self.blend))
        found: tuple[np.ndarray, np.ndarray] = eigh(bend, length)
        return found


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
        field: np.ndarray = self.rows.blend[:, rows].T @ (self.columns.blend.T @ means.T).T
        return field

    def agreed(
        self, means: Float[np.ndarray, "r c"], relief: Callable[[slice], Float[np.ndarray, "1 y x"]], block: int
    ) -> Float[np.ndarray, "r c"]:
        """The means, moved to where the whole bends least.

        Args:
            means: that the windows were told, in metres.
            relief: gives rows of the relief, in metres, from the first column to the last.
            block: rows that are asked for at once.
        """
        if means.size == 1:
            return means
        rows, columns = self.rows, self.columns
        h, b, energy, count = rows.blend.shape[1], np.zeros(means.shape), 0.0, 0
        for start in range(0, h, block):
            stop, first = min(start + block, h), max(start - 1, 0)
            seen = slice(first, min(stop + 1, h))
            z = relief(seen)[0] + self.field(means.astype(np.float64), seen)
            down, across = _bent(z.T).T, _bent(z[start - first : stop - first])
            b += rows.bends[:, first : first + len(down)] @ (columns.blend @ down.T).T
            b += rows.blend[:, start:stop] @ (columns.bends @ across.T).T
            energy, count = energy + (down**2).sum() + (across**2).sum(), count + down.size + across.size
        moved: np.ndarray = means - self._solved(b, energy, count)
        return moved

    def _solved(self, b: Float[np.ndarray, "r c"], energy: float, count: int) -> Float[np.ndarray, "r c"]:
        (m_rows, v_rows), (m_columns, v_columns) = self.rows.modes, self.columns.modes
        of_mode, m = v_rows.T @ b @ v_columns, m_rows[:, None] + m_columns
        live = m > STILL * m.max()
        n, held = int(live.sum()), float((of_mode[live] ** 2 / m[live]).sum())
        s = max(energy - held, 0.0) / max(count - n, 1)
        v = (held - n * s) / float(m[live].sum())
        if v <= 0:
            return np.zeros_like(b)
        solved: np.ndarray = v_rows @ np.where(live, of_mode / (m + s / v), 0.0) @ v_columns.T
        return solved


def _bent(z: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y w"]:
    bent: np.ndarray = z[:, :-2] - 2 * z[:, 1:-1] + z[:, 2:]
    return bent
