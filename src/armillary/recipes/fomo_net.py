"""How FoMo-Net is pretrained: a size for a laptop, and the paper's."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import nn

from armillary.errors import BadInput
from armillary.models.card import fomo_card
from armillary.models.fomo_mae import FoMoAutoencoder, FoMoDecoderConfig
from armillary.models.fomo_net import random_fomo
from armillary.models.fomo_sizes import FOMO_NETS
from armillary.recipes.copernicus_fm import HELD_OUT_SEED, take_over
from armillary.recipes.places import Places
from armillary.sample.augment import Augment
from armillary.sample.source import Source
from armillary.sample.stream import Stream
from armillary.sample.tiles import Tiles
from armillary.train.config import TrainConfig
from armillary.train.fomo import FoMoPretrainConfig, FoMoPretraining
from armillary.train.objective import Objective
from armillary.train.optim import OptimConfig
from armillary.train.run import Job

NANO_SIZES = FoMoDecoderConfig(width=96, depth=2, heads=3)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FoMoNetRecipe(TrainConfig):
    """What is trained, on which crops, and how.

    Args:
        model: name of a FoMo-Net in the zoo.
        decoder: sizes of the part that rebuilds hidden tokens and is thrown away afterwards.
        objective: what is learned.
        augment: random crops; every sensor of a place is resized to one size, so that they fit one sequence.
    """

    steps: Annotated[int, Field(gt=0)] = 150
    batch_size: Annotated[int, Field(gt=0)] = 8
    optim: OptimConfig = OptimConfig(lr=1e-3, warmup_steps=15)
    ema_decay: Annotated[float, Field(ge=0, lt=1)] | None = 0.98
    held_out_every: Annotated[int, Field(gt=0)] = 50
    checkpoint_every: Annotated[int, Field(gt=0)] = 50
    model: str = "fomo-net-nano"
    decoder: FoMoDecoderConfig = NANO_SIZES
    objective: FoMoPretrainConfig = FoMoPretrainConfig()
    augment: Augment = Augment(scale=(0.2, 1.0), size_px=64)


NANO = FoMoNetRecipe()
NANO_M = replace(NANO, model="fomo-net-nano-m")
NANO_GROUPED = replace(NANO, model="fomo-net-nano-grouped")

PAPER = FoMoNetRecipe(
    steps=1_142_800,
    batch_size=112,
    accumulate=4,
    optim=OptimConfig(lr=4e-5, betas=(0.9, 0.999), weight_decay=0.05, warmup_steps=228_560, clip=None),
    ema_decay=None,
    held_out_every=1_000,
    checkpoint_every=1_000,
    model="fomo-net-1-paper",
    decoder=FoMoDecoderConfig(),
    objective=FoMoPretrainConfig(band_subsets=1),
    augment=Augment(scale=(0.2, 1.0), size_px=128),
)
"""Upstream's sizes, crops, mask and optimiser, on one process: 100 epochs of 1.28 M samples in batches of 28, four of
which make a step, and a learning rate of 1e-5 times these four. Its six data sets are not read here."""


def fomo_net(config: FoMoNetRecipe, places: Places, begin: Path | None = None) -> Job:
    """The run of a configuration.

    Args:
        config: of the run.
        places: to learn from, and to evaluate on; of tiles, those of sensors that FoMo-Net knows.
        begin: folder of a run whose last values are taken over.

    Raises:
        BadInput: no FoMo-Net has that name.
    """
    if config.model not in FOMO_NETS:
        raise BadInput(f"no FoMo-Net is called {config.model!r}; known are {', '.join(FOMO_NETS)}")
    places = replace(places, train=_readable(places.train), held_out=_readable(places.held_out))
    stream = Stream(
        places.train,
        config.batch_size,
        seed=config.seed,
        change=config.augment,
        places=places.train_places,
        workers=config.workers,
    )
    return Job(
        name="fomo-net",
        build=lambda: _objective(config, begin),
        model=_encoder,
        stream=stream,
        held_out=Stream(
            places.held_out,
            config.batch_size,
            seed=config.seed + HELD_OUT_SEED,
            change=config.augment,
            places=places.held_out_places,
        ),
        config=config,
        facts={"model": config.model, "objective": "masked pretraining of bands"},
    )


def _readable(source: Source) -> Source:
    """Tiles of sensors that FoMo-Net knows; of other sources, what it does not know is passed over in each draw."""
    if not isinstance(source, Tiles) or source.sensors:
        return source
    return replace(source, sensors=tuple(fomo_card.entries))


def _objective(config: FoMoNetRecipe, begin: Path | None) -> FoMoPretraining:
    encoder = random_fomo(FOMO_NETS[config.model], seed=config.seed).train()
    objective = FoMoPretraining(FoMoAutoencoder(encoder, config.decoder, seed=config.seed), config.objective)
    if begin is not None:
        take_over(objective, begin)
    return objective


def _encoder(objective: Objective) -> nn.Module:
    assert isinstance(objective, FoMoPretraining)  # noqa: S101 (what `_objective` makes)
    encoder: nn.Module = objective.mae.encoder
    return encoder
