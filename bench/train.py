"""A step of pretraining, ours beside the released way (see rival_step.py), on the same batch of all eight sensors.

Run: python bench/train.py [--sizes small base] [--items N] [--rounds N] [--threads N]

Both have every mistake of the released code, so that they compute the same loss, which is printed for both; both end
with an update by AdamW. The teacher is left out: the student's ninth pass is compared with a fixed vector. Ours also
normalises the samples and draws masks, which the rival is given. Rounds are interleaved; each line is the median over
rounds of seconds of this process (one thread: what others use does not count) and of the ratio within a round.
"""

import argparse
import copy
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import torch
from torch import Tensor

from armillary.earth.fleet import PRETRAIN, sensors
from armillary.earth.window import Window
from armillary.models.copernicus_fm import random_model
from armillary.models.mae import MaskedAutoencoder
from armillary.models.sizes import SIZES, as_pretrained
from armillary.recipes.copernicus_fm import UPSTREAM
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw
from armillary.sample.upstream import SIZES_PX
from armillary.train.distill import AS_UPSTREAM, cosine_distance, look
from armillary.train.kin import kin_of
from armillary.train.optim import OptimConfig
from armillary.train.pretrain import Pretraining
from rival_step import DISTILLED, RivalStep

COLOUR = ("B04", "B03", "B02")
VARIANTS = ("rival", "float32", "bf16-mixed")


@dataclass(frozen=True, eq=False)
class Work:
    """What a step is given.

    Args:
        draw: samples of all eight sensors.
        colour: red, green and blue of Sentinel-2, normalised, for the ninth pass.
        said: what it is compared with.
        batches: the draw as the rival takes it: normalised, with the bands that the step keeps.
        visible: positions of the patches that stay.
    """

    draw: Draw
    colour: Batch
    said: Tensor
    batches: dict[str, Batch]
    visible: dict[str, Tensor]


def synthetic(name: str, item: int) -> Sample:
    """Standardised noise in the size and unit of a sensor's chip, at a place of its own."""
    sensor, px = sensors[name], dict(SIZES_PX)[name]
    numbers = sensor.statistic(PRETRAIN)
    noise = np.random.default_rng((item, px)).normal(size=(len(sensor.bands), px, px))
    scale = np.ones(len(sensor.bands)) if sensor.counts is None or numbers.unit != "count" else sensor.counts.scale
    mean, std = ((np.array(n) * scale)[:, None, None] for n in (numbers.mean, numbers.std))
    place = (sensor.gsd_m, 0.0, 400000.0 + 10000 * item, 0.0, -sensor.gsd_m, 5200000.0)
    when = datetime(2021, 1 + item % 12, 1, tzinfo=UTC)
    return Sample((mean + std * noise).astype(np.float32), sensor, Window.of((px, px), place, "EPSG:32632"), when)


def work_for(objective: Pretraining, items: int) -> Work:
    """A batch of so many places with everything there, and what the step keeps of it."""
    rows = tuple(range(items))
    samples = {name: tuple(synthetic(name, i) for i in rows) for name, _ in SIZES_PX}
    draw = Draw(0, tuple(f"place-{i}" for i in rows), samples, dict.fromkeys(samples, rows), rows)
    card, batches, visible = objective.mae.encoder.card, {}, {}
    for kin in kin_of(draw):
        ((part, seeds),) = objective.parts(card.collate(kin.samples), kin.seeds, draw.step)
        batches[kin.sensor.name], visible[kin.sensor.name] = part, objective.mask(part, seeds)
    top = samples["s2-l1c"][0].sensor
    at = list(top.index(COLOUR))
    narrow = top.select(COLOUR)
    colour = card.collate([replace(s, pixels=s.pixels[at], sensor=narrow) for s in samples["s2-l1c"]])
    said = torch.randn(items, objective.mae.encoder.config.width, generator=torch.Generator().manual_seed(0))
    return Work(draw, colour, said, batches, visible)


def ours(mae: MaskedAutoencoder, work: Work, *, half: bool) -> Callable[[], float]:
    """Our step; `half` multiplies in bfloat16."""
    objective = Pretraining(mae, UPSTREAM.objective).train()
    optimiser = OptimConfig(clip=None).build(objective)

    def loss() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            terms = objective(work.draw).values()
            vector = look(mae.encoder, work.colour, AS_UPSTREAM).vector
            apart, _ = cosine_distance(vector[:, None].float(), work.said[:, None])
            return torch.stack([t.weight * t.sum / t.count for t in terms]).sum() + DISTILLED * apart.mean()

    return lambda: _update(optimiser, loss)


def rivals(mae: MaskedAutoencoder, work: Work) -> Callable[[], float]:
    """The released step."""
    step = RivalStep(mae)
    learned = [p for p in mae.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW([*learned, *(p for m in step.copies() for p in m.parameters())], lr=3e-4)
    return lambda: _update(
        optimiser, lambda: step.loss(work.batches, work.visible) + step.distilled(work.colour, work.said)
    )


def _update(optimiser: torch.optim.Optimizer, loss_of: Callable[[], Tensor]) -> float:
    optimiser.zero_grad(set_to_none=True)
    loss = loss_of()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())


def measure(steps: dict[str, Callable[[], float]], rounds: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of this process per step, round after round, and the loss of the first step of each."""
    losses = {name: step() for name, step in steps.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begun = time.process_time()
            step()
            seconds[name].append(time.process_time() - begun)
    return seconds, losses


def lines(size: str, items: int, rounds: int) -> list[str]:
    """The table of one size."""
    config = as_pretrained(SIZES[f"copernicus-fm-{size}"])
    mae = MaskedAutoencoder(random_model(config).train(), UPSTREAM.decoder)
    work = work_for(Pretraining(mae, UPSTREAM.objective).train(), items)
    steps = {
        "rival": rivals(copy.deepcopy(mae), work),
        "float32": ours(copy.deepcopy(mae), work, half=False),
        "bf16-mixed": ours(mae, work, half=True),
    }
    seconds, losses = measure(steps, rounds)
    out = []
    for name in VARIANTS:
        ratios = sorted(r / s for r, s in zip(seconds["rival"], seconds[name], strict=True))
        out.append(
            f"{size:<6}{items:>3} {name:<11}{statistics.median(seconds[name]):8.2f} s"
            f"{statistics.median(ratios):8.2f}x  [{ratios[0]:.2f} to {ratios[-1]:.2f}]   loss {losses[name]:.6f}"
        )
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["small", "base"])
    parser.add_argument("--items", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, {platform.machine()}, {args.rounds} rounds")
    print("size  items  step       per step   ratio to rival, least to largest")
    for size in args.sizes:
        for items in args.items:
            for line in lines(size, items, args.rounds):
                print(line, flush=True)


if __name__ == "__main__":
    main()
