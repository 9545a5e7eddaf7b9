"""A linear probe with a sweep of learning rates: features once and all rates at once, beside encoding in every epoch.

Run: python bench/bench_speed.py [--data DIR] [--epochs 50] [--side PX]

One task, one model, the official head (BatchNorm without weights, linear, SGD with momentum, cosine), five learning
rates, the rate and epoch chosen on validation items. Both ways see the same order of items, begin with the same weights
and have their pixels in memory, so that nothing but encoding and training is timed; the other way is PyTorch's own
parts, one rate after the other, and encodes each training and validation batch anew in each epoch, as Copernicus-Bench
does with its frozen encoders. DIR holds eurosat_ms (150 real patches); without it, stripes of ten directions in noise,
which are synthetic. The last line says how many times faster ours is, and whether the answers agree.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from armillary.bench.labels import eurosat_ms
from armillary.earth.fleet import sensors
from armillary.models.zoo import Encoder as Network
from armillary.models.zoo import load_encoder
from armillary.probe.answer import OneOf
from armillary.probe.asked import Asked, Parts, Seen
from armillary.probe.choosing import best, score
from armillary.probe.features import BLIND, seen
from armillary.probe.linear_head import LinearProbe
from armillary.probe.sweep import first
from armillary.sample.batch import Batch

CLASSES = 10
ITEMS = 150
ENCODED = 64
"""Items that are encoded at a time."""

DIGITS = 1e-3
"""Largest difference of probabilities that counts as the same answer."""


@dataclass(frozen=True, eq=False)
class Work:
    """What both ways are given."""

    model: Network
    batch: Batch
    truths: tuple[np.ndarray, ...]
    parts: Parts
    probe: LinearProbe

    @property
    def answer(self) -> OneOf:
        """Ten classes."""
        return OneOf(tuple(map(str, range(CLASSES))))

    def encode(self, items: np.ndarray) -> Tensor:
        """Vectors of some items."""
        parts = [pick(self.batch, items[i : i + ENCODED]) for i in range(0, len(items), ENCODED)]
        with torch.no_grad():
            return torch.cat([self.model(part).pooled.float() for part in parts])


def pick(batch: Batch, items: np.ndarray) -> Batch:
    """Some items of a batch in any order; nothing else is known of them."""
    return Batch(batch.pixels[torch.from_numpy(items)], batch.bands, patch_px=batch.patch_px)


def real(root: Path, model: Network) -> tuple[Batch, np.ndarray]:
    """Patches of EuroSAT as the model reads them."""
    labelled = eurosat_ms(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of each file, that it names neither its time nor its bands
        return model.card.collate(list(labelled.samples())), labelled.y


def synthetic() -> tuple[Batch, np.ndarray]:
    """Stripes of ten directions under much noise."""
    rng, sensor, side = np.random.default_rng(0), sensors["s2-l1c"], 64
    y = np.arange(ITEMS) % CLASSES
    angle = y * np.pi / CLASSES
    along = np.cos(angle)[:, None, None] * np.arange(side)[:, None] + np.sin(angle)[:, None, None] * np.arange(side)
    shown = np.sin(along)[:, None] + 2 * rng.normal(size=(ITEMS, len(sensor.bands), side, side))
    return Batch(torch.from_numpy(shown.astype(np.float32)), sensor.bands, patch_px=sensor.patch_px), y


def ours(work: Work, seed: int) -> tuple[np.ndarray, dict[str, float | str]]:
    """Probabilities of the test items, and what was chosen."""
    vectors = work.encode(np.arange(len(work.truths))).numpy()
    learned = work.probe.learn(Asked(work.answer, Seen(vectors), work.truths, work.parts), seed)
    return np.stack(list(learned.predict(work.parts.test))), dict(learned.choices)


def others(work: Work, seed: int) -> tuple[np.ndarray, dict[str, float | str]]:
    """The same by one training per rate, which encodes again and again."""
    probe, truths = work.probe, [work.truths[i] for i in work.parts.val]
    found: dict[tuple[int, int], tuple[float, dict[str, Tensor]]] = {}
    head = nn.Sequential()
    for j, lr in enumerate(probe.rates):
        rng = torch.Generator().manual_seed(seed)
        head, step = fresh(work, lr, rng)
        for epoch in range(probe.epochs):
            head.train()
            for chosen in torch.split(torch.randperm(len(work.parts.train), generator=rng), probe.batch):
                items = work.parts.train[chosen.numpy()]
                step(work.encode(items), torch.tensor([int(work.truths[i]) for i in items]))
            judged = score(work.answer, shares(head, work.encode(work.parts.val)), truths)
            found[epoch, j] = judged, {n: t.clone() for n, t in head.state_dict().items()}
    keys = sorted(found)
    epoch, j = keys[best(found[key][0] for key in keys)]
    head.load_state_dict(found[epoch, j][1])
    return shares(head, work.encode(work.parts.test)), {"lr": probe.rates[j], "epoch": float(epoch + 1)}


def fresh(work: Work, lr: float, rng: torch.Generator) -> tuple[nn.Sequential, Callable[[Tensor, Tensor], None]]:
    """A new head and its training step."""
    width = work.encode(work.parts.test[:1]).shape[1]
    begin = first(width, CLASSES, 1, rng)
    layer = nn.Linear(width, CLASSES)
    with torch.no_grad():
        layer.weight.copy_(begin.weight[0])
        layer.bias.copy_(begin.bias[0])
    head = nn.Sequential(nn.BatchNorm1d(width, affine=False), layer)
    optimiser = torch.optim.SGD(layer.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    steps = work.probe.epochs * -(-len(work.parts.train) // work.probe.batch)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)

    def step(x: Tensor, y: Tensor) -> None:
        loss = cross_entropy(head(x), y)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        cosine.step()

    return head, step


def shares(head: nn.Sequential, x: Tensor) -> np.ndarray:
    """Probabilities."""
    head.eval()
    with torch.no_grad():
        return np.asarray(torch.softmax(head(x), dim=1).numpy())


def main() -> None:
    """Both ways, once each."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--data", type=Path, help="folder that holds eurosat_ms")
    ask.add_argument("--epochs", type=int, default=50)
    ask.add_argument("--side", type=int, help="side in pixels to resize to; default: as stored, 64")
    given = ask.parse_args()
    model = load_encoder("copernicus-fm-nano")
    batch, y = synthetic() if given.data is None else real(given.data, model)
    batch = seen(batch, replace(BLIND, side_px=given.side))
    order = np.random.default_rng(0).permutation(len(y))
    parts = Parts(order[: len(y) * 3 // 5], order[len(y) * 3 // 5 : len(y) * 4 // 5], order[len(y) * 4 // 5 :])
    work = Work(model, batch, tuple(np.array(v) for v in y), parts, LinearProbe(epochs=given.epochs))
    truths = [work.truths[i] for i in parts.test]
    work.encode(parts.test)  # the first call packs weights
    told: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    for name, way in (("ours", ours), ("encoding in every epoch", others)):
        begun = time.perf_counter()
        told[name], choices = way(work, 0)
        seconds[name] = time.perf_counter() - begun
        print(f"{name:<24} {seconds[name]:8.2f} s   OA {score(work.answer, told[name], truths):.3f}   {choices}")
    off = float(np.abs(told["ours"] - told["encoding in every epoch"]).max())
    same = "the same to the third digit" if off < DIGITS else "NOT the same"
    ratio = seconds["encoding in every epoch"] / seconds["ours"]
    print(f"{ratio:.1f} times faster; probabilities differ by at most {off:.1e}: {same}")


if __name__ == "__main__":
    main()
