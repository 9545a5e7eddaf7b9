"""Joint diffusion (arXiv:2504.08548, arXiv:2603.03239) trained on co-located samples, in pixels.

`THUMB` learns flood sites as display composites, before and after; `NANO` real places in physical units, best begun
from `WORLD`, the same strands of a synthetic world. What any of them generates is no measurement.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass as plain
from dataclasses import field, replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import nn

from armillary.errors import BadInput, SceneNotFound
from armillary.generate.joint import Joint, joint_of
from armillary.models.cop_gen import COP_GEN, CopGen
from armillary.models.path import PIXELS
from armillary.recipes.copernicus_fm import HELD_OUT_SEED, take_over
from armillary.recipes.joint_panels import joint_panels
from armillary.recipes.places import Places
from armillary.sample.aired import Aired
from armillary.sample.jitter import jittered
from armillary.sample.mix import Mix
from armillary.sample.pairs import Pairs
from armillary.sample.sample import Sample
from armillary.sample.source import Source
from armillary.sample.strands import Code, Strands, encode, physical, stack, turned
from armillary.sample.stream import Draw, Stream
from armillary.sample.thumbs import Thumbs
from armillary.sample.tiles import Tiles
from armillary.sample.world.world import World
from armillary.train.checkpoint import load_last
from armillary.train.config import TrainConfig
from armillary.train.denoise import DenoiseConfig, Denoising
from armillary.train.field import estimate
from armillary.train.objective import Objective
from armillary.train.optim import OptimConfig
from armillary.train.run import CHECKPOINTS, Job
from armillary.train.times import Times

_TURN, _JITTER = 51, 52
"""Last words of a seed."""

WORLD_PLACES = 1_000_000

FIELD_BATCH = 16


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CopGenRecipe(TrainConfig):
    """What is trained, and how.

    Args:
        model: name of a size in the zoo that works on pixels.
        denoise: what is learned.
        turns: every item is turned and mirrored at random, all its strands alike.
        jitter: how much brightness and contrast of all pictures change at random (`armillary.sample.jitter`).
        world: synthetic places that are learned from beside each real one, in physical units; 0: none.
        air: Sentinel-2 tiles of level 2A alone that are learned from beside each place of several sensors, about, seen
            at level 1C through synthetic air (`armillary.sample.aired`); 0: none.
        field_draws: how many draws, at most, the model's field is estimated from (`armillary.train.field`).
        held_out_groups: of flood sites: nothing of these groups is learned from; without any, all are.
        begin: folder of a run whose last values are taken over; "" begins anew.
    """

    steps: int = 4000
    batch_size: int = 8
    optim: OptimConfig = OptimConfig(lr=1e-3, warmup_steps=100, weight_decay=0.01)
    ema_decay: float | None = 0.997
    held_out_every: int = 500
    checkpoint_every: int = 250
    model: str = "cop-gen-thumb"
    denoise: DenoiseConfig = field(default_factory=DenoiseConfig)
    turns: bool = True
    jitter: Annotated[float, Field(ge=0)] = 0.0
    world: Annotated[float, Field(ge=0)] = 0.0
    air: Annotated[float, Field(ge=0)] = 0.0
    field_draws: Annotated[int, Field(gt=0)] = 1200
    held_out_groups: tuple[str, ...] = ()
    begin: str = ""


_STYLES = {f"{sensor}-{when}-style": 0.0 for sensor in ("s1", "s2") for when in ("before", "after")}
"""References are given or not; nobody asks for them."""

_PIXELS = DenoiseConfig(PIXELS, Times(asked=0.8, late=1.5, at_end=0.25))
"""What the given strands alone tell is learned slowest, so it is asked most."""

THUMB = CopGenRecipe(jitter=0.3, denoise=replace(_PIXELS, weights=_STYLES))
NANO = replace(THUMB, model="cop-gen-nano", jitter=0.1, world=0.3, air=1.0, denoise=_PIXELS)
WORLD = replace(NANO, jitter=0.0, world=0.0, air=0.0, field_draws=200)


def thumbs_of(folder: Path | None, config: CopGenRecipe) -> Places:
    """Flood sites, those of some groups held out; of the last group, which is learned from, where none is.

    Raises:
        SceneNotFound: no folder.
        BadInput: no such group.
    """
    if folder is None or not folder.is_dir():
        raise SceneNotFound(f"{folder or 'nothing'} was given; give --data a folder of flood sites (studies/pairs.py)")
    side = joint_of(config.model).codes[0].shape[1] * 2
    everything = Thumbs(folder, side_px=side)
    groups = sorted({everything.group(i) for i in range(len(everything))})
    odd = [g for g in config.held_out_groups if g not in groups]
    learned = tuple(g for g in groups if g not in config.held_out_groups)
    if odd or not learned:
        asked = ", ".join(config.held_out_groups)
        raise BadInput(
            f"groups {asked} were to be held out; there are {', '.join(groups)}: leave one at least to learn"
        )
    held = config.held_out_groups or (groups[-1],)
    return Places(Thumbs(folder, learned, side), Thumbs(folder, held, side))


def pairs_of(folder: Path | None, config: CopGenRecipe) -> Places:
    """Real places of which several sensors were measured, in physical units.

    With `air`, surfaces under synthetic air are among them, and with `world`, synthetic places.

    Raises:
        SceneNotFound: no folder.
    """
    if folder is None or not folder.is_dir():
        raise SceneNotFound(f"{folder or 'nothing'} was given; give --data a folder of tiles (studies/pairs.py)")
    side = joint_of(config.model).codes[0].shape[1]
    real, held_out = (Pairs(folder, split, side, together=2) for split in ("train", "held-out"))
    parts: list[tuple[Source, int]] = [(real, 1)]
    if config.air and any(row.sensor == "s2-l2a" for row in Tiles(folder, "train").rows):
        aired = Aired(Pairs(folder, "train", side, sensors=("s2-l2a",)))
        parts = [(real, max(1, round(len(aired) / len(real) / config.air))), (aired, 1)]
    if synthetic := round(config.world * len(real) * parts[0][1]):
        parts.append((World(synthetic, config.seed), 1))
    return Places(Mix(tuple(parts)) if len(parts) > 1 else real, held_out)


def world_of(folder: Path | None, config: CopGenRecipe) -> Places:
    """A synthetic world; another one is held out."""
    if folder is not None:
        raise BadInput(f"--data {folder} was given and a synthetic world needs none; leave it out")
    return Places(World(WORLD_PLACES, config.seed), World(256, config.seed + HELD_OUT_SEED))


def cop_gen(config: CopGenRecipe, places: Places) -> Job:
    """The run of a configuration.

    Raises:
        BadInput: no model of pixels has that name, or the run to begin from has no checkpoint.
    """
    joint = replace(joint_of(config.model), path=config.denoise.path)
    collate = _collate(config, joint)
    stream = Stream(places.train, config.batch_size, seed=config.seed, workers=config.workers)
    return Job(
        name="cop-gen",
        build=lambda: _objective(config, joint, places),
        model=_network,
        stream=stream,
        held_out=Stream(places.held_out, config.batch_size, seed=config.seed + HELD_OUT_SEED),
        config=config,
        facts={"model": config.model, "objective": "joint diffusion", "strands": " ".join(joint.shapes)},
        panels=lambda objective, draw: joint_panels(_network(objective), joint, collate(draw), draw.seeds),
    )


@plain(frozen=True)
class Collate:
    """The samples of a draw as network numbers.

    Args:
        codes: what each strand means.
        turns: whether items are turned and mirrored by their seeds.
        jitter: how much brightness and contrast change by their seeds.
    """

    codes: tuple[Code, ...]
    turns: bool
    jitter: float = 0.0

    def __call__(self, draw: Draw) -> Strands:
        """One item per place of the draw."""
        items = [encode(physical(samples, self.codes), self.codes) for samples in by_place(draw)]
        if self.turns:
            items = [turned(item, *_turn(seed)) for item, seed in zip(items, draw.seeds, strict=True)]
        if self.jitter:
            rngs = [np.random.default_rng((seed, _JITTER)) for seed in draw.seeds]
            items = [jittered(item, self.codes, self.jitter, rng) for item, rng in zip(items, rngs, strict=True)]
        return stack(items, self.codes)


def by_place(draw: Draw) -> list[Mapping[str, Sample]]:
    """The samples of each place of a draw."""
    found: list[dict[str, Sample]] = [{} for _ in draw.keys]
    for sensor, rows in draw.rows.items():
        for sample, row in zip(draw.samples[sensor], rows, strict=True):
            found[row][sensor] = sample
    return list(found)


def _turn(seed: int) -> tuple[int, bool]:
    quarters, mirrored = np.random.default_rng((seed, _TURN)).integers((4, 2))
    return int(quarters), bool(mirrored)


def _collate(config: CopGenRecipe, joint: Joint) -> Collate:
    return Collate(joint.codes, config.turns, config.jitter)


def _objective(config: CopGenRecipe, joint: Joint, places: Places) -> Denoising:
    network = CopGen(COP_GEN[config.model], seed=config.seed)
    objective = Denoising(network, config.denoise, _collate(config, joint))
    if config.begin:
        take_over(objective, Path(config.begin))
    if network.field is not None:
        if network.field.path != config.denoise.path:
            raise BadInput(
                f"{config.model} answers for {network.field.path}, not {config.denoise.path}; leave the path"
            )
        estimate(network.field, _shown(config, joint, places))
        if not _has_field(config.begin):
            network.silence()
    return objective


def _shown(config: CopGenRecipe, joint: Joint, places: Places) -> Iterator[tuple[Strands, Sequence[str]]]:
    """Real places and surfaces, as they are, for the field; of a synthetic world alone, its places."""
    parts = places.train.parts if isinstance(places.train, Mix) else ((places.train, 1),)
    real = tuple(part for part in parts if not isinstance(part[0], World)) or parts
    collate = Collate(joint.codes, config.turns)
    stream = Stream(Mix(real), FIELD_BATCH, seed=config.seed)
    items = min(config.field_draws, 2 * sum(len(source) * times for source, times in real))
    for draw in islice(stream, -(-items // FIELD_BATCH)):
        yield collate(draw), [key.partition("@")[0].partition("*")[0] for key in draw.keys]


def _has_field(begin: str) -> bool:
    """Whether a run that is gone on from had a field already, so that what it learned lies beside that."""
    kept = load_last(Path(begin) / CHECKPOINTS) if begin else None
    return kept is not None and "model.field.factor" in kept.tensors["model"]


def _network(objective: Objective) -> nn.Module:
    assert isinstance(objective, Denoising)  # noqa: S101 (what `_objective` makes)
    return objective.model
