"""Losses: what a head's numbers cost beside the truth, and how they become predictions.

As Copernicus-Bench trains: cross-entropy for one class, the mean over classes of binary cross-entropy for several, the
absolute error of standardised values; unknown pixels and values cost nothing. Heads of dense answers give coarse maps,
which are interpolated to the truth's own grid first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import cross_entropy, multilabel_soft_margin_loss

from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap, is_dense
from armillary.probe.asked import Question
from armillary.probe.pixels import resized


@dataclass(frozen=True)
class Level:
    """What values are standardised with: mean and deviation of the training items' known values."""

    mean: float = 0.0
    std: float = 1.0


def level_of(asked: Question, items: Int[np.ndarray, " m"]) -> Level:
    """Of these items' values; 0 and 1 for classes, and where nothing is known."""
    if not isinstance(asked.answer, Value | ValueMap):
        return Level()
    sums = np.zeros(3)
    for i in items.tolist():
        truth = np.asarray(asked.truths[i], dtype=np.float64)
        known = truth[np.isfinite(truth)]
        sums += len(known), known.sum(), np.square(known).sum()
    if not sums[0]:
        return Level()
    mean, square = sums[1:] / sums[0]
    std = float(np.sqrt(max(square - mean**2, 0.0)))
    return Level(float(mean), std if std > 0 else 1.0)


def channels(answer: Answer) -> int:
    """Numbers that a head gives per item or pixel."""
    return len(answer.classes) if isinstance(answer, OneOf | AnyOf | ClassMap) else 1


def cost(
    answer: Answer, out: Float[Tensor, "b k ..."], truths: Sequence[Shaped[Tensor, "..."]], level: Level
) -> Float[Tensor, ""]:
    """The mean loss over everything that is known; 0 where nothing is."""
    pairs = list(_on_grids(out, truths)) if is_dense(answer) else [(out, torch.stack(list(truths)))]
    totals, counts = zip(*(_sum(answer, o, t, level) for o, t in pairs), strict=True)
    total: Tensor = torch.stack(totals).sum() / max(sum(counts), 1)
    return total


def finished(answer: Answer, out: Float[Tensor, "k ..."], shape: tuple[int, ...], level: Level) -> np.ndarray:
    """One item's numbers as its prediction; dense ones on a grid of this shape."""
    fine = resized(out[None], torch.Size(shape))[0] if is_dense(answer) else out
    return told_all(answer, fine.movedim(0, -1), level, at=0)


def told_all(answer: Answer, scores: Float[Tensor, "... k"], level: Level, *, at: int = -1) -> Float[np.ndarray, "..."]:
    """Scores as predictions, their classes on axis `at`; the one number of a value has no axis any more."""
    match answer:
        case OneOf() | ClassMap():
            told = torch.softmax(scores, dim=-1).movedim(-1, at)
        case AnyOf():
            told = torch.sigmoid(scores).movedim(-1, at)
        case _:
            told = scores[..., 0] * level.std + level.mean
    return np.asarray(told.float().cpu().numpy())


def tensors(truths: Sequence[np.ndarray], answer: Answer, device: torch.device | str) -> list[Tensor]:
    """Truths as tensors: class numbers int64, all else float32."""
    dtype = torch.int64 if isinstance(answer, OneOf | ClassMap) else torch.float32
    return [torch.as_tensor(np.asarray(t)).to(device, dtype) for t in truths]


def _on_grids(
    out: Float[Tensor, "b k h w"], truths: Sequence[Shaped[Tensor, "_ _"]]
) -> Iterator[tuple[Float[Tensor, "_ k _ _"], Shaped[Tensor, "_ _ _"]]]:
    """Coarse maps on the truths' grids: all at once where these are alike, else one by one."""
    if len({t.shape for t in truths}) == 1:
        yield resized(out, truths[0].shape), torch.stack(list(truths))
        return
    for one, t in zip(torch.split(out, 1), truths, strict=True):
        yield resized(one, t.shape), t[None]


def _sum(
    answer: Answer, out: Float[Tensor, "b k ..."], truth: Shaped[Tensor, "b ..."], level: Level
) -> tuple[Tensor, int]:
    """Sum of losses, and of how many."""
    match answer:
        case OneOf() | ClassMap():
            return cross_entropy(out, truth, ignore_index=IGNORE, reduction="sum"), int((truth != IGNORE).sum())
        case AnyOf():
            return multilabel_soft_margin_loss(out, truth, reduction="sum"), len(truth)
        case _:
            known = torch.isfinite(truth)
            wanted = torch.where(known, (truth - level.mean) / level.std, 0.0)
            return torch.where(known, (out[:, 0] - wanted).abs(), 0.0).sum(), int(known.sum())
