"""Cut the small sample that ships with the package out of the folder that studies/corpus.py wrote.

    python studies/packaged.py FOLDER src/armillary/data/tiles

Only sets whose licence lets a few files be copied. Of each place, the square that varies most on the ground, the same
for all sensors of one lock; one date of each sensor. Train and held-out places stay what they are in FOLDER.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from armillary.sample.sample import Sample
from armillary.sample.tiles import Row, Tiles
from armillary.sample.tiling import Tile, write_tiles

PLACES: tuple[tuple[str, int], ...] = (
    ("terramesh_sites/282D_485L_3_3", 72),
    ("terramesh_sites/38D_378R_2_3", 72),
    ("terramesh_sites/609U_541L_3_0", 72),
    ("terramesh_sites/637U_59R_1_3", 72),
    ("ssl4eo_s12_site/0000200", 64),
    ("bigearthnet_s1s2_pairs/33UUP_87_48", 64),
    ("bigearthnet_s1s2_pairs/35VPK_69_24", 64),
    ("bigearthnet_s1s2_pairs/29SND_56_35", 64),
    ("satclip_s2_100k/patch_322265", 64),
    ("satclip_s2_100k/patch_526850", 64),
    ("satclip_s2_100k/patch_70975", 64),
    ("satclip_s2_100k/patch_566084", 64),
    ("sen1floods11/Ghana_97059", 128),
    ("majortom_cell/0U_199R", 64),
)
"""Place -> side of the square in pixels."""

STEP_PX = 32
"""Distance of the squares that are compared."""


def crops(tiles: Tiles, place: str, side: int) -> Iterator[Tile]:
    """One tile of each sensor of a place, cut alike."""
    first: dict[str, Row] = {}
    for row in tiles.rows:
        if row.place == place:
            first.setdefault(row.sensor, row)
    whole = {row.sensor: tiles.read(row) for row in first.values()}
    top, left = richest(list(whole.values()), side)
    for row in first.values():
        crop = whole[row.sensor].crop(rows=slice(top, top + side), cols=slice(left, left + side))
        scale = None if row.dtype == "float32" else row.scale
        yield Tile(crop, row.place, row.split, row.source, row.licence, row.group, scale=scale)


def richest(samples: Sequence[Sample], side: int) -> tuple[int, int]:
    """Row and column of the whole square that varies most: deviation over that of the tile, mean over all sensors."""
    h, w = samples[0].window.shape
    usual = [np.nanstd(s.pixels, (1, 2)) + 1e-6 for s in samples]
    found: dict[tuple[int, int], float] = {}
    for row in range(0, h - side + 1, STEP_PX):
        for col in range(0, w - side + 1, STEP_PX):
            squares = [s.pixels[:, row : row + side, col : col + side].std((1, 2)) for s in samples]
            varies = float(np.mean([np.mean(q / u) for q, u in zip(squares, usual, strict=True)]))
            found[row, col] = 0.0 if np.isnan(varies) else varies
    return max(found, key=lambda at: found[at])


def main(folder: Path, out: Path) -> None:
    """Write the sample."""
    tiles = Tiles(folder, split=None)
    write_tiles(out, (tile for place, side in PLACES for tile in crops(tiles, place, side)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
