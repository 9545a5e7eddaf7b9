"""CORINE land cover as BigEarthNet labels it: 43 names of the first version, of which 19 classes remain.

Source: Sumbul et al. 2021, BigEarthNet-MM (arXiv:2105.07921), table 1. Eleven of the 43 have no class of the 19.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool

from armillary.errors import BadInput

_JOINED: Mapping[str, tuple[str, ...]] = {
    "Urban fabric": ("Continuous urban fabric", "Discontinuous urban fabric"),
    "Industrial or commercial units": ("Industrial or commercial units",),
    "Arable land": ("Non-irrigated arable land", "Permanently irrigated land", "Rice fields"),
    "Permanent crops": (
        "Vineyards",
        "Fruit trees and berry plantations",
        "Olive groves",
        "Annual crops associated with permanent crops",
    ),
    "Pastures": ("Pastures",),
    "Complex cultivation patterns": ("Complex cultivation patterns",),
    "Land principally occupied by agriculture, with significant areas of natural vegetation": (
        "Land principally occupied by agriculture, with significant areas of natural vegetation",
    ),
    "Agro-forestry areas": ("Agro-forestry areas",),
    "Broad-leaved forest": ("Broad-leaved forest",),
    "Coniferous forest": ("Coniferous forest",),
    "Mixed forest": ("Mixed forest",),
    "Natural grassland and sparsely vegetated areas": ("Natural grassland", "Sparsely vegetated areas"),
    "Moors, heathland and sclerophyllous vegetation": ("Moors and heathland", "Sclerophyllous vegetation"),
    "Transitional woodland, shrub": ("Transitional woodland/shrub",),
    "Beaches, dunes, sands": ("Beaches, dunes, sands",),
    "Inland wetlands": ("Inland marshes", "Peatbogs"),
    "Coastal wetlands": ("Salt marshes", "Salines"),
    "Inland waters": ("Water courses", "Water bodies"),
    "Marine waters": ("Coastal lagoons", "Estuaries", "Sea and ocean"),
}

DROPPED = (
    "Road and rail networks and associated land",
    "Port areas",
    "Airports",
    "Mineral extraction sites",
    "Dump sites",
    "Construction sites",
    "Green urban areas",
    "Sport and leisure facilities",
    "Bare rock",
    "Burnt areas",
    "Intertidal flats",
)
"""Names that belong to none of the 19 classes."""

CLASSES = tuple(_JOINED)
CLASS_OF: Mapping[str, str] = MappingProxyType({name: c for c, names in _JOINED.items() for name in names})
"""Name of the first version -> class."""


def labels_of(names: Iterable[str]) -> Bool[np.ndarray, "19"]:
    """Which of the 19 classes a patch has.

    Raises:
        BadInput: a name is none of the 43.

    Example:
        >>> [CLASSES[i] for i in labels_of(["Peatbogs", "Water bodies", "Airports"]).nonzero()[0]]
        ['Inland wetlands', 'Inland waters']
    """
    names = tuple(names)
    strange = [n for n in names if n not in CLASS_OF and n not in DROPPED]
    if strange:
        raise BadInput(f"{strange[0]!r} is no CORINE name of BigEarthNet; check the labels of the patch")
    held = {CLASS_OF[n] for n in names if n in CLASS_OF}
    return np.array([c in held for c in CLASSES])
