"""Reconstruction: hidden patches are predicted, and compared with the true ones in the same layout.

Targets are what `patchify` cuts from the normalised pixels: (band, row, column). The released code of Copernicus-FM
compares a prediction in that layout with a target in (row, column, band), so that for more than one band a kernel made
for one wavelength is trained on a strip of all; `Targets.interleaved` reproduces it.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from armillary.sample.batch import Batch
from armillary.tokens.patch import patchify
from armillary.train.objective import Term

UPSTREAM_FLOOR = 1e-6
"""What the released code adds to the variance of a patch, whatever the unit."""


@dataclass(frozen=True)
class Targets:
    """What is to be predicted.

    Args:
        scale: "values": normalised pixels as they are. "patch": each patch standardised by its own mean and variance,
            over all bands together (`norm_pix_loss` of arXiv:2111.06377). "band": the same for each band alone.
        floor: added to the variance of a patch, in units of the sensor's own variance, which is 1 after
            normalisation; a patch without contrast then asks for nothing.
        limit: normalised values beyond this are cut off, in standard deviations; None leaves them.
        interleaved: targets in (row, column, band), as upstream.
    """

    scale: Literal["values", "patch", "band"] = "patch"
    floor: float = 1e-2
    limit: float | None = 8.0
    interleaved: bool = False

    def of(self, batch: Batch) -> Float[Tensor, "b n p"]:
        """The targets of a batch; what is not finite counts as 0, the mean."""
        x = torch.nan_to_num(batch.pixels, nan=0.0, posinf=0.0, neginf=0.0)
        x = x if self.limit is None else x.clamp(-self.limit, self.limit)
        c, p = len(batch.bands), batch.patch_px
        t = patchify(x[..., : x.shape[-2] // p * p, : x.shape[-1] // p * p], p)
        if self.scale == "patch":
            t = _standardised(t, self.floor)
        elif self.scale == "band":
            by_band = rearrange(t, "b n (c q) -> b n c q", c=c)
            t = rearrange(_standardised(by_band, self.floor), "b n c q -> b n (c q)")
        return rearrange(t, "b n (c q) -> b n (q c)", c=c) if self.interleaved else t


def reconstruction(
    predicted: Float[Tensor, "b n p"], target: Float[Tensor, "b n p"], hidden: Bool[Tensor, "b n"]
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Squared error of each item, the mean over a patch summed over hidden patches, and the number of those."""
    error = (predicted.float() - target).square().mean(dim=-1)
    return (error * hidden).sum(dim=1), hidden.sum(dim=1).float()


def term(sums: Float[Tensor, " b"], counts: Float[Tensor, " b"], weight: float = 1.0) -> Term:
    """The items of a batch as one term."""
    return Term(sums.sum(), counts.sum().detach(), weight)


def _standardised(t: Float[Tensor, "*b p"], floor: float) -> Float[Tensor, "*b p"]:
    centred = t - t.mean(dim=-1, keepdim=True)
    variance = centred.square().sum(dim=-1, keepdim=True) / (t.shape[-1] - 1)
    return centred / (variance + floor).sqrt()
