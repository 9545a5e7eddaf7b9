"""Gaussian: the exact denoiser of strands that are jointly normal, pixel by pixel. What samplers are measured with.

With x = A z + S e, z ~ N(m, C), A = diag(alpha), S = diag(sigma) and M = A C A + S²: E[z | x] = m + C A M⁻¹ (x - A m)
and E[e | x] = S M⁻¹ (x - A m), for every strand at a time of its own, ends included.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from armillary.errors import OutOfRange
from armillary.generate.denoiser import ByStrand
from armillary.models.path import UNITS, Path


@dataclass(frozen=True)
class Gaussian:
    """ByStrand of one channel, jointly normal at each pixel, pixels independent of each other; a `Denoise`.

    Args:
        covariance: of the strands, positive definite.
        path: which prediction is answered, and the noise.
        mean: of each strand; () means 0.
        strands: names; () means that all are shown, in order. Those not shown are unknown.
    """

    covariance: tuple[tuple[float, ...], ...]
    path: Path
    mean: tuple[float, ...] = ()
    strands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(torch.linalg.cholesky_ex(torch.tensor(self.covariance, dtype=torch.float64)).info):
            raise OutOfRange(f"{self.covariance} is no covariance of distinct strands; give a positive definite one")

    def __call__(self, x: ByStrand, times: Float[Tensor, "b m"], /) -> dict[str, Tensor]:
        """Exact predictions of all strands that are shown."""
        at = [self.strands.index(s) for s in x] if self.strands else list(range(len(x)))
        dtype = next(iter(x.values())).dtype
        stacked = rearrange(torch.stack(list(x.values()), dim=1), "b m 1 h w -> b m (h w)").double()
        c = torch.tensor(self.covariance, dtype=torch.float64)[at][:, at]
        m = torch.tensor(self.mean or (0.0,) * len(self.covariance), dtype=torch.float64)[at, None]
        t = times.double()[:, at, None] / UNITS
        alpha, sigma = self.path.alpha(t), self.path.sigma(t)
        total = alpha * c * alpha.mT + torch.diag_embed(sigma[..., 0] ** 2)
        solved = torch.linalg.solve(total, stacked - alpha * m)
        clean, noise = m + c @ (alpha * solved), sigma * solved
        said = {"v": alpha * noise - sigma * clean, "eps": noise, "x0": clean}[self.path.prediction].to(dtype)
        shape = next(iter(x.values())).shape
        return {s: said[:, i].reshape(shape) for i, s in enumerate(x)}


def alike(rho: float, strands: int = 3) -> tuple[tuple[float, ...], ...]:
    """The covariance of strands of variance 1, each correlated with each other by rho."""
    return tuple(tuple(1.0 if i == j else rho for j in range(strands)) for i in range(strands))
