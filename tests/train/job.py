"""`python tests/train/job.py FOLDER [key=value ...] [--resume] [--rare] [--pause SECONDS]`: a small run in a process.

Prints the number of each finished step. Under torchrun it is one of several processes.
"""

import sys
import time
from pathlib import Path

from armillary.sample.stream import Stream
from armillary.train.config import TrainConfig, read
from armillary.train.objective import module_of
from armillary.train.run import Job, run

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.sample.places import Invented
from tests.train.linear import Reconstruction

SMALL = (
    "accelerator=cpu",
    "steps=12",
    "batch_size=6",
    "optim.warmup_steps=3",
    "optim.lr=0.01",
    "ema_decay=0.9",
    "checkpoint_every=3",
    "held_out_every=5",
    "held_out_batches=2",
)

EVERYWHERE = Invented()
RARE = Invented(places=6, radar_at=1)
"""Sentinel-1 at one place of six: of two processes, one never has it."""


def small_job(*overrides: str, dropout: float = 0.3, source: Invented = EVERYWHERE) -> Job:
    config = read(TrainConfig, overrides=(*SMALL, *overrides))
    return Job(
        name="reconstruction",
        build=lambda: Reconstruction(dropout=dropout),
        model=module_of,
        stream=Stream(source, config.batch_size, seed=config.seed, workers=config.workers),
        held_out=Stream(Invented(places=4), 4, seed=99),
        config=config,
        facts={"about": "synthetic"},
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    pause = float(words[words.index("--pause") + 1]) if "--pause" in words else 0.0
    overrides = [w for w in words[1:] if "=" in w]
    job = small_job(*overrides)
    if "--rare" in words:
        job = small_job(*overrides, dropout=0.0, source=RARE)
    for progress in run(job, Path(words[0]), resume="--resume" in words):
        sys.stdout.write(f"{-1 if progress.step is None else progress.step.index}\n")
        sys.stdout.flush()
        time.sleep(pause)
