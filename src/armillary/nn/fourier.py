"""Numbers as waves: the Fourier expansion of scalars, of diffusion times, and the sin-cos table of grid positions.

The expansion is that of Aurora (arXiv:2405.13063, sec. B), as Copernicus-FM uses it (arXiv:2503.11849, sec. 4.2).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def expand(x: Float[Tensor, "*b"], *, shortest: float, longest: float, width: int) -> Float[Tensor, "*b {width}"]:
    """Sines, then cosines, of `x` at wavelengths spaced evenly in their logarithm.

    The phases are computed in float64, because the shortest wavelength may be 10^7 times shorter than `x`; the result
    is float32. The released models saw float32 numbers: round `x` to float32 before (and after any sum) to match them.

    Args:
        x: in the unit of the wavelengths; NaN gives NaN.
        shortest: first wavelength.
        longest: last wavelength, included.
        width: even number of values returned per scalar.
    """
    n = width // 2
    exponent = torch.linspace(math.log10(shortest), math.log10(longest), n, dtype=torch.float64, device=x.device)
    phase = x.to(torch.float64)[..., None] * (2 * math.pi / 10**exponent)
    return torch.cat((phase.sin(), phase.cos()), dim=-1).to(torch.float32)


def time_waves(times: Float[Tensor, "*b"], width: int) -> Float[Tensor, "*b {width}"]:
    """Cosines, then sines, of diffusion times at frequencies 10000^(-k / (width / 2)), in float32.

    As in the transformer's position code (arXiv:1706.03762, 3.5), with the cosines first, as COP-GEN-Beta has them.

    Args:
        times: in network units, 0 to 1000; fractions are allowed.
        width: even number of values returned per time.
    """
    half = width // 2
    frequency = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32, device=times.device) / half)
    phase = times.to(torch.float32)[..., None] * frequency
    return torch.cat((phase.cos(), phase.sin()), dim=-1)


def sincos_grid(side: int, width: int) -> Float[Tensor, "{side}*{side} {width}"]:
    """Fixed position of each cell of a square grid, row by row; width is a multiple of 4.

    The first half encodes the column, the second the row, each as sines then cosines with frequencies
    10000^(-i / (width / 4)), as in the masked autoencoder (arXiv:2111.06377).
    """
    quarter = width // 4
    frequency = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    phase = torch.arange(side, dtype=torch.float64)[:, None] * frequency
    line = torch.cat((phase.sin(), phase.cos()), dim=-1)
    column = line[None].expand(side, side, -1)
    row = line[:, None].expand(side, side, -1)
    return torch.cat((column, row), dim=-1).reshape(side * side, width).to(torch.float32)
