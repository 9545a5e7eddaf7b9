"""Codes: which stored number is which class, and the classes by name.

Every number that a table does not hold is IGNORE: a code that means "invalid", or one that nobody declared.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Int, Shaped

from armillary.bench.archives.rasters import ABSURD, Raster, measured
from armillary.errors import SceneUnreadable
from armillary.probe.answer import IGNORE

Codes = Mapping[int, int]
"""Stored number -> class number."""

CLOUDS = ("clear", "thick cloud", "thin cloud", "cloud shadow")
CLOUD_CODES: Codes = MappingProxyType({c: c for c in range(4)})

OLCI_CLOUDS = ("clear", "cloud-ambiguous", "cloud-sure", "cloud shadow", "snow or ice")
"""By the code that made the labels (IdePix); the table beside upstream's loader swaps ambiguous and sure."""
OLCI_CLOUD_CODES: Codes = MappingProxyType({c: c - 1 for c in range(1, 6)})  # 0 is invalid

OLCI_BINARY = ("clear", "cloud")
OLCI_BINARY_CODES: Codes = MappingProxyType({1: 0, 2: 1})  # 0 is invalid

EUROSAT = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)
"""In alphabetical order, as upstream numbers them; torchgeo numbers them otherwise."""

BIGEARTHNET = (
    "Urban fabric",
    "Industrial or commercial units",
    "Arable land",
    "Permanent crops",
    "Pastures",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas",
    "Broad-leaved forest",
    "Coniferous forest",
    "Mixed forest",
    "Natural grassland and sparsely vegetated areas",
    "Moors, heathland and sclerophyllous vegetation",
    "Transitional woodland, shrub",
    "Beaches, dunes, sands",
    "Inland wetlands",
    "Coastal wetlands",
    "Inland waters",
    "Marine waters",
)

_LC100: Mapping[int, str] = {
    0: "unknown",
    20: "shrubs",
    30: "herbaceous vegetation",
    40: "cropland",
    50: "built-up",
    60: "bare or sparse vegetation",
    70: "snow and ice",
    80: "permanent water",
    90: "herbaceous wetland",
    100: "moss and lichen",
    111: "closed forest, evergreen needle leaf",
    112: "closed forest, evergreen broad leaf",
    113: "closed forest, deciduous needle leaf",
    114: "closed forest, deciduous broad leaf",
    115: "closed forest, mixed",
    116: "closed forest, other",
    121: "open forest, evergreen needle leaf",
    122: "open forest, evergreen broad leaf",
    123: "open forest, deciduous needle leaf",
    124: "open forest, deciduous broad leaf",
    125: "open forest, mixed",
    126: "open forest, other",
    200: "ocean",
}
LC100 = tuple(_LC100.values())
"""CGLS-LC100; "unknown" is a class that is scored, as upstream does."""
LC100_CODES: Codes = MappingProxyType({code: number for number, code in enumerate(_LC100)})

DFC = ("forest", "shrubland", "grassland", "wetlands", "croplands", "urban", "barren", "water")
DFC_CODES: Codes = MappingProxyType({1: 0, 2: 1, 4: 2, 5: 3, 6: 4, 7: 5, 9: 6, 10: 7})
"""Background (0), savanna (3) and snow (8) are not asked."""

FLOOD = ("no water", "permanent water", "flood")
FLOOD_CODES: Codes = MappingProxyType({0: 0, 1: 1, 2: 2})  # 3 lies outside of what was mapped

LCZ = (
    "compact high rise",
    "compact mid rise",
    "compact low rise",
    "open high rise",
    "open mid rise",
    "open low rise",
    "lightweight low rise",
    "large low rise",
    "sparsely built",
    "heavy industry",
    "dense trees",
    "scattered trees",
    "bush or scrub",
    "low plants",
    "bare rock or paved",
    "bare soil or sand",
    "water",
)

NO_BIOMASS = 65535.0
"""Above-ground biomass of this many Mg/ha is none that was estimated."""


def classes_of(stored: Shaped[np.ndarray, "h w"], codes: Codes) -> Int[np.ndarray, "h w"]:
    """Class numbers of stored codes, IGNORE for every code that the table does not hold.

    Example:
        >>> classes_of(np.array([[0, 1], [5, 255]], dtype=np.uint8), OLCI_CLOUD_CODES).tolist()
        [[-100, 0], [4, -100]]
    """
    found = np.full(stored.shape, IGNORE, dtype=np.int64)
    for code, number in codes.items():
        found[stored == code] = number
    return found


def coded(rasters: Sequence[Raster], codes: Codes) -> Int[np.ndarray, "h w"]:
    """A class map from a label file."""
    return classes_of(_plane(rasters[0]), codes)


def flooded(rasters: Sequence[Raster]) -> Int[np.ndarray, "h w"]:
    """The class map of a flood; where a second file, the mask of valid pixels, says 0, nothing is asked.

    Upstream loads that mask and does not use it. A mask without any valid pixel says nothing.
    """
    truth = coded(rasters[:1], FLOOD_CODES)
    if len(rasters) > 1:
        valid = _plane(rasters[1]) != 0
        if valid.shape != truth.shape:
            raise SceneUnreadable(
                f"{rasters[0].name} has {truth.shape} pixels and {rasters[1].name} {valid.shape}; download them again"
            )
        truth[~valid & valid.any()] = IGNORE
    return truth


def numbers(rasters: Sequence[Raster]) -> np.ndarray:
    """A map of numbers, NaN where none is known: what the file calls none, and the absurdly large."""
    values = measured(rasters[0])[0]
    return np.where(np.abs(values) < ABSURD, values, np.nan).astype(np.float32)


def biomass(rasters: Sequence[Raster]) -> np.ndarray:
    """The same in Mg/ha, without the number that stands for none."""
    values = numbers(rasters)
    return np.where(values == NO_BIOMASS, np.nan, values).astype(np.float32)


def _plane(raster: Raster) -> np.ndarray:
    plane: np.ndarray = raster.numbers[0]
    return plane
