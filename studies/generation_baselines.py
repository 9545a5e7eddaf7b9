"""Say what can be told of one strand from others without a model, on held-out places: what a generator must beat.

    python studies/generation_baselines.py FOLDER docs/results/generation-baselines.csv [physical|ombria]

FOLDER holds what studies/pairs.py wrote. Physical strands: floors learn from the training places and tell the held-out
ones. OMBRIA: each of the six groups is left out once; a score of a group is the mean over its sites. One row of the
table per task, floor, target and place or group. `place` "all" is the mean over places or groups, each counted once.
"""

import csv
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from armillary.bench.generation.fidelity import Fidelity, fidelity, mean_fidelity
from armillary.bench.generation.floors import (
    Item,
    Linear,
    Values,
    around_pixel,
    copy_floor,
    mean_floor,
    nearest_floor,
    own_mean,
    own_pixel,
)
from armillary.sample.known_strands import nano, thumb
from armillary.sample.pairs import Pairs
from armillary.sample.strands import Bands, physical
from armillary.sample.thumbs import Thumbs

FIELDS = ("suite", "task", "target", "floor", "place", "items", "mae", "rmse", "level", "correlation")

L1C, L2A = (tuple(f"s2-{level}-{size}m" for size in (10, 20, 60)) for level in ("l1c", "l2a"))

PHYSICAL: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "L1C to L2A": (L1C, L2A),
    "L2A to L1C": (L2A, L1C),
    "S1 to L2A": (("s1-rtc",), L2A[:2]),
    "S1 to L1C": (("s1-rtc",), L1C[:2]),
    "L2A to S1": (L2A[:1], ("s1-rtc",)),
    "L1C to S1": (L1C[:1], ("s1-rtc",)),
    "S1 to DEM": (("s1-rtc",), ("dem", "dem-mean")),
    "L2A to DEM": (L2A[:1], ("dem", "dem-mean")),
    "L1C to DEM": (L1C, ("dem", "dem-mean")),
    "S1 and L2A to DEM": (("s1-rtc", *L2A[:1]), ("dem", "dem-mean")),
    "S1 to water": (("s1-rtc",), ("water",)),
}
"""Task -> given strands, targets."""

THUMBS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "S1 to S2 after": (("s1-after",), ("s2-after",)),
    "S1 to S2 before": (("s1-before",), ("s2-before",)),
    "S2 to S1 after": (("s2-after",), ("s1-after",)),
    "S2 to S1 before": (("s2-before",), ("s1-before",)),
    "S1 before and after and S2 before to S2 after": (("s1-before", "s1-after", "s2-before"), ("s2-after",)),
    "S1 before and after to flood": (("s1-before", "s1-after"), ("flood",)),
}

FIT_STEP, ASK_STEP = 32, 8
"""OMBRIA: every 32nd pixel each way is fitted (64 of a site), every 8th is asked (1,024 of a site)."""

BOOSTING = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 31, "random_state": 0}

Tell = Callable[[Item, str], Values]


@dataclass(frozen=True, eq=False)
class Seen:
    """An item and whose it is."""

    item: Item
    place: str


def physical_items(folder: Path, split: str) -> list[Seen]:
    """The middle of every block at every date, with all its strands."""
    pairs, codes = Pairs(folder, split, together=2), nano()
    return [
        Seen(physical(pairs.middle(i, c), codes), pairs.place(i))
        for i in range(len(pairs))
        for c in range(len(pairs.companies(i)))
    ]


def having(seen: Sequence[Seen], names: Sequence[str]) -> list[Seen]:
    """Those with all these strands, every band of which is known somewhere."""
    return [s for s in seen if all(n in s.item and np.isfinite(s.item[n]).any(axis=(1, 2)).all() for n in names)]


def physical_floors(
    train: Sequence[Seen], given: tuple[str, ...], target: str
) -> Iterator[tuple[str, Callable[[Item], Values]]]:
    """Name -> floor."""
    items = [s.item for s in train]
    yield "mean", mean_floor(items, target)
    yield "oracle image mean", partial(own_mean, target=target)
    yield "nearest place", nearest_floor(items, given, target)
    yield "linear all bands", _on_grid(Linear.fit(items, target, own_pixel(given)), target)
    if target.startswith("s2") and given[0].startswith("s2"):
        yield "copy", _copy(given, target)
        yield "linear same band", _same_band(items, given, target)
    elif target != "dem-mean":
        yield "linear 14 clues", _on_grid(Linear.fit(items, target, around_pixel(given), step=2), target)


def _on_grid(fitted: Linear, target: str) -> Callable[[Item], Values]:
    return lambda item: fitted(item, item[target].shape[1])


def _bands(name: str) -> tuple[str, ...]:
    return next(c.bands for c in nano() if isinstance(c, Bands) and c.name == name)


def _beside(given: tuple[str, ...], target: str) -> str:
    """The strand of the other level at the same ground size."""
    return next(g for g in given if g.rsplit("-", 1)[1] == target.rsplit("-", 1)[1])


def _copy(given: tuple[str, ...], target: str) -> Callable[[Item], Values]:
    """The same band of the other level; cirrus, which level 2A lacks, as 0."""
    source = _beside(given, target)
    names, asked = _bands(source), _bands(target)
    tell = copy_floor(source, [names.index(b) for b in asked if b in names])

    def copied(item: Item) -> Values:
        known = iter(tell(item))
        return np.stack([next(known) if b in names else np.zeros(item[target].shape[1:], np.float32) for b in asked])

    return copied


def _same_band(items: Sequence[Item], given: tuple[str, ...], target: str) -> Callable[[Item], Values]:
    """Each band from the same band alone; cirrus from its mean."""
    source = _beside(given, target)
    names, asked = _bands(source), _bands(target)
    fits = []
    for channel, band in enumerate(asked):
        clue = "one" if band in names else "none"
        alone = [{"y": i[target][channel : channel + 1], **_alone(i, source, names, band)} for i in items]
        fits.append((band, clue, Linear.fit(alone, "y", own_pixel((clue,)))))

    def tell(item: Item) -> Values:
        side = item[target].shape[1]
        return np.concatenate([fit(_alone(item, source, names, band), side) for band, _, fit in fits])

    return tell


def _alone(item: Item, source: str, names: tuple[str, ...], band: str) -> dict[str, Values]:
    if band in names:
        return {"one": item[source][names.index(band)][None]}
    return {"none": np.zeros((1, *item[source].shape[1:]), np.float32)}


def physical_rows(folder: Path) -> Iterator[dict[str, object]]:
    """Every task on the held-out places."""
    train, held = (physical_items(folder, split) for split in ("train", "held-out"))
    for task, (given, targets) in PHYSICAL.items():
        for target in targets:
            known, asked = having(train, (*given, target)), having(held, (*given, target))
            for floor, tell in physical_floors(known, given, target):
                scores = {
                    p: [fidelity(tell(s.item), s.item[target]) for s in asked if s.place == p]
                    for p in sorted({s.place for s in asked})
                }
                yield from rows_of("held-out places", task, target, floor, scores)


def leave_one_out_rows(folder: Path) -> Iterator[dict[str, object]]:
    """The two levels of Sentinel-2 at five places, each left out once: how much five places differ."""
    seen = [s for split in ("train", "held-out") for s in physical_items(folder, split)]
    for task, (given, targets) in list(PHYSICAL.items())[:2]:
        for target in targets:
            both = having(seen, (*given, target))
            scores: dict[str, dict[str, list[Fidelity]]] = {}
            for place in sorted({s.place for s in both}):
                rest, own = ([s for s in both if (s.place == place) == mine] for mine in (False, True))
                for floor, tell in physical_floors(rest, given, target):
                    found = [fidelity(tell(s.item), s.item[target]) for s in own]
                    scores.setdefault(floor, {})[place] = found
            for floor, by_place in scores.items():
                yield from rows_of("each place left out", task, target, floor, by_place)


def rows_of(
    suite: str, task: str, target: str, floor: str, scores: Mapping[str, Sequence[Fidelity]]
) -> Iterator[dict[str, object]]:
    """One row per place, and their mean."""
    means = {place: mean_fidelity(found) for place, found in scores.items()}
    count = sum(map(len, scores.values()))
    for place, mean in [*means.items(), ("all", mean_fidelity(list(means.values())))]:
        items = count if place == "all" else len(scores[place])
        facts = {"suite": suite, "task": task, "target": target, "floor": floor, "place": place, "items": items}
        yield facts | {k: f"{v:.5g}" for k, v in vars(mean).items()}


@dataclass(frozen=True, eq=False)
class Pixels:
    """All sites on the pixels that are asked: clues and values of every strand."""

    values: Mapping[str, np.ndarray]
    clues: Mapping[str, np.ndarray]
    groups: np.ndarray

    @classmethod
    def of(cls, folder: Path) -> "Pixels":
        """Sites in order: values [site, channel, row, column], clues [site, 14 channel, row, column], in halves."""
        thumbs, codes = Thumbs(folder), thumb(256, 1)
        values: dict[str, list[np.ndarray]] = {}
        clues: dict[str, list[np.ndarray]] = {}
        for i in range(len(thumbs)):
            item = physical(thumbs.whole(i), codes)
            for name, v in item.items():
                values.setdefault(name, []).append(v[:, ::ASK_STEP, ::ASK_STEP].copy())
                if name != "flood":
                    found = around_pixel((name,))(item, 256)[:, ::ASK_STEP, ::ASK_STEP]
                    clues.setdefault(name, []).append(found.astype(np.float16))
        groups = np.array([thumbs.group(i) for i in range(len(thumbs))])
        return cls({n: np.stack(v) for n, v in values.items()}, {n: np.stack(v) for n, v in clues.items()}, groups)


def thumb_rows(folder: Path) -> Iterator[dict[str, object]]:
    """Every task, each group left out once."""
    pixels = Pixels.of(folder)
    for task, (given, targets) in THUMBS.items():
        for target in targets:
            scores: dict[str, dict[str, list[Fidelity]]] = {}
            for group in sorted(set(pixels.groups)):
                own = pixels.groups == group
                truth = pixels.values[target][own]
                for floor, told in thumb_floors(pixels, given, target, own):
                    found = [fidelity(t, v) for t, v in zip(told, truth, strict=True)]
                    scores.setdefault(floor, {})[str(group)] = found
            print(f"{task}, after {time.process_time():.0f} s of CPU", flush=True)
            for floor, by_group in scores.items():
                yield from rows_of("ombria", task, target, floor, by_group)


def thumb_floors(
    pixels: Pixels, given: tuple[str, ...], target: str, own: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Name -> what is told of the sites of one group, learned from the others."""
    y, truth = pixels.values[target][~own], pixels.values[target][own]
    like = np.ones_like(truth)
    yield "mean", like * np.nanmean(y, axis=(0, 2, 3))[:, None, None]
    yield "oracle image mean", like * np.nanmean(truth, axis=(2, 3), keepdims=True)
    same = [g for g in given if g.split("-")[0] == target.split("-", maxsplit=1)[0]]
    if same:
        yield "copy", pixels.values[same[0]][own]
    items = [{n: v[i] for n, v in pixels.values.items()} for i in range(len(own))]
    tell = nearest_floor([i for i, o in zip(items, own, strict=True) if not o], given, target)
    yield "nearest place", np.stack([tell(i) for i, o in zip(items, own, strict=True) if o])
    yield from _fitted(pixels, given, target, own)


def _fitted(pixels: Pixels, given: tuple[str, ...], target: str, own: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    every = FIT_STEP // ASK_STEP
    x = np.concatenate([pixels.clues[g][~own, :, ::every, ::every] for g in given], axis=1).astype(np.float32)
    y = pixels.values[target][~own][:, :, ::every, ::every]
    x, y = (np.moveaxis(v, 1, -1).reshape(-1, v.shape[1]) for v in (x, y))
    known = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    x, y = x[known], y[known]
    asked = np.concatenate([pixels.clues[g][own] for g in given], axis=1).astype(np.float32)
    shape = (*asked[:, :1].shape, y.shape[1])
    flat = np.moveaxis(asked, 1, -1).reshape(-1, asked.shape[1])
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-6
    whitened, wanted = (x - mean) / deviation, y.mean(axis=0)
    gram = whitened.T @ whitened + 1e-3 * len(x) * np.eye(x.shape[1], dtype=np.float32)
    weights = np.linalg.solve(gram, whitened.T @ (y - wanted))
    yield "ridge 14 clues", _as_pictures((flat - mean) / deviation @ weights + wanted, shape)
    if "before" in given[0] and len(given) == 1:
        return  # the same question of the other date: the ridge shows that they are alike
    seen, told = np.isfinite(flat).all(axis=1), np.full((len(flat), y.shape[1]), np.nan, np.float32)
    for channel in range(y.shape[1]):
        told[seen, channel] = HistGradientBoostingRegressor(**BOOSTING).fit(x, y[:, channel]).predict(flat[seen])
    yield "boosting 14 clues", _as_pictures(told, shape)


def _as_pictures(told: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    n, _, h, w, c = shape
    return np.moveaxis(told.reshape(n, h, w, c), -1, 1).astype(np.float32)


def main(folder: Path, out: Path, suites: Sequence[str]) -> None:
    """Rows of the suites asked for replace their own in the table."""
    makers = {
        "physical": lambda: [*physical_rows(folder / "physical"), *leave_one_out_rows(folder / "physical")],
        "ombria": lambda: [*thumb_rows(folder / "thumbs")],
    }
    kept: list[dict[str, object]] = []
    if out.exists():
        with out.open(encoding="utf-8") as file:
            kept = [
                r for r in csv.DictReader(file) if ("ombria" if r["suite"] == "ombria" else "physical") not in suites
            ]
    for suite in suites:
        start = time.process_time()
        kept += makers[suite]()
        print(f"{suite}: {time.process_time() - start:.0f} s of CPU")
    aside = out.with_name(f".{out.name}.part")
    with aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    aside.replace(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or ("physical", "ombria"))
