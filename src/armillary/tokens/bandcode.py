"""Codes of bands: a wavelength and a width as waves; a name through its language vector.

Two kinds of language vector exist and never share a projection: the official ones (2048 values, Llama-3.2-1B) and the
project's own sentence vectors (384 values, all-MiniLM-L6-v2).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.bands import Spectral
from armillary.errors import OutOfRange
from armillary.nn.fourier import expand

WAVELENGTH_NM = (100.0, 1e9)
"""Shortest and longest wavelength of the expansion of band centres; a centre outside is refused, as upstream does."""

BANDWIDTH_NM = (1.0, 1e9)
"""The same for widths. A width under 1 nm (upstream: AssertionError) is computed by the same formula."""


POLARISATIONS = ("VV", "VH", "HH", "HV")
"""Radar channels that a model may tell apart; any other, and none, has no row of its own."""


def spectral_code(bands: Sequence[Spectral], width: int) -> Float[Tensor, "c {width}"]:
    """Sum of the expansions of centre and width, float32 on the CPU (arXiv:2503.11849, eq. 2)."""
    for band in bands:
        if not WAVELENGTH_NM[0] <= band.center_nm <= WAVELENGTH_NM[1] or band.width_nm > BANDWIDTH_NM[1]:
            raise OutOfRange(
                f"{band} lies outside {WAVELENGTH_NM[0]:g} to {WAVELENGTH_NM[1]:g} nm, on which the model is defined; "
                "give nanometres, not micrometres"
            )
    center = torch.tensor([b.center_nm for b in bands], dtype=torch.float32, device="cpu")
    extent = torch.tensor([b.width_nm for b in bands], dtype=torch.float32, device="cpu")
    z_center = expand(center, shortest=WAVELENGTH_NM[0], longest=WAVELENGTH_NM[1], width=width)
    z_width = expand(extent, shortest=BANDWIDTH_NM[0], longest=BANDWIDTH_NM[1], width=width)
    return z_center + z_width


def polarisation_rows(bands: Sequence[Spectral]) -> list[int]:
    """For each band its row in a table of one row per polarisation; the row behind the last means none."""
    none = len(POLARISATIONS)
    return [POLARISATIONS.index(b.polarisation) if b.polarisation in POLARISATIONS else none for b in bands]
