"""Lattice: where a scene is cut into chips, and how the tokens of overlapping chips are blended.

A *chip* is the square of pixels that a model sees at once. Chips lie on a lattice fixed by the scene alone: anchored at
its first pixel, a fixed overlap, the last chip of an axis shifted inward. The blend weights of the chips that cover a
token add up to one. Nothing here depends on how pixels are read, so neither does a map.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from armillary.earth.sensors import Sensor
from armillary.errors import OutOfRange


@dataclass(frozen=True)
class Axis:
    """The lattice along rows or along columns, counted in tokens.

    Args:
        tokens: how many tokens the padded scene has.
        chip: tokens of one chip.
        overlap: tokens that neighbouring chips share (the last pair may share more).

    Example:
        >>> Axis(tokens=30, chip=14, overlap=3).starts
        (0, 11, 16)
    """

    tokens: int
    chip: int
    overlap: int

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First token of each chip."""
        last = self.tokens - self.chip
        return (*range(0, last, self.chip - self.overlap), last)

    @cached_property
    def weights(self) -> Float[np.ndarray, "n t"]:
        """Share of each chip in each of its tokens: a raised cosine, never zero; shares of one token add up to one."""
        bump = np.sin(np.pi * (np.arange(self.chip) + 0.5) / self.chip) ** 2
        total = np.zeros(self.tokens)
        for start in self.starts:
            total[start : start + self.chip] += bump
        return np.stack([bump / total[s : s + self.chip] for s in self.starts]).astype(np.float32)


@dataclass(frozen=True)
class Chip:
    """One chip: its number along rows and columns, and its pixels (which may reach beyond the scene's last ones)."""

    row: int
    col: int
    rows: slice
    cols: slice


@dataclass(frozen=True)
class Lattice:
    """The chips of a scene, left to right, then top to bottom.

    Args:
        shape_px: rows and columns of the scene.
        patch_px: side of a token in pixels.
        rows: the lattice along rows.
        cols: the lattice along columns.
    """

    shape_px: tuple[int, int]
    patch_px: int
    rows: Axis
    cols: Axis

    @classmethod
    def of(cls, shape_px: tuple[int, int], sensor: Sensor, overlap_px: int | None = None) -> "Lattice":
        """The lattice of a sensor's chips; the overlap defaults to the whole patches in a quarter of a chip."""
        p = sensor.patch_px
        full = sensor.chip_px // p
        overlap = full // 4 if overlap_px is None else overlap_px // p
        if overlap_px is not None and (overlap_px % p or not 0 <= overlap < full):
            raise OutOfRange(
                f"an overlap of {overlap_px} px was asked; {sensor.name} needs a multiple of {p} px "
                f"from 0 to {(full - 1) * p}"
            )
        axes = []
        for size in shape_px:
            tokens = -(-size // p)
            chip = min(full, tokens)
            axes.append(Axis(tokens, chip, min(overlap, chip - 1)))
        return cls(shape_px, p, *axes)

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.cols.starts)

    def __getitem__(self, index: int) -> Chip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        row, col = divmod(index, len(self.cols.starts))
        return Chip(row, col, self._span(self.rows, row), self._span(self.cols, col))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the token grid; the last ones may reach beyond the scene."""
        return self.rows.tokens, self.cols.tokens

    @property
    def chip_shape(self) -> tuple[int, int]:
        """Rows and columns of tokens in one chip."""
        return self.rows.chip, self.cols.chip

    @property
    def chip_shape_px(self) -> tuple[int, int]:
        """Rows and columns of pixels in one chip."""
        return self.rows.chip * self.patch_px, self.cols.chip * self.patch_px

    def finished(self, chips: int) -> int:
        """Token rows that no chip after the first `chips` ones can change."""
        return self.rows.tokens if chips >= len(self) else self.rows.starts[chips // len(self.cols.starts)]

    def weights(self, chip: Chip) -> Float[np.ndarray, "h w"]:
        """Share of this chip in each of its tokens."""
        shares: np.ndarray = self.rows.weights[chip.row][:, None] * self.cols.weights[chip.col][None, :]
        return shares

    def _span(self, axis: Axis, index: int) -> slice:
        start = axis.starts[index] * self.patch_px
        return slice(start, start + axis.chip * self.patch_px)
