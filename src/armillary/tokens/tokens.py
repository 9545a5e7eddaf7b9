"""Tokens: what a model makes of a Batch."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Tokens:
    """One item's patches, seen through a model, in several forms.

    Args:
        pooled: one vector per item: the mean over the patches of the last block, then the final LayerNorm.
        cls: the vector of the extra token after the final LayerNorm; upstream gave it no training target of its own.
        grid: the last block's patches as a map, without any norm.
        taps: four maps from a third, half, two thirds (or a quarter, a half, three quarters) and the end of the trunk,
            without any norm; for a base model they follow blocks 3, 5, 7 and 11, counted from 0. They are views of
            what the trunk has computed anyway. Those of a convolutional model differ in size and width.
    """

    pooled: Float[Tensor, "b d"]
    cls: Float[Tensor, "b d"]
    grid: Float[Tensor, "b d h w"]
    taps: tuple[Float[Tensor, "b _d _h _w"], ...]

    def __len__(self) -> int:
        return int(self.pooled.shape[0])


@dataclass(frozen=True, eq=False)
class Joint:
    """What a model makes of several sensors of one place at once.

    Args:
        pooled: one vector per place: the mean over the patches of all sensors, then the final LayerNorm.
        cls: the mean of the sensors' extra tokens after the final LayerNorm.
        grids: sensor -> its patches of the last block as a map, without any norm.
    """

    pooled: Float[Tensor, "b d"]
    cls: Float[Tensor, "b d"]
    grids: Mapping[str, Float[Tensor, "b d h w"]]

    def __len__(self) -> int:
        return int(self.pooled.shape[0])
