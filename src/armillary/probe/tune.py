"""Fine-tuning as a probe: a copy of the model learns together with a head, all of it or a correction of low rank.

Items are flipped, and dense ones turned, as Copernicus-Bench does for its supervised rows; place, time and area stay.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import BadInput
from armillary.models.zoo import Encoder
from armillary.nn.low_rank import adapt
from armillary.probe.answer import Answer, is_dense
from armillary.probe.asked import Learned, Live
from armillary.probe.heads import ConvHead, VectorHead, born
from armillary.probe.lessons import Answers, Course, Pupil, taught
from armillary.probe.losses import channels, tensors
from armillary.probe.turn import varied
from armillary.sample.batch import Batch
from armillary.tokens.tokens import Tokens

WIDTH = 64
"""Of the head of dense answers."""


@dataclass(frozen=True)
class Tune:
    """A model trained further, with the official head for items or the light one for pixels.

    Args:
        name: what tables call it.
        rank: of LoRA's corrections; None: every parameter learns.
        rates: of the head, and of corrections, among which one is chosen; the model's own parameters take a tenth.
        epochs: passes over the training items.
        batch: items of one step.
    """

    name: str
    rank: int | None = None
    rates: tuple[float, ...] = (1e-3,)
    epochs: int = 50
    batch: int = 16

    def serves(self, answer: Answer) -> bool:
        """Everything."""
        del answer
        return True

    def tune(self, live: Live, seed: int) -> Learned:
        """Train a copy; the model that is given stays as it is.

        Raises:
            BadInput: the model is frozen throughout.
            OutOfRange: no training item has a known truth, or LoRA finds no layer.
        """
        course = Course(self.rates, self.epochs, self.batch)
        return taught(lambda rng: OnModel(live, self.rank, rng), live, course, seed)


class OnModel(Pupil):
    """A copy of a model, always in eval mode, and a head.

    Args:
        live: the question.
        rank: of LoRA's corrections; None: every parameter learns.
        rng: draws the head and the corrections.
    """

    def __init__(self, live: Live, rank: int | None, rng: torch.Generator) -> None:
        super().__init__()
        self.live = live
        self.model = copy.deepcopy(live.model).eval()
        self.low_rank = rank is not None
        if rank is not None:
            adapt(_trunk(self.model.requires_grad_(False)), rank, rng)
        if not any(p.requires_grad for p in self.model.parameters()):
            raise BadInput(
                "fine-tuning was asked of a model that is frozen throughout; free it by requires_grad_(True)"
            )
        self.place = next(self.model.parameters()).device
        with torch.no_grad():
            seen = self._seen(*live.read([int(live.parts.train[0])]))
        k = channels(live.answer)
        if is_dense(live.answer):
            widths = [m.shape[1] for m in seen.taps]
            self.head = born(lambda: ConvHead(widths, k, WIDTH), rng).to(self.place)
        else:
            self.head = born(lambda: VectorHead(seen.pooled.shape[1], k), rng).to(self.place)

    def quick(self) -> list[nn.Parameter]:
        """The head, and corrections of low rank."""
        return [*self.head.parameters(), *(self._learning() if self.low_rank else [])]

    def slow(self) -> list[nn.Parameter]:
        """The model, where all of it learns, less what it holds fixed itself: a table of positions, say."""
        return [] if self.low_rank else self._learning()

    def forward(self, items: Sequence[int], rng: torch.Generator | None) -> tuple[Answers, list[Tensor]]:
        """Answers and, while it learns, truths, flipped and turned together."""
        live = self.live
        batch, counts = live.read(items)
        truths: list[Tensor] = []
        if rng is not None:
            as_they_are = tensors([live.truths[i] for i in items], live.answer, "cpu")
            pixels, turned = varied(batch.pixels, counts, as_they_are, rng)
            batch, truths = replace(batch, pixels=pixels), [t.to(self.place) for t in turned]
        seen = self._seen(batch, counts)
        return self.head(list(seen.taps) if is_dense(live.answer) else seen.pooled), truths

    def _learning(self) -> list[nn.Parameter]:
        return [p for p in self.model.parameters() if p.requires_grad]

    def _seen(self, batch: Batch, counts: tuple[int, ...]) -> Tokens:
        """Tokens of items: those of their samples, joined."""
        tokens = self.model(batch.to(self.place))
        if len(tokens.pooled) != sum(counts):
            raise BadInput(
                f"{sum(counts)} samples were told of and {len(tokens.pooled)} read; read() must say how many"
            )
        return Tokens(
            pooled=join(tokens.pooled.float(), counts, self.live.joined),
            cls=join(tokens.cls.float(), counts, self.live.joined),
            grid=join(tokens.grid.float(), counts, self.live.joined),
            taps=tuple(join(t.float(), counts, self.live.joined) for t in tokens.taps),
        )


def _trunk(model: nn.Module) -> nn.Module:
    """What LoRA corrects: of our models the blocks alone, and not what generates their kernels."""
    return model.trunk if isinstance(model, Encoder) else model


def join(x: Float[Tensor, "s ..."], counts: Sequence[int], how: str) -> Float[Tensor, "b ..."]:
    """Features of samples as features of items: the only one, their mean, or the last less the first.

    Example:
        >>> join(torch.tensor([1.0, 3.0, 10.0]), (2, 1), "mean").tolist()
        [2.0, 10.0]
    """
    if how == "one" and np.all(np.asarray(counts) == 1):
        return x
    parts = torch.split(x, list(counts))
    match how:
        case "mean":
            return torch.stack([p.mean(dim=0) for p in parts])
        case "difference":
            return torch.stack([p[-1] - p[0] for p in parts])
        case _:
            raise BadInput(f"items have {max(counts)} samples and joined={how!r}; give mean or difference")
