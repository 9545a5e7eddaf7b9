"""The official linear head, for all learning rates at once.

Copernicus-Bench's head for items is a BatchNorm without weights and a linear layer, trained by SGD with momentum and a
cosine. The BatchNorm sees features alone, so heads that differ in their learning rate share it, and one product of
matrices gives the scores of all of them. The momentum is constant: upstream's OneCycleLR swings it between 0.85 and
0.95 unless told not to.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from armillary.probe.answer import Answer, AnyOf, OneOf
from armillary.train.schedule import rate

MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4
"""Added to the gradient, of weights and offsets alike, as torch.optim.SGD does."""

NORM_EPS = 1e-5
NORM_MOMENTUM = 0.1
"""How much of a batch's mean and variance enters the running ones."""


@dataclass(frozen=True, eq=False)
class Heads:
    """Linear layers, one per learning rate, behind one norm.

    Args:
        weight: of each.
        bias: of each.
        mean: running mean of the features.
        var: running variance, unbiased.
    """

    weight: Float[Tensor, "l k d"]
    bias: Float[Tensor, "l k"]
    mean: Float[Tensor, " d"]
    var: Float[Tensor, " d"]

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "l n k"]:
        """Scores."""
        return _scores(self, (x - self.mean) / torch.sqrt(self.var + NORM_EPS))

    def one(self, which: int) -> "Heads":
        """One of them, on its own."""
        at = slice(which, which + 1)
        return Heads(self.weight[at].clone(), self.bias[at].clone(), self.mean, self.var)


def first(width: int, classes: int, count: int, rng: torch.Generator) -> Heads:
    """Equal heads, as torch.nn.Linear begins."""
    bound = width**-0.5
    weight = (2 * torch.rand(classes, width, generator=rng) - 1) * bound
    bias = (2 * torch.rand(classes, generator=rng) - 1) * bound
    return Heads(weight.repeat(count, 1, 1), bias.repeat(count, 1), torch.zeros(width), torch.ones(width))


@dataclass(frozen=True)
class Pace:
    """How heads are trained.

    Args:
        rates: learning rates.
        epochs: passes over the items.
        batch: items of one step.
    """

    rates: tuple[float, ...]
    epochs: int
    batch: int


def sweep(
    answer: Answer,
    x: Float[Tensor, "n d"],
    y: Shaped[Tensor, "n ..."],
    heads: Heads,
    pace: Pace,
    rng: torch.Generator,
) -> Iterator[Heads]:
    """The heads after each epoch. A batch of one item has no variance: the running one serves, and stays.

    Args:
        answer: which loss.
        x: features of the training items.
        y: class numbers, float 0 and 1 per class, or standardised values.
        heads: where to begin, one per rate.
        pace: rates, epochs, batch.
        rng: shuffles the items, on the CPU.
    """
    n = len(x)
    batches = -(-n // pace.batch)
    rates = torch.tensor(pace.rates, device=x.device)
    speed = torch.zeros_like(heads.weight), torch.zeros_like(heads.bias)
    for epoch in range(pace.epochs):
        order = torch.randperm(n, generator=rng).to(x.device)
        for i, items in enumerate(torch.split(order, pace.batch)):
            step = epoch * batches + i
            share = rate(step, lr=1.0, warmup_steps=0, steps=pace.epochs * batches)
            heads, speed = _stepped(answer, heads, speed, (x[items], y[items]), rates * share)
        yield heads


def _stepped(
    answer: Answer,
    heads: Heads,
    speed: tuple[Tensor, Tensor],
    taught: tuple[Tensor, Tensor],
    rates: Float[Tensor, " l"],
) -> tuple[Heads, tuple[Tensor, Tensor]]:
    x, y = taught
    n = len(x)
    mean, var = (x.mean(dim=0), x.var(dim=0, unbiased=False)) if n > 1 else (heads.mean, heads.var)
    z = (x - mean) / torch.sqrt(var + NORM_EPS)
    slope = _slope(answer, _scores(heads, z), y)
    flat = slope.permute(0, 2, 1).flatten(0, 1)
    weight = (flat @ z).view_as(heads.weight) + WEIGHT_DECAY * heads.weight
    bias = slope.sum(dim=1) + WEIGHT_DECAY * heads.bias
    speed = MOMENTUM * speed[0] + weight, MOMENTUM * speed[1] + bias
    unbiased = var * (n / (n - 1)) if n > 1 else var
    return Heads(
        heads.weight - rates[:, None, None] * speed[0],
        heads.bias - rates[:, None] * speed[1],
        torch.lerp(heads.mean, mean, NORM_MOMENTUM),
        torch.lerp(heads.var, unbiased, NORM_MOMENTUM),
    ), speed


def _scores(heads: Heads, z: Float[Tensor, "n d"]) -> Float[Tensor, "l n k"]:
    rates, classes, _ = heads.weight.shape
    flat = z @ heads.weight.flatten(0, 1).T
    return flat.view(len(z), rates, classes).permute(1, 0, 2) + heads.bias[:, None]


def _slope(answer: Answer, scores: Float[Tensor, "l n k"], y: Shaped[Tensor, "n ..."]) -> Float[Tensor, "l n k"]:
    """Of the mean loss of a batch, by hand: three lines are faster than a graph of so small a step."""
    n, k = scores.shape[1:]
    match answer:
        case OneOf():
            there = torch.nn.functional.one_hot(y, k).to(scores.dtype)
            return (torch.softmax(scores, dim=-1) - there) / n
        case AnyOf():
            return (torch.sigmoid(scores) - y) / (n * k)
        case _:
            return torch.sign(scores - y[:, None]) / n
