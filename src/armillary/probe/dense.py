"""Heads for dense answers as probes: trained on cached maps, so the encoder runs once whatever is tried."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from armillary.probe.answer import Answer, ClassMap, ValueMap
from armillary.probe.asked import Asked, Learned
from armillary.probe.choosing import refuse_unless
from armillary.probe.heads import ConvHead, Head, UPerHead, born
from armillary.probe.lessons import Answers, Course, Pupil, taught
from armillary.probe.losses import channels, tensors

RATES = (3e-4, 1e-3, 3e-3)
"""Learning rates among which to choose; the published ones are 1e-4 and 1e-3."""

EPOCHS, BATCH = 50, 16

OFFICIAL_WIDTH = 512
"""Width of the published UPerNet, whose auxiliary head is half as wide."""


@dataclass(frozen=True)
class DenseProbe:
    """A head on four maps, by AdamW.

    Args:
        name: "conv" or "upernet", which head it is and what tables call it.
        width: of the head; `OFFICIAL_WIDTH` is for large machines.
        rates: learning rates among which one is chosen.
        epochs: passes over the training items.
        batch: items of one step.
        device: where it computes.
    """

    name: Literal["conv", "upernet"]
    width: int = 64
    rates: tuple[float, ...] = RATES
    epochs: int = EPOCHS
    batch: int = BATCH
    device: str = "cpu"
    needs_maps: bool = True

    def serves(self, answer: Answer) -> bool:
        """One answer per pixel."""
        return isinstance(answer, ClassMap | ValueMap)

    def learn(self, asked: Asked, seed: int) -> Learned:
        """Train; the seed gives the first weights and shuffles the items.

        Raises:
            BadInput: an answer that it does not serve, or no maps.
            OutOfRange: no training item has a known truth.
        """
        refuse_unless(self.serves(asked.answer), self.name, asked)
        course = Course(self.rates, self.epochs, self.batch)
        return taught(lambda rng: _OnMaps(asked, self._head(asked), rng, self.device), asked, course, seed)

    def _head(self, asked: Asked) -> Callable[[], Head]:
        widths, k = [m.shape[1] for m in asked.seen.maps], channels(asked.answer)
        if self.name == "conv":
            return lambda: ConvHead(widths, k, self.width)
        return lambda: UPerHead(widths, k, self.width, self.width // 2)


class _OnMaps(Pupil):
    """A head that reads cached maps."""

    def __init__(self, asked: Asked, make: Callable[[], Head], rng: torch.Generator, device: str) -> None:
        super().__init__()
        self.asked, self.device = asked, device
        self.head = born(make, rng).to(device)

    def quick(self) -> list[nn.Parameter]:
        return list(self.head.parameters())

    def slow(self) -> list[nn.Parameter]:
        return []

    def forward(self, items: Sequence[int], rng: torch.Generator | None) -> tuple[Answers, list[Tensor]]:
        # never flipped: features of a flipped place are not its flipped features
        maps = [torch.from_numpy(m[list(items)].astype("float32")).to(self.device) for m in self.asked.seen.maps]
        known = [] if rng is None else [self.asked.truths[i] for i in items]
        return self.head([torch.nan_to_num(m) for m in maps]), tensors(known, self.asked.answer, self.device)
