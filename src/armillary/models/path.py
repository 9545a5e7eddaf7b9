"""Path: how a clean value becomes noise, x_t = alpha(t) x_0 + sigma(t) e, and what a network says of it on the way.

Time t runs from 0 (clean) to 1 (T, noise); networks take 1000 t. alpha² + sigma² = 1, lambda = log(alpha / sigma).
With v = alpha e - sigma x_0 (Salimans & Ho, arXiv:2202.00512, appendix D) a network can be asked at T, where nothing is
left of x_0; the error e cannot tell x_0 there.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput, OutOfRange

Prediction = Literal["v", "eps", "x0"]
"""What a network says: v, the noise e, or the clean value."""

Schedule = Literal["zero-snr", "scaled-linear"]

UNITS = 1000.0
"""What a network calls T."""

BETAS = (0.00085, 0.012, 1000)
"""First and last variance added by a step of the released path, and how many steps there are; their roots are linear
(arXiv:2112.10752, released code)."""


@dataclass(frozen=True)
class Path:
    """A noise schedule in continuous time, with what the network that knows it predicts.

    Args:
        schedule: "zero-snr": alpha = cos, sigma = shift sin of a quarter turn, scaled to alpha² + sigma² = 1; nothing
            is left at T (arXiv:2305.08891 says why). "scaled-linear": 1000 steps of the released models, log alpha
            linear between them; 6.8 % of the signal is left at T.
        prediction: what the network says.
        end: time at which sampling stops; 0 leaves no noise.
        shift: of "zero-snr" alone; above 1 the path is noisier, for finer grids (arXiv:2301.11093).

    Raises:
        BadInput: a prediction from which x_0 cannot be told at T.
        OutOfRange: a time or a shift that cannot be.

    Example:
        >>> RELEASED.alpha(torch.tensor(1.0)).item() ** 2  # doctest: +ELLIPSIS
        0.00466...
    """

    schedule: Schedule = "zero-snr"
    prediction: Prediction = "v"
    end: float = 0.0
    shift: float = 1.0

    def __post_init__(self) -> None:
        if self.schedule == "zero-snr" and self.prediction == "eps":
            raise BadInput("the noise does not tell x_0 where none of it is left; use prediction='v' with 'zero-snr'")
        if not 0 <= self.end < 1 or self.shift <= 0:
            raise OutOfRange(f"no path ends at {self.end} with shift {self.shift}; give 0 <= end < 1 and shift > 0")

    def alpha(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """What is left of the clean value."""
        return self._both(t)[0]

    def sigma(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """How much noise there is."""
        return self._both(t)[1]

    def log_snr(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Lambda = log(alpha / sigma): infinite at 0, and at T of a path on which nothing is left there."""
        alpha, sigma = self._both(t)
        return alpha.log() - sigma.log()

    def time_of(self, log_snr: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """The time at which lambda has this value; beyond the ends of the path, its ends."""
        if self.schedule == "zero-snr":
            return torch.atan(torch.exp(-log_snr.double()) / self.shift).mul(2 / math.pi).to(log_snr.dtype)
        log_alpha = -0.5 * torch.logaddexp(torch.zeros_like(log_snr, dtype=torch.float64), -2 * log_snr.double())
        table = _log_alpha_table()
        up = torch.searchsorted(-table, -log_alpha).clamp(1, len(table) - 1)
        share = (log_alpha - table[up - 1]) / (table[up] - table[up - 1])
        return ((up - 1 + share.clamp(0, 1)) / (len(table) - 1)).to(log_snr.dtype)

    def noised(self, x0: Float[Tensor, "*s"], e: Float[Tensor, "*s"], t: Float[Tensor, "..."]) -> Float[Tensor, "*s"]:
        """x_t; the time broadcasts."""
        alpha, sigma = self._both(t)
        return alpha * x0 + sigma * e

    def target(self, x0: Float[Tensor, "*s"], e: Float[Tensor, "*s"], t: Float[Tensor, "..."]) -> Float[Tensor, "*s"]:
        """What the network should say of x_t."""
        alpha, sigma = self._both(t)
        return {"v": lambda: alpha * e - sigma * x0, "eps": lambda: e, "x0": lambda: x0}[self.prediction]()

    def x0(self, x: Float[Tensor, "*s"], said: Float[Tensor, "*s"], t: Float[Tensor, "..."]) -> Float[Tensor, "*s"]:
        """The clean value that a prediction at x_t means."""
        alpha, sigma = self._both(t)
        turned: Mapping[Prediction, Callable[[], Tensor]] = {
            "v": lambda: alpha * x - sigma * said,
            "eps": lambda: (x - sigma * said) / alpha,
            "x0": lambda: said,
        }
        return turned[self.prediction]()

    def _both(self, t: Float[Tensor, "*s"]) -> tuple[Float[Tensor, "*s"], Float[Tensor, "*s"]]:
        """Alpha and sigma, computed in double precision; exact at both ends."""
        wide = t.double()
        if self.schedule == "zero-snr":
            left, noise = torch.sin(math.pi / 2 * (1 - wide)), self.shift * torch.sin(math.pi / 2 * wide)
            norm = torch.hypot(left, noise)
            return (left / norm).to(t.dtype), (noise / norm).to(t.dtype)
        table = _log_alpha_table().to(t.device)
        n = wide * (len(table) - 1)
        low = n.floor().clamp(0, len(table) - 2).long()
        log_alpha = torch.lerp(table[low], table[low + 1], n - low)
        return log_alpha.exp().to(t.dtype), torch.sqrt(-torch.expm1(2 * log_alpha)).to(t.dtype)


OURS = Path()
"""Nothing is left at T, no noise at the end."""

PIXELS = Path(shift=4.0)
"""The same, noisier, for pixels: the brightness of 64 x 64 of them shows through noise that hides each one."""

RELEASED = Path("scaled-linear", "eps", end=1e-3)
"""As the released COP-GEN models are trained and sampled (arXiv:2504.08548, arXiv:2603.03239, released code)."""


@cache
def _log_alpha_table() -> Float[Tensor, " n"]:
    """Log alpha after 0, 1, ... steps of the released path."""
    first, last, n = BETAS
    betas = torch.linspace(math.sqrt(first), math.sqrt(last), n, dtype=torch.float64) ** 2
    return torch.cat((torch.zeros(1, dtype=torch.float64), 0.5 * torch.log1p(-betas).cumsum(0)))
