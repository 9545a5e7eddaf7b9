"""The labelled real sets as questions: items, answers, and the draws in which they are asked.

A *question* is one set with one kind of answer. Its *protocols* name the draws: "all labels" (folds that never cut a
group), "10-shot", and "by place" (folds of whole blocks of land, where coordinates are known).
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from armillary.bench import labels
from armillary.bench.kept import Kept
from armillary.errors import BadInput
from armillary.probe import splits
from armillary.probe.features import Shelf
from armillary.probe.trials import Draws
from real_sets import is_held_out_weak

CLUSTERS = Path(__file__).parent / "s2_l2a_weak_clusters.csv"
FOLDS = 5
SHOTS = 10
BLOCK_DEG = 2.0
WIDE_BLOCK_DEG = 10.0
"""Side of the blocks of land of sets that cover the globe."""

ABSENT: Mapping[str, str] = {
    "bigearthnet_s1s2_pairs, bigearthnet_v2_patch": "seven patches of several labels each: no class has two places to "
    "learn from and two to ask",
    "terramesh_sites": "land-cover maps of four places; a score by place would rest on four answers",
    "majortom_cell": "a cloud mask of one scene: there is no other scene to ask",
    "worldcereal_cubes (cubes)": "labels are products of another model over two adjoining Belgian places",
    "treesatai_1sample": "one sample",
    "srr2_croptype_s1s2": "120 seasonal features per point are given and no pixels, so no encoder can see them; a "
    "random forest on them reaches .88",
    "s5p station NO2": "the tables name stations and the files of others; neither pixels nor coordinates are in them",
    "vectors (Köppen 2020)": "polygons, not items; climate by place is asked through the station table instead",
    "presto_timeseries, worldcereal_cubes (points)": "single pixels through time, which hold no picture; they are "
    "asked as flat patches in the study of joint and late fusion, and said to be that",
    "worldcereal_cubes (wc_pub, prometheo)": "500 fields in eight blocks of land whose crops follow the surveys, "
    "three in five of one crop; and 50 points",
    "sen1floods11 (S2)": "two chips",
    "satclip_s2_100k": "patches without labels; its climate stations are asked by their coordinates",
    "ombria published split": "it puts neighbouring patches of one event on both sides; groups of places instead",
    "s2_l2a_weak, eurosat_ms by time": "neither set holds a date, so telling the encoder the time cannot be tested",
}
"""Labelled sets, or parts of them, that are not asked, and why."""


@dataclass(frozen=True, eq=False)
class Question:
    """One set with one kind of answer.

    Args:
        name: of the question.
        y: classes (whole numbers) or values.
        draws: protocol -> draws.
        units: what an interval over items resamples: the number of each item's group, or None for single items.
        kept: the pixels, or None where only coordinates are known.
        lonlat: degrees, nan where unknown.
        note: what a reader must know.
    """

    name: str
    y: Num[np.ndarray, " n"]
    draws: Mapping[str, Draws]
    units: Int[np.ndarray, " n"] | None
    kept: Kept | None
    lonlat: Float[np.ndarray, "n 2"]
    note: str

    @property
    def of_classes(self) -> bool:
        """True when answers are classes."""
        return bool(np.issubdtype(self.y.dtype, np.integer))

    @property
    def floor(self) -> str:
        """What is reached without looking, in words."""
        if not self.of_classes:
            return "the mean of the asked items has R² 0"
        return f"always naming the most frequent class is right for {np.bincount(self.y).max() / len(self.y):.3f}"

    @property
    def placed(self) -> bool:
        """True when every item's coordinates are known."""
        return bool(np.isfinite(self.lonlat).all())


def eurosat(data: Path, shelf: Shelf) -> Kept:
    """150 patches with true classes, Sentinel-2 level 1C."""
    return Kept.of(labels.eurosat_ms(data), shelf)


def weak(data: Path, shelf: Shelf) -> Kept:
    """1,065 patches with weak classes, Sentinel-2 level 2A, groups by near-duplicate cluster."""
    return Kept.of(labels.s2_l2a_weak(data, CLUSTERS), shelf)


def questions(data: Path, shelf: Shelf, draws: int, only: str = "") -> Iterator[Question]:
    """Every labelled set to which frozen features apply, or those whose names are given, with commas."""
    wanted = set(only.split(",")) - {""}
    known = {**_with_pixels(data, shelf, draws), **_without_pixels(data / "location_benchmarks", draws)}
    if wanted - set(known):
        raise BadInput(f"no questions {', '.join(sorted(wanted - set(known)))}; known are {', '.join(known)}")
    for name, build in known.items():
        if name in wanted or not wanted:
            yield build()


def _with_pixels(data: Path, shelf: Shelf, draws: int) -> dict[str, Callable[[], Question]]:
    floods = "six groups of places, each left out once; g2 was held out of pretraining"
    countries = "six countries, each left out once: so few that it shows little; Spain was held out of pretraining"
    views = {
        f"ombria_{view}{suffix}": lambda view=view, ask=ask: ask(Kept.of(labels.ombria(data, view), shelf), floods)
        for view in ("s1_post", "s2_post")
        for suffix, ask in (("", _by_group), ("_ranked", _ranked))
    }
    return {
        "eurosat_ms": lambda: _eurosat(eurosat(data, shelf), draws),
        "s2_l2a_weak": lambda: _weak(weak(data, shelf), draws),
        **views,
        "sen1floods11": lambda: _by_group(Kept.of(labels.sen1floods11(data), shelf), countries),
    }


def _eurosat(kept: Kept, draws: int) -> Question:
    y, lonlat = kept.labelled.y, kept.lonlat()
    blocks = splits.blocks(lonlat, BLOCK_DEG)
    return Question(
        "eurosat_ms",
        y,
        {
            "all labels": tuple(splits.repeated(y, FOLDS, draws, 0)),
            "10-shot": tuple((splits.shots(y, SHOTS, np.random.default_rng((1, k))),) for k in range(draws)),
            "by place": _blocked(blocks, y, max(2, draws // 4)),
        },
        None,
        kept,
        lonlat,
        f"true labels, 10 classes of 15; by place: folds of whole blocks of {BLOCK_DEG:g} degrees",
    )


def _weak(kept: Kept, draws: int) -> Question:
    asked = int(weak_held_out(kept).sum())
    return Question(
        "s2_l2a_weak",
        kept.labelled.y,
        weak_draws(kept, draws),
        kept.labelled.groups,
        kept,
        kept.lonlat(),
        f"weak labels of 9 classes; the {asked} tiles held out of pretraining, by cluster of near-duplicates, are "
        f"asked, and the other {len(kept) - asked}, whose weak labels pretraining was told, teach. So 10-shot is not "
        "few for the encoder, and with all labels its probe learns from tiles that it knows by heart; held-out tiles "
        "alone: five folds of these",
    )


def weak_draws(kept: Kept, draws: int) -> Mapping[str, Draws]:
    """Tiles that pretraining saw teach and those held out are asked; or folds of those held out."""
    y, groups, held = kept.labelled.y, kept.labelled.groups, weak_held_out(kept)
    assert groups is not None
    told, asked = np.flatnonzero(~held), np.flatnonzero(held)

    def few(draw: int) -> splits.Split:
        drawn = splits.shots(y[told], SHOTS, np.random.default_rng((1, draw)), groups=groups[told])
        return splits.Split(told[drawn.train], asked)

    def alone(draw: int) -> tuple[splits.Split, ...]:
        cut = splits.group_folds(groups[asked], FOLDS, np.random.default_rng((2, draw)), y=y[asked])
        return tuple(splits.Split(asked[s.train], asked[s.test]) for s in cut)

    return {
        "all labels": ((splits.Split(told, asked),),),
        "10-shot": tuple((few(k),) for k in range(draws)),
        "held-out tiles alone": tuple(alone(k) for k in range(draws)),
    }


def weak_held_out(kept: Kept) -> Bool[np.ndarray, " n"]:
    """Which tiles of s2_l2a_weak pretraining never saw, by the rule of `real_sets`."""
    with CLUSTERS.open(newline="") as lines:
        cluster = {r["file"]: r["cluster"] for r in csv.DictReader(lines)}
    return np.array([is_held_out_weak(cluster[path.name]) for path in kept.labelled.hrefs])


def _by_group(kept: Kept, note: str) -> Question:
    groups = kept.labelled.groups
    assert groups is not None
    name, draws = kept.labelled.name, {"all labels": (splits.leave_one_out(groups),)}
    return Question(name, kept.labelled.y, draws, groups, kept, kept.lonlat(), f"{kept.labelled.note}; {note}")


def _ranked(kept: Kept, note: str) -> Question:
    """Which items have more than the median of their group: groups differ in level, which no item shows."""
    share = _by_group(kept, note)
    assert share.units is not None
    y = above_median(share.y, share.units)
    note = f"whether the {kept.labelled.note} is above the median of its group; {note}"
    return replace(share, name=f"{share.name}_ranked", y=y, note=note)


def above_median(y: Float[np.ndarray, " n"], groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """1 where a value is above the median of its group, else 0."""
    median = np.array([np.median(y[groups == g]) for g in np.unique(groups)])
    return (y > median[np.unique(groups, return_inverse=True)[1]]).astype(np.int64)


def _without_pixels(folder: Path, draws: int) -> dict[str, Callable[[], Question]]:
    return {path.stem: lambda path=path: _places(path, draws) for path in sorted(folder.glob("*.csv"))}


def _places(path: Path, draws: int) -> Question:
    """Values at coordinates."""
    with path.open(newline="") as lines:
        rows = [{k.lower(): v for k, v in row.items()} for row in csv.DictReader(lines)]
    target = "meant" if path.stem.startswith("air") else list(rows[0])[2]
    table = np.array([[float(r["lon"]), float(r["lat"]), float(r[target])] for r in rows])
    table = table[np.isfinite(table).all(axis=1)]
    blocks = splits.blocks(table[:, :2], WIDE_BLOCK_DEG)
    alike, few = np.zeros(len(table), dtype=np.int64), max(2, draws // 10)
    return Question(
        path.stem,
        table[:, 2],
        {"all labels": tuple(splits.repeated(alike, FOLDS, few, 0)), "by place": _blocked(blocks, None, few)},
        blocks,
        None,
        table[:, :2],
        f"coordinates alone; by place: folds of whole blocks of {WIDE_BLOCK_DEG:g} degrees",
    )


def _blocked(groups: Int[np.ndarray, " n"], y: Int[np.ndarray, " n"] | None, draws: int) -> Draws:
    return tuple(splits.group_folds(groups, FOLDS, np.random.default_rng((2, k)), y=y) for k in range(draws))
