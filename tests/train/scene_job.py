"""`python tests/train/scene_job.py FOLDER [key=value ...] [--radar]`: scene contrast in a process, on synthetic places.

Under torchrun it is one of several processes. With --radar, only every third place has something that is looked at.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked

from armillary.models.copernicus_fm import random_model
from armillary.sample.sample import Sample
from armillary.sample.stream import Stream
from armillary.train.config import TrainConfig, read
from armillary.train.health import embed_draw
from armillary.train.labels import LabelSource, ones_of
from armillary.train.optim import OptimConfig
from armillary.train.run import Job, run
from armillary.train.softcon import SceneConfig, SceneContrast
from armillary.train.views import ViewConfig

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.train.tiny import OWN, sample_of

LABELS = LabelSource(ones_of({f"place-{i}": (i % 3, 3 + i % 2) for i in range(9) if i % 4}))


@dataclass(frozen=True)
class Synthetic:
    """Nine places with optical values; every third has radar as well, or, where `radar`, radar alone."""

    radar: bool = False

    def __len__(self) -> int:
        return 9

    def key(self, place: int) -> str:
        return f"place-{place}"

    def checksum(self) -> str:
        return f"synthetic-{self.radar}"

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        seed = int(rng.integers(1000))
        found = {} if self.radar else {"s2-l2a": sample_of("s2-l2a", place, seed=seed)}
        return found | ({"s1-rtc": sample_of("s1-rtc", place, seed=seed)} if place % 3 == 0 else {})


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class SceneTraining(TrainConfig):
    """Six steps of six places."""

    steps: int = 6
    batch_size: int = 6
    optim: OptimConfig = OptimConfig(lr=0.003, warmup_steps=2)
    ema_decay: float | None = 0.9
    checkpoint_every: int = 2
    held_out_every: int = 3
    held_out_batches: int = 1
    learn: str = "softcon"
    queue: int = 24


def scene_job(*overrides: str, radar: bool = False) -> Job:
    config = read(SceneTraining, overrides=("accelerator=cpu", *overrides))
    views = ViewConfig(share=(0.5, 1.0), tokens=3)
    scene = SceneConfig(learn=config.learn, queue=config.queue, views=views, hidden=16, projected=8, momentum=0.5)  # type: ignore[arg-type]
    source = Synthetic(radar)
    return Job(
        name="scene-contrast",
        build=lambda: SceneContrast(random_model(OWN).train(), scene, LABELS, steps=config.steps),
        model=lambda objective: objective.encoder,  # type: ignore[attr-defined]
        stream=Stream(source, config.batch_size, seed=config.seed),
        held_out=Stream(source, 6, seed=99),
        config=config,
        facts={"about": "synthetic"},
        embed=lambda objective, draw: embed_draw(objective.encoder, draw),  # type: ignore[attr-defined]
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    for _ in run(scene_job(*(w for w in words if "=" in w), radar="--radar" in words), Path(words[0])):
        pass
