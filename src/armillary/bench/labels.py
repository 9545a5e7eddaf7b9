"""Labelled sets: real pixels with a known answer, read one item at a time.

An item is one Sample; its answer is a class or a number; its *group* is what must never lie on both sides of a split
(an event, a country, a cluster of near-duplicates).
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Num

from armillary.earth.card import find_sensor
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.errors import SceneNotFound
from armillary.sample.array import from_array
from armillary.sample.sample import Sample
from armillary.scene.open import open


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
        note: what a reader of a score must know.
    """

    name: str
    sensor: Sensor
    hrefs: tuple[Path, ...]
    y: Num[np.ndarray, " n"]
    classes: tuple[str, ...] = ()
    groups: Int[np.ndarray, " n"] | None = None
    note: str = ""

    def __len__(self) -> int:
        return len(self.hrefs)

    def sample(self, item: int) -> Sample:
        """One item, read from its file."""
        sample = from_array(open(self.hrefs[item], self.sensor))
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


def ombria(root: Path, view: str) -> Labelled:
    """694 places of OMBRIA in one of its four views (s1_pre, s1_post, s2_pre, s2_post), with their flooded share."""
    folder = root / "ombria"
    rows = _rows(folder / "groups.csv")
    homes = [folder / r["published_split"] for r in rows]
    sensor = find_sensor("ombria-s1" if view.startswith("s1") else "ombria-s2")
    mask = find_sensor("ombria-s1")
    share = [
        float((from_array(open(home / f"{r['site']}_mask.webp", mask)).pixels > 127).mean())
        for home, r in zip(homes, rows, strict=True)
    ]
    hrefs = tuple(home / f"{r['site']}_{view}.webp" for home, r in zip(homes, rows, strict=True))
    groups = np.unique([r["group"] for r in rows], return_inverse=True)[1]
    return Labelled(f"ombria {view}", sensor, hrefs, np.array(share), groups=groups, note="flooded share of the place")


def lonlat(samples: Sequence[Sample]) -> Float[np.ndarray, "n 2"]:
    """Centre of each sample in degrees, nan where unknown."""
    return np.array([s.window.center if s.window.crs is not None else (np.nan, np.nan) for s in samples])


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
