"""Denoiser: what is asked at every step. A joint model, an exact formula, or either of them seen through windows."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

ByStrand = Mapping[str, Float[Tensor, "b _ _ _"]]
"""Name of a strand -> its values, items first; each strand has its own channels, rows and columns."""

Shapes = Mapping[str, tuple[int, int, int]]
"""Name of a strand -> channels, rows, columns; in the network's order."""


@runtime_checkable
class Denoise(Protocol):
    """Answers what the path's network predicts of every strand."""

    def __call__(self, x: ByStrand, times: Float[Tensor, "b m"], /) -> ByStrand:
        """Predictions.

        Args:
            x: strands in the network's order; one that should not be seen may be left out.
            times: from 0 (clean) to 1000 (noise), a column for every strand of the network, in its order.
        """
