"""The two kinds of Band: light of some wavelength, or a quantity that only words describe.

A Copernicus-FM patch embedding is generated from exactly this: centre and width for a spectral band
(arXiv:2503.11849, sec. 4.1), a language vector of the variable's name for any other.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from armillary.errors import OutOfRange

VECTOR_LENGTH = 2048
"""Width of the language model's hidden state behind the official vectors (Llama-3.2-1B)."""


@dataclass(frozen=True)
class Spectral:
    """A band of light.

    Args:
        center_nm: centre wavelength in nanometres, > 0.
        width_nm: full width in nanometres, >= 0.
        polarisation: of a radar channel, such as "VV"; the released Copernicus-FM does not look at it.

    Example:
        >>> Spectral(490, 65)
        Spectral(center_nm=490.0, width_nm=65.0)
    """

    center_nm: float | int  # whole numbers are welcome; both are held as floats
    width_nm: float | int
    polarisation: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "center_nm", float(self.center_nm))
        object.__setattr__(self, "width_nm", float(self.width_nm))
        if not self.center_nm > 0 or not self.width_nm >= 0:
            raise OutOfRange(
                f"a spectral band needs a centre > 0 nm and a width >= 0 nm, got {self.center_nm} and {self.width_nm}; "
                "give both in nanometres"
            )


@dataclass(frozen=True)
class Named:
    """A band that is no light: a gas column, a height. It is known by its words.

    Args:
        text: what the variable is called, in plain words.
        vector: its language vector, float[2048], when one is at hand; None lets the model look it up by its text.

    Example:
        >>> Named("Copernicus Digital Elevation Model").text
        'Copernicus Digital Elevation Model'
    """

    text: str
    vector: tuple[float, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.vector is None:
            return
        values: Float[np.ndarray, " d"] = np.asarray(self.vector, dtype=np.float32)
        if values.shape != (VECTOR_LENGTH,):
            raise OutOfRange(
                f"the language vector of {self.text!r} must have shape ({VECTOR_LENGTH},), got {values.shape}"
            )
        object.__setattr__(self, "vector", tuple(values.tolist()))


Band = Spectral | Named
