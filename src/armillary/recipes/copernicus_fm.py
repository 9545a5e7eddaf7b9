"""Copernicus-FM pretrained on every sensor at once (arXiv:2503.11849).

Defaults suit the nano size and the packaged sample on a laptop; `PAPER` is what the paper trained.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import nn

from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.mae import NANO_DECODER, DecoderConfig, MaskedAutoencoder
from armillary.models.sizes import SIZES, as_pretrained
from armillary.models.whitened import Further, Whitened, fit
from armillary.recipes.places import Places
from armillary.sample.augment import Augment
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw, Stream
from armillary.sample.upstream import UpstreamCrops
from armillary.train.checkpoint import load_last
from armillary.train.config import TrainConfig
from armillary.train.health import embed_draw
from armillary.train.objective import Objective, Panel
from armillary.train.optim import OptimConfig
from armillary.train.panels import reconstruction_panels
from armillary.train.pretrain import PretrainConfig, Pretraining
from armillary.train.reconstruct import UPSTREAM_FLOOR, Targets
from armillary.train.run import CHECKPOINTS, Job

SIDE_TOKENS = 6
"""Patches along the side of a crop, of every sensor but elevation."""

DEM_PX = 192
"""Side of a crop of elevation, whose patches are 64 px wide."""

HELD_OUT_SEED = 20_000
"""Added to the seed of a run for its held-out draws."""


def _sizes() -> tuple[tuple[str, int], ...]:
    sides = {name: SIDE_TOKENS * s.patch_px for name, s in sensors.items()} | {"dem": DEM_PX}
    return tuple(sorted(sides.items()))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TeacherConfig:
    """How descriptors are fitted (`armillary.models.whitened`).

    Args:
        items: draws from the beginning of the stream to fit them to.
        at_least: samples of one kind below which it is not described.
        width: components that are kept.
        patches: random filters.
    """

    items: int = 2000
    at_least: int = 100
    width: int = 128
    patches: int = 96


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CopernicusFMRecipe(TrainConfig):
    """What is trained, on which crops, and how.

    Args:
        model: name of a size in the zoo.
        decoder: sizes of the part that rebuilds hidden patches and is thrown away afterwards.
        objective: what is learned.
        augment: random crops; None where the places give crops already.
        teachers: what is described, where the objective describes.
        upstream: crops and facts as the released code makes them, in place of `augment`, around an encoder as it runs
            it; None: none of its mistakes but those of the model.
    """

    steps: Annotated[int, Field(gt=0)] = 150
    batch_size: Annotated[int, Field(gt=0)] = 16
    optim: OptimConfig = OptimConfig(lr=1e-3, warmup_steps=15)
    ema_decay: Annotated[float, Field(ge=0, lt=1)] | None = 0.98
    held_out_every: Annotated[int, Field(gt=0)] = 50
    checkpoint_every: Annotated[int, Field(gt=0)] = 50
    model: str = "copernicus-fm-nano"
    decoder: DecoderConfig = NANO_DECODER
    objective: PretrainConfig = PretrainConfig(targets=Targets(scale="values"))
    augment: Augment | None = Augment(sizes_px=_sizes())
    teachers: TeacherConfig = TeacherConfig()
    upstream: UpstreamCrops | None = None


PAPER = CopernicusFMRecipe(
    steps=86_000,
    batch_size=256,
    optim=OptimConfig(lr=1.5e-4, betas=(0.9, 0.95), weight_decay=0.05, warmup_steps=8_600, clip=None),
    ema_decay=None,
    held_out_every=1_000,
    checkpoint_every=1_000,
    model="copernicus-fm-base-clean",
    decoder=DecoderConfig(),
    objective=PretrainConfig(mask_ratio=0.7, bands_at_least=0.75, facts_dropped=0.7, per_sensor=True),
    augment=Augment(
        scale=(0.2, 1.0),
        aspect=(0.75, 4 / 3),
        sizes_px=(
            *((name, 224) for name in ("s1-grd", "s1-rtc", "s2-l1c", "s2-l2a")),
            *((name, 28) for name in ("s5p-co", "s5p-no2", "s5p-o3", "s5p-so2")),
            ("s3-olci", 96),
            ("dem", 960),
        ),
    ),
)
"""The paper's sizes, crops, masks and optimiser, without its mistakes: 100 epochs of 220,000 cells. Its batch size and
warm-up are not known; 256 is the batch that its learning rate is stated for."""

UPSTREAM = replace(
    PAPER,
    model="copernicus-fm-base",
    decoder=DecoderConfig(pseudo_inverse=True, bias_token=True),
    objective=PretrainConfig(
        mask_ratio=0.7,
        targets=Targets(scale="patch", floor=UPSTREAM_FLOOR, limit=None, interleaved=True, holes=True),
        bands_at_least=0.75,
        facts_dropped=0.0,
        whole_batch=True,
        per_sensor=True,
    ),
    augment=None,
    upstream=UpstreamCrops(),
)
"""The same with every mistake of the released code, as far as it is known (docs/pretraining.md): what it starts its
generators from is not, its text vectors may not ship, and its distillation is `armillary.train.distill.as_upstream`."""


def copernicus_fm(
    config: CopernicusFMRecipe,
    places: Places,
    further: Further | None = None,
    begin: Path | None = None,
    classes: Mapping[str, str] | None = None,
) -> Job:
    """The run of a configuration.

    Args:
        config: of the run.
        places: to learn from, and to evaluate on.
        further: another teacher for the term *describe*.
        begin: folder of a run whose last values are taken over.
        classes: name of a place -> its class, for the term *classify*.

    Raises:
        BadInput: no model has that name, or the run to begin from has no checkpoint.
    """
    if config.model not in SIZES:
        raise BadInput(f"no model is called {config.model!r}; known are {', '.join(SIZES)}")
    stream = Stream(
        places.train,
        config.batch_size,
        seed=config.seed,
        change=config.upstream or config.augment,
        places=places.train_places,
        workers=config.workers,
    )
    return Job(
        name="copernicus-fm",
        build=lambda: _objective(config, stream, further, begin, classes),
        model=_encoder,
        stream=stream,
        held_out=Stream(
            places.held_out,
            config.batch_size,
            seed=config.seed + HELD_OUT_SEED,
            change=config.upstream or config.augment,
            places=places.held_out_places,
        ),
        config=config,
        facts={"model": config.model, "objective": "masked pretraining"},
        panels=_panels,
        embed=lambda objective, draw: embed_draw(_encoder(objective), draw),
        labels=hashlib.sha256(repr(sorted(classes.items())).encode()).hexdigest()[:16] if classes else "",
    )


def _objective(
    config: CopernicusFMRecipe,
    stream: Stream,
    further: Further | None,
    begin: Path | None,
    classes: Mapping[str, str] | None,
) -> Pretraining:
    size = SIZES[config.model]
    encoder = random_model(as_pretrained(size) if config.upstream else size, seed=config.seed).train()
    teachers = _teachers(config.teachers, stream, further) if config.objective.weights.describe else ()
    mae = MaskedAutoencoder(encoder, config.decoder, seed=config.seed)
    objective = Pretraining(mae, config.objective, teachers, classes=classes, seed=config.seed)
    if begin is not None:
        take_over(objective, begin)
    return objective


@torch.no_grad()
def take_over(objective: nn.Module, run: Path) -> None:
    """Give an objective the averages that a run ended with; a head that the run lacks, or has otherwise, stays new.

    Raises:
        BadInput: the run has no checkpoint.
    """
    kept = load_last(run / CHECKPOINTS)
    if kept is None:
        raise BadInput(f"{run} holds no checkpoint to begin from; give the folder of a run")
    values = {**kept.tensors["model"], **kept.tensors["ema"]}
    for name, parameter in objective.named_parameters():
        if name in values and values[name].shape == parameter.shape:
            parameter.copy_(values[name])


def _teachers(config: TeacherConfig, stream: Stream, further: Further | None) -> tuple[Whitened, ...]:
    """Descriptors of every kind of sample that the first draws of a stream hold often enough."""
    kinds: dict[tuple[Sensor, tuple[int, int]], list[Sample]] = {}
    for index in range(config.items):
        for sample in stream.item(index)[1].values():
            kinds.setdefault((sample.sensor, sample.window.shape), []).append(sample)
    often = [found for found in kinds.values() if len(found) >= config.at_least]
    largest = {found[0].sensor: len(found) for found in sorted(often, key=len)}
    return tuple(
        fit(found, width=config.width, patches=config.patches, seed=stream.seed, further=further)
        for found in often
        if len(found) == largest[found[0].sensor]
    )


def _panels(objective: Objective, draw: Draw) -> tuple[Panel, ...]:
    assert isinstance(objective, Pretraining)  # noqa: S101 (what `_objective` makes)
    return reconstruction_panels(objective.mae, draw, objective.config.targets, objective.config.mask_ratio)


def _encoder(objective: Objective) -> nn.Module:
    assert isinstance(objective, Pretraining)  # noqa: S101 (what `_objective` makes)
    encoder: CopernicusFM = objective.mae.encoder
    return encoder
