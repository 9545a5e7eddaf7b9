"""Ask models that each never saw one group of flood sites about that group: radar and optics from each other.

    python studies/flood_events.py THUMBS RUNS docs/results/generation-floods [--sites 24]

THUMBS holds what studies/pairs.py wrote, RUNS one folder per group, named g1 to g6 after the group that was held out,
in which `studies/ship_joint.py RUN --into RUNS/g1` wrote weights. Writes .csv (one row per
task, way, group, and their mean; fields as in generation-baselines.csv) and .png (given, expected, sample and truth of
one site per group).

Sites are asked whole, averaged to 128 x 128 pixels, in one view. *Expected* is the conditional mean in one asking,
*with style* the same when another site of the same group tells its colours, *sample* one sample, drawn for the last
task of optics and every eighth site alone, for it takes twenty askings.
"""

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from armillary.bench.generation.fidelity import Fidelity, fidelity, mean_fidelity
from armillary.bench.generation.teller import Item, Teller, open_teller
from armillary.sample.known_strands import thumb
from armillary.sample.strands import physical
from armillary.sample.thumbs import Thumbs

FIELDS = ("suite", "task", "target", "floor", "place", "items", "mae", "rmse", "level", "correlation")

GROUPS = tuple(f"g{i}" for i in range(1, 7))

SITE_PX, STEP = 256, 2

SAMPLED = 8
"""Samples are drawn of one site in so many, for they take twenty times as long."""

TASKS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "S1 to S2 after": (("s1-after",), "s2-after"),
    "S1 to S2 before": (("s1-before",), "s2-before"),
    "S2 to S1 after": (("s2-after",), "s1-after"),
    "S2 to S1 before": (("s2-before",), "s1-before"),
    "S1 before and after and S2 before to S2 after": (("s1-before", "s1-after", "s2-before"), "s2-after"),
    "S1 before and after to flood": (("s1-before", "s1-after"), "flood"),
}
"""As in studies/generation_baselines.py."""

WEIGHTS = "cop-gen-thumb.safetensors"

SHOWN = "S1 before and after and S2 before to S2 after"
"""The task of the pictures."""

PICTURED = 2 * SAMPLED
"""The site of the pictures."""


def sites(folder: Path, group: str, count: int) -> list[Item]:
    """Evenly chosen sites of a group with all their strands, and the styles of another site each."""
    thumbs, codes = Thumbs(folder, (group,)), thumb(SITE_PX, STEP)
    chosen = np.unique(np.linspace(0, len(thumbs) - 1, min(count, len(thumbs))).round().astype(int))
    rng = np.random.default_rng(0)
    return [physical({**thumbs.whole(int(i)), **thumbs.styles(int(i), rng)}, codes) for i in chosen]


def whole(teller: Teller) -> Teller:
    """The same model, asked of whole sites: it takes any side."""
    return replace(teller, joint=replace(teller.joint, codes=thumb(SITE_PX, STEP)))


def told(
    teller: Teller, items: Sequence[Item], given: tuple[str, ...], target: str
) -> Iterator[tuple[str, list[Item]]]:
    """Way -> what is told of each item."""
    yield "expected", teller.expected(items, (target,), given)
    if TASKS[SHOWN] == (given, target):
        some = items[::SAMPLED]
        yield "sample", teller.drawn_each(some, (target,), given, range(len(some)))
    styles = tuple(f"{s}-style" for s in dict.fromkeys((*given, target)) if s != "flood")
    yield "expected, with style", teller.expected(items, (target,), (*given, *styles))


def rows_of(task: str, target: str, way: str, scores: Mapping[str, Sequence[Fidelity]]) -> Iterator[dict[str, object]]:
    """One row per group, and their mean."""
    means = {group: mean_fidelity(found) for group, found in scores.items()}
    count = sum(map(len, scores.values()))
    for group, mean in [*means.items(), ("all", mean_fidelity(list(means.values())))]:
        items = count if group == "all" else len(scores[group])
        facts = {"suite": "ombria", "task": task, "target": target, "floor": way, "place": group, "items": items}
        yield facts | {k: f"{v:.5g}" for k, v in vars(mean).items()}


def draw(pictures: Mapping[str, Mapping[str, np.ndarray]], out: Path) -> None:
    """One row per group, one column per kind of picture."""
    columns = list(next(iter(pictures.values())))
    figure, axes = plt.subplots(
        len(pictures), len(columns), figsize=(1.7 * len(columns), 1.75 * len(pictures)), squeeze=False
    )
    for row, (group, shown) in zip(axes, pictures.items(), strict=True):
        for axis, (name, picture) in zip(row, shown.items(), strict=True):
            grey = picture.shape[0] == 1
            axis.imshow(
                np.clip(np.moveaxis(picture, 0, -1) / 255, 0, 1).squeeze(),
                cmap="gray" if grey else None,
                vmin=0,
                vmax=1,
            )
            axis.set_xticks([])
            axis.set_yticks([])
            if row[0] is axes[0, 0]:
                axis.set_title(name, fontsize=8)
        row[0].set_ylabel(f"{group}, held out", fontsize=8)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def main(folder: Path, runs: Path, out: Path, count: int) -> None:
    """Ask every model about its own group."""
    scores: dict[tuple[str, str], dict[str, list[Fidelity]]] = {}
    pictures: dict[str, dict[str, np.ndarray]] = {}
    for group in GROUPS:
        teller, items = whole(open_teller(f"cop-gen-thumb@{runs / group / WEIGHTS}")), sites(folder, group, count)
        for task, (given, target) in TASKS.items():
            for way, found in told(teller, items, given, target):
                asked = items[::SAMPLED] if way == "sample" else items
                fits = [fidelity(f[target], item[target]) for f, item in zip(found, asked, strict=True)]
                scores.setdefault((task, way), {})[group] = fits
                if task == SHOWN:
                    shown = pictures.setdefault(group, {g: items[PICTURED][g] for g in given})
                    shown[way] = found[PICTURED // (SAMPLED if way == "sample" else 1)][target]
            print(group, task, flush=True)
        pictures[group]["truth"] = items[PICTURED]["s2-after"]
    with out.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for (task, way), by_group in scores.items():
            writer.writerows(rows_of(task, TASKS[task][1], way, by_group))
    draw(pictures, out.with_suffix(".png"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("thumbs", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sites", type=int, default=24)
    asked = parser.parse_args()
    main(asked.thumbs, asked.runs, asked.out, asked.sites)
