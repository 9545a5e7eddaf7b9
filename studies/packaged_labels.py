"""Write the labels of the packaged sample, as far as something is known of its land cover.

    python studies/packaged_labels.py SETS src/armillary/data/tiles

TerraMesh's sites have an Esri land-cover map, cut here as their tiles are (rule *clean*, one percent); BigEarthNet's
patches have CORINE classes, of the whole patch, of which a tile is the richest quarter. The others have none.
"""

import json
import sys
from pathlib import Path

import rasterio

from armillary.earth.legend import LEGENDS
from armillary.sample.landcover import RULES, cover_of_classes
from armillary.sample.scene_labels import write_labels
from armillary.sample.tiles import Row, read_rows

CORINE = {
    "Non-irrigated arable land": 4,
    "Land principally occupied by agriculture, with significant areas of natural vegetation": 4,
    "Complex cultivation patterns": 4,
    "Broad-leaved forest": 1,
    "Coniferous forest": 1,
    "Mixed forest": 1,
    "Transitional woodland/shrub": 5,
    "Peatbogs": 3,
    "Pastures": 2,
    "Water bodies": 0,
}
"""CORINE classes that occur -> Dynamic World's."""


def of_map(path: Path, row: Row) -> tuple[int, ...]:
    """Classes of the part of a map under a tile; both lie on one grid."""
    with rasterio.open(path) as data:
        at = row.window.affine
        top, left = round((at.f - data.transform.f) / data.transform.e), round((at.c - data.transform.c) / at.a)
        codes = data.read(1)[top : top + row.height, left : left + row.width].astype(int)
    return RULES["clean"].labels(cover_of_classes(codes, LEGENDS["terramesh"], href=str(path)))


def of_patch(folder: Path, place: str) -> tuple[int, ...]:
    """Classes of a BigEarthNet patch, by its name's last two numbers."""
    (path,) = folder.glob(f"BigEarthNet-S2-Example/*_{'_'.join(place.split('_')[-2:])}/*_labels_metadata.json")
    return tuple(sorted({CORINE[name] for name in json.loads(path.read_text())["labels"]}))


def main(sets: Path, out: Path) -> None:
    """Write labels.json."""
    found = {}
    for row in read_rows(out):
        name = row.place.partition("/")[2]
        if row.sensor == "s2-l2a" and row.source in ("terramesh_sites", "bigearthnet_s1s2_pairs"):
            terramesh = row.source == "terramesh_sites"
            classes = (
                of_map(sets / row.source / "LULC" / f"{name}.tif", row)
                if terramesh
                else of_patch(sets / row.source, name)
            )
            found[row.place] = {row.id.removeprefix(f"{row.place}/"): classes}
    write_labels(dict(sorted(found.items())), out / "labels.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
