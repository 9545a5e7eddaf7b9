"""Straight: each band of each strand as a weighted sum of all bands of all strands at the same pixel.

Two levels of one product differ by little more than a straight line per band. A network that has to find that through
its layers needs more places than there are; here it is one table of weights, whose rows and columns are turned up and
down by what was heard of the times. At birth all weights are 0.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, conv2d, gelu, interpolate

from armillary.models.strand import Strand

QUICK = 8.0
"""By this the weights count more than they are, so that steps of Adam, all of one size, move them as much faster."""


class Straight(nn.Module):
    """The straight path.

    Args:
        strands: of the model.
        laid: numbers of those that are pictures.
        heard: width of what is heard of the times.
    """

    def __init__(self, strands: Sequence[Strand], laid: Sequence[int], heard: int) -> None:
        super().__init__()
        self.laid = tuple(laid)
        self.channels = tuple(strands[i].channels for i in laid)
        everything = sum(self.channels)
        self.weights = nn.ParameterDict({str(i): torch.empty(strands[i].channels, everything) for i in laid})
        self.gates = nn.Linear(heard, len(laid) ** 2)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Weights 0; every pair of strands heard alike."""
        for p in self.parameters():
            nn.init.zeros_(p)

    def forward(
        self,
        pictures: Mapping[int, Float[Tensor, "b _ _ _"]],
        heard: Float[Tensor, "b f"],
        present: Bool[Tensor, "b m"] | None,
    ) -> dict[int, Float[Tensor, "b _ _ _"]]:
        """What is added to the answer of every picture.

        Args:
            pictures: number of a strand -> its values, 0 where an item has none.
            heard: of the times.
            present: whether an item has a strand; None: all.
        """
        n = len(self.laid)
        gates = 1 + self.gates(gelu(heard)).unflatten(1, (n, n))
        here = [k for k, i in enumerate(self.laid) if i in pictures]
        if present is not None:
            gates = gates * present[:, list(self.laid)].to(gates.dtype)[:, None]
        starts = [sum(self.channels[:k]) for k in range(n)]
        shrunk: dict[tuple[int, tuple[int, int]], Tensor] = {}
        out = {}
        for to in here:
            i = self.laid[to]
            side = (pictures[i].shape[-2], pictures[i].shape[-1])
            parts, rows = [], []
            for k in here:
                if (k, side) not in shrunk:
                    shrunk[k, side] = _at(pictures[self.laid[k]], side)
                parts.append(shrunk[k, side] * gates[:, to, k, None, None, None])
                rows.append(self.weights[str(i)][:, starts[k] : starts[k] + self.channels[k]])
            out[i] = conv2d(torch.cat(parts, dim=1), QUICK * torch.cat(rows, dim=1)[..., None, None])
        return out


def _at(x: Float[Tensor, "b c _ _"], side: tuple[int, int]) -> Float[Tensor, "b c h w"]:
    """The same ground in other pixels: averages of finer ones, coarser ones as they are."""
    if x.shape[-2:] == side:
        return x
    return adaptive_avg_pool2d(x, side) if x.shape[-1] > side[1] else interpolate(x, size=side, mode="nearest")
