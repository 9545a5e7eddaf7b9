"""Linear fills: hidden patches told by ridge regression, band by band, from what is seen of the same band.

Fitted in closed form on crops of places to learn from: each band has sums of products, to which crops are added one by
one. What a patch is told from is a `Clues`, the target every pixel of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from einops import rearrange
from jaxtyping import Float

from armillary.errors import OutOfRange
from armillary.probe.fills import (
    Known,
    Pixels,
    distance_weighted,
    distance_weighted_patches,
    in_patches,
    nearest_patch,
    patch_means,
)

Clues = Literal["mean", "means", "edges"]
"""What a patch is told from: "mean", the mean of all that is seen; "means", that, the means of its eight neighbours
where they are seen, whether they are, and the nearest and the distance-weighted mean; "edges", all this and the pixels
of its four neighbours that lie next to it, as a correction to the distance-weighted fill."""

PENALTY = 1e-3
"""Added to the mean square of each clue."""

_AROUND = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


@dataclass(eq=False)
class _Sums:
    """Sums over patches of one band."""

    clues: Float[np.ndarray, "k k"]
    both: Float[np.ndarray, "k p"]
    count: int = 0


@dataclass(eq=False)
class LinearFill:
    """Ridge regressions of one sensor, one per band name.

    Args:
        clues: what a patch is told from.
        patch_px: side of a patch.
        penalty: see `PENALTY`.
    """

    clues: Clues
    patch_px: int
    penalty: float = PENALTY
    _sums: dict[str, _Sums] = field(default_factory=dict)
    _solved: dict[str, Float[np.ndarray, "k p"]] = field(default_factory=dict)

    def add(self, x: Pixels, known: Known, measured: Known, bands: Sequence[str]) -> None:
        """Learn from the hidden patches of a crop that are wholly measured."""
        everywhere = np.ones_like(known)
        whole = patch_means(measured[None].astype(np.float32), everywhere, self.patch_px)[0][0] == 1
        wanted = whole & ~patch_means(x, known, self.patch_px)[1]
        if not wanted.any():
            return
        clues, base = self._clues(x, known)
        target = in_patches(x - base, self.patch_px)[:, wanted].astype(np.float64)
        for name, a, t in zip(bands, clues[:, wanted], target, strict=True):
            sums = self._sums.setdefault(name, _Sums(np.zeros((a.shape[1],) * 2), np.zeros((a.shape[1], t.shape[1]))))
            sums.clues += a.T @ a
            sums.both += a.T @ t
            sums.count += len(a)
            self._solved.pop(name, None)

    def __call__(self, x: Pixels, known: Known, bands: Sequence[str], weighted: Pixels | None = None) -> Pixels:
        """Every patch, as if it were hidden.

        Args:
            x: pixels.
            known: which of them are seen.
            bands: their names.
            weighted: what `distance_weighted` makes of them, where it was asked already.

        Raises:
            OutOfRange: a band was never learned from.
        """
        missing = [name for name in bands if name not in self._sums]
        if missing:
            raise OutOfRange(f"nothing was learned of {', '.join(missing)}; add crops that hold them first")
        clues, base = self._clues(x, known, weighted)
        told = np.stack([a @ self._weights(name) for name, a in zip(bands, clues, strict=True)])
        p = self.patch_px
        whole: np.ndarray = rearrange(told, "c r s (p q) -> c (r p) (s q)", p=p, q=p) + base
        return whole.astype(x.dtype)

    def _weights(self, name: str) -> Float[np.ndarray, "k p"]:
        """Solved once, until more is learned."""
        if name not in self._solved:
            sums = self._sums[name]
            ridge = np.full(len(sums.clues), self.penalty * sums.count)
            ridge[0] = 1e-9 * sums.count  # the constant goes free
            self._solved[name] = np.linalg.solve(sums.clues + np.diag(ridge), sums.both)
        return self._solved[name]

    def _clues(
        self, x: Pixels, known: Known, weighted: Pixels | None = None
    ) -> tuple[Float[np.ndarray, "c r s k"], Pixels]:
        """Clues of each patch, and what they correct."""
        p = self.patch_px
        if not known.any():
            raise OutOfRange("a fill was asked for where nothing is known; give a crop of which a patch is seen")
        middle = x[:, known].mean(axis=1)
        off = np.where(known, x - middle[:, None, None], 0)
        means, there = patch_means(off, known, p)
        shape = means.shape
        columns = [np.ones(shape), np.broadcast_to(middle[:, None, None], shape)]
        if self.clues != "mean":
            rows, cols = slice(1, shape[1] + 1), slice(1, shape[2] + 1)
            for moved in (
                np.pad(means, ((0, 0), (1, 1), (1, 1))),
                np.pad(there[None].astype(float), [(0, 0), (1, 1), (1, 1)]),
            ):
                for i, j in _AROUND:
                    part = moved[:, rows.start + i : rows.stop + i, cols.start + j : cols.stop + j]
                    columns.append(np.broadcast_to(part, shape))
            columns += [
                nearest_patch(off, known, p)[:, ::p, ::p],
                distance_weighted_patches(off, known, p)[:, ::p, ::p],
            ]
        stacked = np.stack(columns, axis=-1)
        if self.clues == "edges":
            stacked = np.concatenate([stacked, _edges(off, p)], axis=-1)
        if self.clues == "edges":
            return stacked.astype(np.float64), distance_weighted(x, known) if weighted is None else weighted
        return stacked.astype(np.float64), np.broadcast_to(middle[:, None, None], x.shape)


def _edges(off: Pixels, p: int) -> Float[np.ndarray, "c r s k"]:
    """Pixels of the four neighbours that touch a patch: above, below, left and right; 0 where they are not known."""
    cut = rearrange(np.pad(off, ((0, 0), (p, p), (p, p))), "c (r p) (s q) -> c r s p q", p=p, q=p)
    middle = slice(1, -1)
    sides = (
        cut[:, :-2, middle, -1, :],
        cut[:, 2:, middle, 0, :],
        cut[:, middle, :-2, :, -1],
        cut[:, middle, 2:, :, 0],
    )
    return np.concatenate(sides, axis=-1)
