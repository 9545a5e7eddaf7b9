"""Go on training copernicus-fm-nano, and train it from scratch, by land cover and by its controls, at equal compute.

    python studies/softcon.py CORPUS SETS RUNS [--tera-ops 12] [--seeds 5] [--part 0/2]
    armillary bench run --suite real-mini --protocol official --data SETS -o OUT --model copernicus-fm-nano@FILE,...
    python studies/softcon_page.py RUNS OUT docs/results

CORPUS is what studies/corpus.py wrote, SETS the folder of real sets. RUNS gets one folder per recipe, start and
seed; one that is finished is left alone and one that was stopped goes on. With --part K/N only every N-th run is
made, so that N processes share them.

All recipes draw the same Sentinel-2 tiles: those of s2_l2a_weak, of the sites of TerraMesh and of BigEarthNet's
patches. Labels are the nine classes of Dynamic World, one or several per tile: of s2_l2a_weak the class on which at
least five of six public models agree, of the others what a map or CORINE says. Held-out tiles lend their labels to
the held-out loss alone.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import torch

from armillary.recipes.nano import read_classes
from armillary.recipes.places import Places
from armillary.recipes.softcon import INFO_NCE, MAE, SOFTCON, SUPCON, SoftConRecipe, softcon
from armillary.sample.augment import Augment
from armillary.sample.mix import Mix
from armillary.sample.tiles import Tiles
from armillary.train.labels import LabelSource, ones_of
from armillary.train.optim import OptimConfig
from armillary.train.run import WEIGHTS, run
from packaged_labels import of_map, of_patch

SENSORS = ("s2-l1c", "s2-l2a")

SOURCES = {"s2_l2a_weak": 1, "terramesh_sites": 8, "bigearthnet_s1s2_pairs": 8}
"""Source set -> how often each of its places comes in an epoch."""

MOST_PX = 128
"""Largest side that a draw reads."""

CROP_PX = 48
"""Side of a crop, six patches."""

DYNAMIC_WORLD = {
    "AnnualCrop": 4,
    "Forest": 1,
    "HerbaceousVegetation": 2,
    "Highway": 6,
    "Industrial": 6,
    "Pasture": 2,
    "PermanentCrop": 4,
    "Residential": 6,
    "River": 0,
    "SeaLake": 0,
}
"""EuroSAT's classes -> Dynamic World's."""

RECIPES = {"softcon": SOFTCON, "supcon": SUPCON, "info-nce": INFO_NCE, "mae": MAE}

STARTS = {"shipped": "default", "scratch": None}
"""Where a run begins -> weights."""


def labels_of(corpus: Path, sets: Path) -> dict[str, tuple[int, ...]]:
    """Place of the corpus -> its classes."""
    classes = read_classes(sets / "s2_l2a_weak" / "labels.csv")
    found = {place: (DYNAMIC_WORLD[word],) for place, word in classes.items()}
    for row in Tiles(corpus, None, sensors=("s2-l2a",)).rows:
        name = row.place.partition("/")[2]
        if row.source == "terramesh_sites":
            found[row.place] = of_map(sets / row.source / "LULC" / f"{name}.tif", row)
        if row.source == "bigearthnet_s1s2_pairs":
            found[row.place] = of_patch(sets / row.source, row.place)
    return found


def places_of(corpus: Path, sets: Path) -> Places:
    """Labelled Sentinel-2 tiles of both splits."""

    def part(split: str) -> Mix:
        return Mix(
            tuple(
                (Tiles(corpus, split, MOST_PX, sensors=SENSORS, sources=(name,)), times)
                for name, times in SOURCES.items()
            )
        )

    return Places(part("train"), part("held-out"), labels=LabelSource(ones_of(labels_of(corpus, sets))))


def config_of(name: str, start: str, seed: int, tera_ops: float) -> SoftConRecipe:
    """One run."""
    lr = {"shipped": 2e-4, "scratch": 1e-3}[start]
    return replace(
        RECIPES[name],
        seed=seed,
        weights=STARTS[start],
        tera_ops=tera_ops,
        batch_size=64,
        optim=OptimConfig(lr=lr, warmup_steps=10, weight_decay=0.05),
        ema_decay=0.97,
        precision="bf16-mixed",
        augment=Augment(scale=(0.5, 1.0), size_px=CROP_PX, turn=True),
        held_out_every=1000,
        held_out_batches=2,
        checkpoint_every=50,
    )


def main(corpus: Path, sets: Path, runs: Path, tera_ops: float, seeds: int, part: tuple[int, int]) -> None:
    """Every run of this part that is not finished."""
    places = places_of(corpus, sets)
    wanted = [(name, start, seed) for seed in range(seeds) for start in STARTS for name in RECIPES]
    for name, start, seed in wanted[part[0] :: part[1]]:
        folder = runs / f"{name}-{start}-{seed}"
        if (folder / WEIGHTS).is_file():
            continue
        last = math.nan
        for progress in run(softcon(config_of(name, start, seed, tera_ops), places), folder, resume=folder.exists()):
            last = (progress.held_out or {}).get("loss", last)
        print(f"{folder.name}: held-out loss {last:.3f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("sets", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--tera-ops", type=float, default=12.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    own, of = (int(n) for n in asked.part.split("/"))
    main(asked.corpus, asked.sets, asked.runs, asked.tera_ops, asked.seeds, (own, of))
