"""Windows: a scene larger than a network's view, seen through overlapping windows at every step.

All windows look at one noise, and what is predicted of a pixel is the weighted mean over the windows that see it, so
that neighbours agree before the next step begins (MultiDiffusion, arXiv:2302.08113). A *cell* is the least square that
holds whole pixels of every strand; windows begin at cells, anchored at the scene's first, the last one shifted inward.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput, OutOfRange
from armillary.generate.denoiser import ByStrand, Denoise, Shapes
from armillary.generate.noise import noise

Kind = Literal["spread", "each", "shared"]
"""How a strand lies in a scene. "spread": pixels of the ground. "each": one small array per window, side by side, such
as a mean elevation. "shared": one small array for all windows, such as a date."""


@dataclass(frozen=True)
class Axis:
    """Windows along rows or along columns, counted in cells.

    Args:
        cells: how many the scene has.
        side: cells of one window.
        overlap: cells that neighbours share; the last pair may share more.

    Raises:
        OutOfRange: a scene smaller than a window, or an overlap that leaves nothing.

    Example:
        >>> Axis(cells=30, side=14, overlap=3).starts
        (0, 11, 16)
    """

    cells: int
    side: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.side <= self.cells:
            raise OutOfRange(
                f"windows of {self.side} cells that share {self.overlap} were asked of {self.cells} cells; give a "
                "scene no smaller than a window (pad it) and an overlap less than one"
            )

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First cell of each window."""
        last = self.cells - self.side
        return (*range(0, last, self.side - self.overlap), last)

    def done(self, index: int) -> int:
        """Cells that no window after this one sees."""
        return self.cells if index + 1 == len(self.starts) else self.starts[index + 1]

    def shares(self, k: int) -> Float[Tensor, "n p"]:
        """Share of each window in its pixels, k to a cell: a raised cosine; the shares of one pixel add up to 1."""
        phase = torch.pi * (torch.arange(self.side * k, dtype=torch.float64) + 0.5) / (self.side * k)
        bump, total = torch.sin(phase) ** 2, torch.zeros(self.cells * k, dtype=torch.float64)
        for start in self.starts:
            total[start * k : (start + self.side) * k] += bump
        return torch.stack([bump / total[a * k : (a + self.side) * k] for a in self.starts]).float()


@dataclass(frozen=True)
class Line:
    """One strand along one axis.

    Args:
        axis: where the windows are.
        kind: how the strand lies in the scene.
        px: its pixels per cell; per window where it does not spread.
    """

    axis: Axis
    kind: Kind
    px: int

    def seen(self, index: int) -> slice:
        """Pixels that a window sees."""
        if self.kind == "spread":
            first = self.axis.starts[index] * self.px
            return slice(first, first + self.axis.side * self.px)
        first = index * self.px if self.kind == "each" else 0
        return slice(first, first + self.px)

    def done(self, index: int) -> int:
        """Pixels that no window after this one sees."""
        if self.kind == "spread":
            return self.axis.done(index) * self.px
        return (index + 1) * self.px if self.kind == "each" else 0

    def shares(self) -> Float[Tensor, "n p"]:
        """Share of each window in each of the pixels that it sees."""
        n = len(self.axis.starts)
        if self.kind == "spread":
            return self.axis.shares(self.px)
        return torch.full((n, self.px), 1.0 if self.kind == "each" else 1 / n)


@dataclass(frozen=True)
class Windows:
    """The windows of a scene.

    Args:
        rows: along rows.
        cols: along columns.
        own: strand -> rows and columns of what the network sees of it at once.
    """

    rows: Axis
    cols: Axis
    own: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, cells: tuple[int, int], side: int, overlap: int, own: Mapping[str, tuple[int, int]]) -> "Windows":
        """Square windows over rows and columns of cells."""
        return cls(Axis(cells[0], side, overlap), Axis(cells[1], side, overlap), own)

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.cols.starts)

    def lines(self, strand: str, shape: tuple[int, int, int]) -> tuple[Line, Line]:
        """How a strand of this shape in the scene lies along rows and along columns.

        Raises:
            BadInput: it can lie in no way.
        """
        axes, sides, whole = (self.rows, self.cols), self.own[strand], shape[1:]
        px = [side // axis.side for side, axis in zip(sides, axes, strict=True)]
        if all(k * a.side == s and k * a.cells == n for k, a, s, n in zip(px, axes, sides, whole, strict=True)):
            return Line(axes[0], "spread", px[0]), Line(axes[1], "spread", px[1])
        if all(len(a.starts) * s == n for a, s, n in zip(axes, sides, whole, strict=True)):
            return Line(axes[0], "each", sides[0]), Line(axes[1], "each", sides[1])
        if sides == whole:
            return Line(axes[0], "shared", sides[0]), Line(axes[1], "shared", sides[1])
        raise BadInput(
            f"{strand} has {whole[0]} x {whole[1]} pixels in a scene of {axes[0].cells} x {axes[1].cells} cells, and a "
            f"window of {axes[0].side} cells shows {sides[0]} x {sides[1]}; give as many per cell, or one array per "
            "window"
        )


@dataclass(frozen=True, eq=False)
class Windowed:
    """A `Denoise` for scenes, made of one for windows.

    Args:
        denoise: what is asked of each window.
        windows: where they are.
        shapes: of every strand in the scene, in the network's order.
        batch: windows that are asked at once; changes no value.
    """

    denoise: Denoise
    windows: Windows
    shapes: Shapes
    batch: int = 16

    @cached_property
    def lines(self) -> Mapping[str, tuple[Line, Line]]:
        """How each strand lies in the scene."""
        return {s: self.windows.lines(s, shape) for s, shape in self.shapes.items()}

    @cached_property
    def shares(self) -> Mapping[str, tuple[Float[Tensor, "_ _"], Float[Tensor, "_ _"]]]:
        """Shares of the windows along rows and along columns."""
        return {s: (rows.shares(), cols.shares()) for s, (rows, cols) in self.lines.items()}

    def noise(self, seeds: Sequence[int], strand: str, rows: slice | None = None) -> Float[Tensor, "b c y w"]:
        """Noise to begin with. What every window has one of begins alike in all, so that neighbours tell alike."""
        shape = self.shapes[strand]
        if self.lines[strand][0].kind != "each":
            return noise(seeds, strand, shape, rows)
        h, w = self.windows.own[strand]
        one = noise(seeds, strand, (shape[0], h, w))
        return one.repeat(1, 1, shape[1] // h, shape[2] // w)[:, :, slice(None) if rows is None else rows]

    def __call__(self, x: ByStrand, times: Float[Tensor, "b m"], /) -> dict[str, Tensor]:
        """Predictions of a whole scene."""
        out = {s: torch.zeros_like(v) for s, v in x.items()}
        for i in range(len(self.windows.rows.starts)):
            seen = {s: self.lines[s][0].seen(i) for s in x}
            for s, part in self.row(i, {s: v[:, :, seen[s]] for s, v in x.items()}, times).items():
                out[s][:, :, seen[s]] += part
        return out

    def row(self, i: int, x: ByStrand, times: Float[Tensor, "b m"]) -> dict[str, Tensor]:
        """What one row of windows adds to the predictions.

        Args:
            i: number of the row.
            x: the pixels that this row sees, from the scene's first column to its last.
            times: of every strand.
        """
        out = {s: torch.zeros_like(v) for s, v in x.items()}
        n = len(self.windows.cols.starts)
        for first in range(0, n, self.batch):
            at = range(first, min(first + self.batch, n))
            views = {s: torch.cat([v[..., self.lines[s][1].seen(j)] for j in at]) for s, v in x.items()}
            said = self.denoise(views, repeat(times, "b m -> (n b) m", n=len(at)))
            for s, part in said.items():
                for j, one in zip(at, rearrange(part, "(n b) c h w -> n b c h w", n=len(at)), strict=True):
                    out[s][..., self.lines[s][1].seen(j)] += one.to(out[s].dtype) * self.shares[s][1][j].to(one.device)
        return {s: v * self.shares[s][0][i].to(v.device)[:, None] for s, v in out.items()}
