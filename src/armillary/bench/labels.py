"""Labelled sets: real pixels with a known answer, read one item at a time.

An item is one Sample; its answer is a class or a number; its *group* is what must never lie on both sides of a split
(an event, a country, a cluster of near-duplicates).
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Num

from armillary.earth.card import find_sensor
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.errors import SceneNotFound
from armillary.sample.array import from_array
from armillary.sample.sample import Sample
from armillary.scene.open import open

MASK_MIDDLE = 127.5
"""Masks are kept as grey levels; above this is flooded."""

Part = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Items of one sensor with their answers.

    Args:
        name: of the set.
        sensor: of every item, narrowed to its bands.
        hrefs: one file per item.
        y: class numbers (integers) or values.
        classes: names of the classes; empty for values.
        groups: number of each item's group; None where every item stands alone.
        parts: rows and columns of each item in its file; empty: the whole file.
        note: what a reader of a score must know.
    """

    name: str
    sensor: Sensor
    hrefs: tuple[Path, ...]
    y: Num[np.ndarray, " n"]
    classes: tuple[str, ...] = ()
    groups: Int[np.ndarray, " n"] | None = None
    parts: tuple[Part, ...] = ()
    note: str = ""

    def __len__(self) -> int:
        return len(self.hrefs)

    def sample(self, item: int) -> Sample:
        """One item, read from its file."""
        sample = from_array(open(self.hrefs[item], self.sensor, self.parts[item] if self.parts else None))
        at = sample.sensor.index(self.sensor.band_names)
        return Sample(np.ascontiguousarray(sample.pixels[list(at)]), self.sensor, sample.window, sample.time)

    def samples(self, items: Sequence[int] | None = None) -> Iterator[Sample]:
        """Items in order, one in memory at a time; None = all."""
        yield from map(self.sample, range(len(self)) if items is None else items)


def eurosat_ms(root: Path) -> Labelled:
    """150 patches of EuroSAT in all bands of Sentinel-2 level 1C, ten classes of 15, each with its place."""
    hrefs = _found(root / "eurosat_ms", "*/*.tif")
    classes, y = np.unique([p.parent.name for p in hrefs], return_inverse=True)
    return Labelled("eurosat_ms", sensors["s2-l1c"], hrefs, y, tuple(map(str, classes)), note="true labels")


def s2_l2a_weak(root: Path, clusters: Path | None = None) -> Labelled:
    """1,065 patches of Sentinel-2 level 2A whose class five or six of six public predictions agree on.

    Args:
        root: folder that holds the sets.
        clusters: table of file and cluster of near-duplicates, as studies/near_duplicates.py writes it.
    """
    folder = root / "s2_l2a_weak"
    rows = _rows(folder / "labels.csv")
    classes, y = np.unique([r["label"] for r in rows], return_inverse=True)
    return Labelled(
        "s2_l2a_weak",
        sensors["s2-l2a"],
        tuple(folder / "jp2" / r["file"] for r in rows),
        y,
        tuple(map(str, classes)),
        groups=None if clusters is None else _clusters(clusters, [r["file"] for r in rows]),
        note="weak labels; places unknown; folds by cluster of near-duplicates",
    )


OMBRIA_VIEWS = ("s1_pre", "s1_post", "s2_pre", "s2_post")


def ombria(root: Path, view: str, sites: Sequence[str] | None = None) -> Labelled:
    """694 places of OMBRIA (Drakonakis et al. 2022) in one of their `OMBRIA_VIEWS`, with their flooded share.

    Items are in one order whatever the view, so that views can be joined. Groups are coarse groups of places: the
    published split puts neighbouring patches of one event on both sides.

    Args:
        root: folder that holds the sets.
        view: which of the four.
        sites: only these; None = all.
    """
    folder = root / "ombria"
    rows = [r for r in _rows(folder / "groups.csv") if sites is None or r["site"] in sites]
    stems = [folder / r["published_split"] / r["site"] for r in rows]
    sensor = find_sensor("ombria-s1" if view.startswith("s1") else "ombria-s2")
    masks = (open(stem.with_name(f"{stem.name}_mask.webp"), "ombria-s1") for stem in stems)
    share = np.array([float((mask.values > MASK_MIDDLE).mean()) for mask in masks])
    groups = np.unique([r["group"] for r in rows], return_inverse=True)[1]
    hrefs = tuple(stem.with_name(f"{stem.name}_{view}.webp") for stem in stems)
    return Labelled(f"ombria_{view}", sensor, hrefs, share, groups=groups, note="flooded share of each place")


def sen1floods11(root: Path, side_px: int = 128) -> Labelled:
    """Tiles of the hand-labelled Sentinel-1 chips of Sen1Floods11, with their share of water; groups are countries.

    A tile counts when at least half of it is labelled.
    """
    folder = root / "sen1floods11"
    hrefs, parts, share = [], [], []
    for path in _found(folder / "Label", "*_LabelHand.tif"):
        label = open(path, "dem").values[0]  # one plane of numbers: -1 unknown, 0 dry, 1 water
        for row in range(0, label.shape[0] - side_px + 1, side_px):
            for col in range(0, label.shape[1] - side_px + 1, side_px):
                part = (slice(row, row + side_px), slice(col, col + side_px))
                known = label[part][label[part] >= 0]
                if known.size >= side_px**2 / 2:
                    hrefs.append(folder / "S1" / path.name.replace("LabelHand", "S1Hand"))
                    parts.append(part)
                    share.append(float(known.mean()))
    groups = np.unique([p.name.split("_")[0] for p in hrefs], return_inverse=True)[1]
    y = np.array(share)
    return Labelled("sen1floods11", sensors["s1-grd"], tuple(hrefs), y, (), groups, tuple(parts), "share of water")


def _clusters(table: Path, names: Sequence[str]) -> Int[np.ndarray, " n"]:
    cluster = {r["file"]: r["cluster"] for r in _rows(table)}
    out: Int[np.ndarray, " n"] = np.unique([cluster[n] for n in names], return_inverse=True)[1]
    return out


def _found(folder: Path, pattern: str) -> tuple[Path, ...]:
    paths = tuple(sorted(folder.glob(pattern)))
    if not paths:
        raise SceneNotFound(f"{folder / pattern} was asked for and nothing is there; give the folder with the sets")
    return paths


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise SceneNotFound(f"{path} was asked for and is not there; give the folder that holds the labelled sets")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))
