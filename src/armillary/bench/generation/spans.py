"""Spans: from where to where the values of a band usually reach, in its own unit; one table.

PSNR and SSIM need a range. One that is taken from each picture makes dull pictures look well told, so these are fixed:
a score of one place can be compared with that of another. Errors that are pooled over bands are shares of them.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from armillary.errors import BadInput
from armillary.sample.strands import Bands, Categories, Code, Height, Relief, Style

_DARK, _BRIGHT = (0.0, 0.4), (0.0, 0.6)

SPANS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        **dict.fromkeys(("B01", "B02", "B03", "B04", "B05"), _DARK),
        **dict.fromkeys(("B06", "B07", "B08", "B8A", "B09", "B11", "B12"), _BRIGHT),
        "B10": (0.0, 0.02),
        "VV": (-25.0, 5.0),
        "VH": (-32.0, -2.0),
        **dict.fromkeys(("SAR", "SWIR", "NIR", "RED"), (0.0, 255.0)),
        "WATER": (0.0, 1.0),
    }
)
"""Band -> lowest and highest usual value: reflectance, decibels, grey levels, share of water."""

RELIEF_M, HEIGHT_M = (-100.0, 100.0), (0.0, 2000.0)
"""Metres about the mean of a place of 640 m, and metres above the sea."""


def spans_of(code: Code) -> Float[np.ndarray, " c"] | None:
    """Highest less lowest usual value of each channel of the values of a strand; None where values are no amounts.

    Example:
        >>> from armillary.sample.known_strands import nano
        >>> spans_of(nano()[0]).tolist()
        [30.0, 30.0]
    """
    match code:
        case Bands():
            odd = [b for b in code.bands if b not in SPANS]
            if odd:
                raise BadInput(f"the span of {', '.join(odd)} is not known; add it to bench/generation/spans.py")
            ends = [SPANS[b] for b in code.bands]
        case Relief():
            ends = [RELIEF_M]
        case Height():
            ends = [HEIGHT_M]
        case _:
            return None
    return np.array([high - low for low, high in ends])


def is_map(code: Code) -> bool:
    """Whether a strand says what is there, not what a sensor measured."""
    return isinstance(code, Relief | Height | Categories) or is_yes_or_no(code)


def is_yes_or_no(code: Code) -> bool:
    """Whether values are 0 or 1."""
    return isinstance(code, Bands) and code.bands == ("WATER",)


def is_note(code: Code) -> bool:
    """Whether a strand is only ever given: it says something about a place, and is no picture of it."""
    return isinstance(code, Style) or (code.shape[1] == 1 and not isinstance(code, Height))
