"""Kuro Siwo: the whole flood data set of which Flood-S1 is a part (arXiv:2311.12056), split by events.

It shows what a further benchmark needs: one constant, and one reader where its lists are its own. These lists are
pickles, which nobody should open; here the folders themselves say what there is, and the published split says which
event belongs to which part.
"""

from collections.abc import Mapping
from types import MappingProxyType

from armillary.bench.archive import Archive
from armillary.bench.archives.codes import FLOOD, flooded
from armillary.bench.archives.listed import PARTS, Listed, Source, unique
from armillary.bench.archives.readers import flood_tile
from armillary.bench.files import Files
from armillary.bench.task import Items, Part, Suite, Task
from armillary.earth.fleet import sensors
from armillary.errors import SceneNotFound
from armillary.probe.answer import ClassMap

UNLABELLED = "00"
"""Area of an activation whose tiles have no labels."""

_TRAIN = (130, 470, 555, 118, 174, 324, 421, 554, 427, 518, 502, 498, 497, 496, 492, 147, 267, 273, 275, 417, 567)
_TRAIN_EARLY = (1111011, 1111004, 1111009, 1111010, 1111006, 1111005)

EVENTS: Mapping[Part, tuple[str, ...]] = MappingProxyType(
    {
        "train": tuple(map(str, _TRAIN + _TRAIN_EARLY)),
        "val": tuple(map(str, (514, 559, 279, 520, 437, 1111003, 1111008))),
        "test": tuple(map(str, (321, 561, 445, 562, 411, 1111002, 277, 1111007, 205, 1111013))),
    }
)
"""Activations of each part, as published; one that is in none of them (1111012) is not asked."""


def read(files: Files) -> Items:
    """Every labelled tile of data/<activation>/<area>/<tile>/ whose activation the split names."""
    part_of = {event: part for part in PARTS for event in EVENTS[part]}
    folders = {name.rpartition("/")[0] for name in files.names("data/") if "/MK0_MLU_" in name}
    words = {folder: folder.split("/") for folder in folders}
    asked = [f for f, w in words.items() if len(w) == 4 and w[1] in part_of and w[2] != UNLABELLED]
    tiles = sorted(asked, key=lambda f: (PARTS.index(part_of[words[f][1]]), f))
    if not tiles:
        raise SceneNotFound(f"{files.where} holds no labelled tile data/<activation>/<area>/<tile>/MK0_MLU_*.tif")
    parts = tuple(part_of[words[tile][1]] for tile in tiles)

    def source(number: int) -> Source:
        return flood_tile(files, f"{tiles[number]}/", before=1)

    keys = unique(tuple("/".join(words[tile][1:]) for tile in tiles), parts)
    events = tuple(words[tile][1] for tile in tiles)
    return Listed(files, KURO_SIWO.sensor, "linear", keys, parts, source, label=flooded, groups=events)


KURO_SIWO = Task(
    name="kuro-siwo",
    title="Kuro Siwo",
    sensor=sensors["s1-grd"],
    answer=ClassMap(FLOOD),
    archive=Archive(
        path="KuroSiwo.zip",
        folder="kuro_siwo",
        md5="",
        licence="MIT",
        source="Kuro Siwo (arXiv:2311.12056); its own pages say where to get it",
        aliases=("KuroSiwo", "kurosiwo"),
        marks=("data", "catalogue.gpkg"),
    ),
    read=read,
    joined="difference",
    samples=(2, 2),
    knows=("place", "time", "area"),
    truth_gsd_m=10.0,
    note="Parts are events, so that no flood is in two of them.",
)

EVENTS_SUITE: Suite = MappingProxyType({KURO_SIWO.name: KURO_SIWO})
"""Task by name."""
