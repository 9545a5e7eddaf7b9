"""Reconstruction: hidden patches are predicted, and compared with the true ones in the same layout.

Targets are what `patchify` cuts from the normalised pixels: (band, row, column). The released code of Copernicus-FM
compares a prediction in that layout with a target in (row, column, band), so that for more than one band a kernel made
for one wavelength is trained on a strip of all; `Targets.interleaved` reproduces it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
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
        holes: pixels that were never measured count as the mean, as upstream; otherwise they ask for nothing.
    """

    scale: Literal["values", "patch", "band"] = "patch"
    floor: float = 1e-2
    limit: float | None = 8.0
    interleaved: bool = False
    holes: bool = False

    def of(self, batch: Batch) -> Float[Tensor, "b n p"]:
        """The targets of a batch; 0 where nothing was measured."""
        x = torch.nan_to_num(batch.pixels, nan=0.0, posinf=0.0, neginf=0.0)
        x = x if self.limit is None else x.clamp(-self.limit, self.limit)
        c, p = len(batch.bands), batch.patch_px
        t = patchify(x[..., : x.shape[-2] // p * p, : x.shape[-1] // p * p], p)
        known = None if self.holes else self._known(batch)
        if self.scale == "patch":
            t = _standardised(t, self.floor, known)
        elif self.scale == "band":
            known = None if known is None else rearrange(known, "b n (c q) -> b n c q", c=c)
            t = _standardised(rearrange(t, "b n (c q) -> b n c q", c=c), self.floor, known).flatten(-2)
        return rearrange(t, "b n (c q) -> b n (q c)", c=c) if self.interleaved else t

    def asked(self, batch: Batch) -> Float[Tensor, "b n p"]:
        """1 where a target was measured, 0 where nothing was; laid out as the targets are."""
        m = self._known(batch)
        m = torch.ones_like(m) if self.holes else m
        return rearrange(m, "b n (c q) -> b n (q c)", c=len(batch.bands)) if self.interleaved else m

    def _known(self, batch: Batch) -> Float[Tensor, "b n p"]:
        """1 where a pixel was measured, in (band, row, column)."""
        known, p = torch.isfinite(batch.pixels).float(), batch.patch_px
        return patchify(known[..., : known.shape[-2] // p * p, : known.shape[-1] // p * p], p)


def reconstruction(
    predicted: Float[Tensor, "b n p"],
    target: Float[Tensor, "b n p"],
    hidden: Bool[Tensor, "b n"],
    asked: Float[Tensor, "b n p"] | None = None,
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Squared error of each item, the mean over a patch summed over hidden patches, and the number of those.

    With `asked`, the mean over what was measured of a patch; a patch of which nothing was is not counted.
    """
    error = (predicted.float() - target).square()
    if asked is None:
        return (error.mean(dim=-1) * hidden).sum(dim=1), hidden.sum(dim=1).float()
    share = asked.mean(dim=-1)
    counted = hidden & (share > 0)
    mean = (error * asked).mean(dim=-1) / share.clamp(min=torch.finfo(share.dtype).tiny)
    return (mean * counted).sum(dim=1), counted.sum(dim=1).float()


def with_holes(batch: Batch, samples: Sequence[Sample]) -> Batch:
    """The batch of these samples with NaN where nothing was measured, which a model takes for the mean."""
    known = torch.from_numpy(np.stack([np.isfinite(s.pixels) for s in samples])).to(batch.pixels.device)
    return replace(batch, pixels=torch.where(known, batch.pixels, torch.nan))


def term(sums: Float[Tensor, " b"], counts: Float[Tensor, " b"], weight: float = 1.0) -> Term:
    """The items of a batch as one term."""
    return Term(sums.sum(), counts.sum().detach(), weight)


def _standardised(t: Float[Tensor, "*b p"], floor: float, known: Float[Tensor, "*b p"] | None) -> Float[Tensor, "*b p"]:
    """By mean and variance of what is known, 0 where nothing is; None: all of it."""
    if known is None:
        centred = t - t.mean(dim=-1, keepdim=True)
        return centred / (centred.square().sum(dim=-1, keepdim=True) / (t.shape[-1] - 1) + floor).sqrt()
    n = known.sum(dim=-1, keepdim=True)
    centred = (t - (t * known).sum(dim=-1, keepdim=True) / n.clamp(min=1)) * known
    return centred / (centred.square().sum(dim=-1, keepdim=True) / (n - 1).clamp(min=1) + floor).sqrt()
