"""Legends: what the numbers of a land-cover map mean, as the nine classes of Dynamic World.

A *legend* is a table from the codes of one map to classes 0 to 8. A code that has no exact class (clouds; rangeland,
which is grass or shrub) is *unsorted*: it is known, and counts as unknown ground. Sources: Dynamic World
(doi:10.1038/s41597-022-01307-4), ESA WorldCover v200 (doi:10.5281/zenodo.7254221), Esri 10 m land cover
(doi:10.1109/IGARSS47720.2021.9553499), TerraMesh (arXiv:2504.11172), which numbers Esri's classes without gaps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from armillary.errors import BadInput

CLASSES = (
    "water",
    "trees",
    "grass",
    "flooded vegetation",
    "crops",
    "shrub and scrub",
    "built",
    "bare",
    "snow and ice",
)
"""Dynamic World's classes in its order, which is that of the labels of SSL4EO-S12-ML."""

COLOURS = ("#419bdf", "#397d49", "#88b053", "#7a87c6", "#e49635", "#dfc35a", "#c4281b", "#a59b8f", "#b39fe1")
"""What Dynamic World's maps are drawn in."""


@dataclass(frozen=True)
class Legend:
    """What the codes of one land-cover map mean.

    Args:
        name: key in `LEGENDS`.
        codes: code -> class, 0 to 8.
        unsorted: codes that have no exact class.
        empty: codes that mean that nothing is known.

    Raises:
        BadInput: a class that is none, or a code with two meanings.
    """

    name: str
    codes: Mapping[int, int]
    unsorted: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", MappingProxyType(dict(self.codes)))
        odd = {code: c for code, c in self.codes.items() if c not in range(len(CLASSES))}
        twice = sorted(set(self.codes) & {*self.unsorted, *self.empty})
        if odd or twice:
            raise BadInput(
                f"the legend {self.name} has the classes {odd or 'all'} and {twice or 'no'} codes with two meanings; "
                "give each code one class, 0 to 8"
            )

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.codes.items())), self.unsorted, self.empty))

    def changed(self, classes: Mapping[int, int]) -> "Legend":
        """The same legend with another class for some codes.

        Example:
            >>> LEGENDS["worldcover"].changed({95: 1}).codes[95]  # mangroves as trees
            1
        """
        unsorted = tuple(code for code in self.unsorted if code not in classes)
        return replace(self, codes={**self.codes, **classes}, unsorted=unsorted)


LEGENDS: Mapping[str, Legend] = MappingProxyType(
    {
        legend.name: legend
        for legend in (
            Legend("dynamic-world", {c: c for c in range(len(CLASSES))}, empty=(255,)),
            Legend(
                "worldcover",
                {10: 1, 20: 5, 30: 2, 40: 4, 50: 6, 60: 7, 70: 8, 80: 0, 90: 3, 95: 3, 100: 7},
                empty=(0, 255),
            ),
            Legend(
                "esri",
                {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8},
                unsorted=(10, 11),
                empty=(0, 255),
            ),
            Legend("terramesh", {1: 0, 2: 1, 3: 3, 4: 4, 5: 6, 6: 7, 7: 8}, unsorted=(8, 9), empty=(0, 255)),
        )
    }
)
"""Name -> legend. In WorldCover, mangroves (95) become flooded vegetation and moss (100) bare ground; `changed` takes
others. Esri's clouds and rangeland (10, 11; TerraMesh: 8, 9) are unsorted; grass and scrub (3, 6) are of its first
edition."""


def find_legend(name: str) -> Legend:
    """A legend by its name.

    Raises:
        BadInput: no such legend.
    """
    if name not in LEGENDS:
        raise BadInput(f"no legend is called {name!r}; known are {', '.join(LEGENDS)}")
    return LEGENDS[name]
