"""Layout: a scene cut into what a joint model sees at once.

The scene is mirrored at its lower and right edges to a whole number of cells, and to one window at least; what is made
of the mirrored part is cut off again.
"""

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np
from jaxtyping import Float

from armillary.earth.window import Window
from armillary.errors import OutOfRange
from armillary.generate.denoiser import Shapes
from armillary.generate.windows import Windows
from armillary.product.footprint import degrees
from armillary.sample.strands import Code, Height, Place


@dataclass(frozen=True)
class Layout:
    """Where a scene's windows lie.

    Args:
        codes: of the model.
        grid: of the products.
        tile_px: side of a window in pixels of the grid, for which the codes' shapes are meant.
        view_px: side of a window that is shown; other than tile_px for models that take any side.
        overlap_px: pixels that neighbouring windows share.

    Raises:
        OutOfRange: windows that cannot lie so.
    """

    codes: tuple[Code, ...]
    grid: Window
    tile_px: int
    view_px: int
    overlap_px: int

    def __post_init__(self) -> None:
        if self.view_px < 1 or self.view_px % self.cell_px:
            raise OutOfRange(f"windows of {self.view_px} px were asked for; give a multiple of {self.cell_px}")
        if not 0 <= self.overlap_px < self.view_px:
            raise OutOfRange(
                f"windows of {self.view_px} px cannot share {self.overlap_px}; give 0 to less than a window"
            )

    @property
    def cell_px(self) -> int:
        """Side of the least square that holds whole pixels of every strand."""
        return self.tile_px // gcd(*(code.shape[1] for code in self.codes if code.shape[1] > 1))

    @cached_property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells of the mirrored scene."""
        h, w = (max(self.view_px, n) for n in self.grid.shape)
        return -(-h // self.cell_px), -(-w // self.cell_px)

    @property
    def shape_px(self) -> tuple[int, int]:
        """Rows and columns of the mirrored scene."""
        return self.cells[0] * self.cell_px, self.cells[1] * self.cell_px

    @cached_property
    def windows(self) -> Windows:
        """Where they are."""
        own = {c.name: self.view_px // self.step(c) if c.shape[1] > 1 else 1 for c in self.codes}
        side, overlap = self.view_px // self.cell_px, self.overlap_px // self.cell_px
        return Windows.of(self.cells, side, overlap, {s: (n, n) for s, n in own.items()})

    @cached_property
    def shapes(self) -> Shapes:
        """Strand -> its shape in the mirrored scene; place and mean height are told window by window."""
        return {code.name: (code.shape[0], *self._sides(code)) for code in self.codes}

    def step(self, code: Code) -> int:
        """Pixels of the grid along the side of one of a strand's."""
        return self.tile_px // code.shape[1]

    def middles(self) -> Float[np.ndarray, "2 rows cols"]:
        """Longitude and latitude of the middle of each window, no further out than the scene."""
        half = self.view_px / 2
        row, col = (
            np.minimum(np.asarray(axis.starts) * self.cell_px + half, n - 0.5)
            for axis, n in zip((self.windows.rows, self.windows.cols), self.grid.shape, strict=True)
        )
        rows, cols = np.meshgrid(row, col, indexing="ij")
        lonlat = degrees(self.grid, rows.ravel(), cols.ravel())
        return np.moveaxis(lonlat.reshape(*rows.shape, 2), 2, 0).astype(np.float32)

    def _sides(self, code: Code) -> tuple[int, int]:
        if isinstance(code, Height | Place):
            return len(self.windows.rows.starts), len(self.windows.cols.starts)
        if code.shape[1] == 1:
            return code.shape[1], code.shape[2]
        h, w = self.shape_px
        return h // self.step(code), w // self.step(code)


def mirrored(rows: slice, size: int) -> np.ndarray:
    """Which of `size` rows stand at these, when the scene is mirrored at its edge as often as needed.

    Example:
        >>> mirrored(slice(2, 8), 4).tolist()
        [2, 3, 2, 1, 0, 1]
    """
    at = np.arange(rows.start, rows.stop)
    if size == 1:
        return np.zeros_like(at)
    turn = at % (2 * size - 2)
    found: np.ndarray = np.minimum(turn, 2 * size - 2 - turn)
    return found
