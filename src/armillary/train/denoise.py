"""Denoise: a joint model learns to tell strands from their noise, each strand of each place at a time of its own.

The loss is the sum over strands of the mean squared error of the prediction (arXiv:2303.06555, equation 5; the code of
arXiv:2504.08548). What was never measured, and strands shown exactly clean, ask for nothing: the one has no answer, of
the other no noise can be told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Annotated, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from armillary.errors import BadInput
from armillary.generate.noise import seed_of
from armillary.models.path import OURS, RELEASED, UNITS, Path
from armillary.sample.strands import Strands
from armillary.sample.stream import Draw
from armillary.train.objective import Term
from armillary.train.times import AS_RELEASED, Times

Collate = Callable[[Draw], Strands]
"""How the samples of a draw become network numbers."""

_NOISE = "denoise"


@runtime_checkable
class JointModel(Protocol):
    """A network that predicts all strands together; see `models.cop_gen.CopGen`."""

    def __call__(
        self, x: Mapping[str, Float[Tensor, "b _ _ _"]], times: Float[Tensor, "b m"], present: Bool[Tensor, "b m"], /
    ) -> Mapping[str, Float[Tensor, "b _ _ _"]]:
        """Predictions, from strands at times from 0 to 1000; what is not present must be looked at by nothing."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DenoiseConfig:
    """What is learned.

    Args:
        path: noise schedule and prediction.
        times: how noisy strands are shown.
        weights: strand -> weight of its term; 1 where nothing is said. One of weight 0 is never wanted.
    """

    path: Path = OURS
    times: Times = Times()
    weights: Mapping[str, Annotated[float, Field(ge=0)]] = field(default_factory=dict)


RELEASED_CONFIG = DenoiseConfig(RELEASED, AS_RELEASED)
"""As COP-GEN-Beta was trained."""


class Denoising(nn.Module):
    """The objective: one term per strand, all that is random from each item's own seed.

    Args:
        model: the joint model.
        config: what is learned.
        collate: how a draw becomes network numbers; strands in the model's order.

    Raises:
        BadInput: the model is no nn.Module.
    """

    def __init__(self, model: JointModel, config: DenoiseConfig, collate: Collate) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise BadInput(f"a model that learns is an nn.Module, got {type(model).__name__}; give one with parameters")
        self.model = model
        self.config = config
        self.collate = collate

    def forward(self, draw: Draw) -> dict[str, Term]:
        """The terms of one draw."""
        device = next((p.device for p in self.parameters()), torch.device("cpu"))
        return self.terms(self.collate(draw).to(device), draw.seeds)

    def terms(self, strands: Strands, seeds: Sequence[int]) -> dict[str, Term]:
        """The terms of a batch.

        Args:
            strands: network numbers, in the model's order.
            seeds: one per item.
        """
        self._check(strands)
        times, shown = self._times(strands, seeds)
        device = strands.present.device
        times, shown = times.to(device), shown.to(device)
        noise = noise_like(strands.x, seeds)
        asks = shown & (times > 0)
        at = {s: times[:, i, None, None, None] for i, s in enumerate(strands.x)}
        noised = {s: self.config.path.noised(x, noise[s], at[s]) for s, x in strands.x.items()}
        said = self.model(noised, UNITS * times, shown)
        terms = {}
        for i, (s, x) in enumerate(strands.x.items()):
            error = (said[s].float() - self.config.path.target(x, noise[s], at[s])).square()
            terms[s] = _term(error, strands.known[s], asks[:, i], self.config.weights.get(s, 1.0))
        return terms

    def counts(self, draw: Draw) -> dict[str, float]:
        """What each term will count: items of which a strand is asked for and known."""
        strands = self.collate(draw)
        times, shown = self._times(strands, draw.seeds)
        asks = shown & (times > 0)
        known = {s: k.flatten(1).any(dim=1).cpu() for s, k in strands.known.items()}
        return {s: float((asks[:, i] & known[s]).sum()) for i, s in enumerate(strands.x)}

    def _times(self, strands: Strands, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """A strand of weight 0 is never wanted."""
        wanted = [self.config.weights.get(s, 1.0) > 0 for s in strands.x]
        return self.config.times.draw(seeds, strands.present, wanted)

    def _check(self, strands: Strands) -> None:
        m, strange = strands.present.shape[1], sorted(set(self.config.weights) - set(strands.x))
        if m != len(strands.x):
            raise BadInput(f"{len(strands.x)} strands came with {m} columns of presence; give every strand, in order")
        if strange:
            raise BadInput(f"weights are given to {', '.join(strange)}; strands are {', '.join(strands.x)}")


def noise_like(x: Mapping[str, Float[Tensor, "b _ _ _"]], seeds: Sequence[int]) -> dict[str, Tensor]:
    """Standard normal numbers for every strand, each item's from its own seed, drawn where the strands are."""
    sizes = [v[0].numel() for v in x.values()]
    device = next(iter(x.values())).device
    rows = [
        torch.randn(sum(sizes), device=device, generator=torch.Generator(device).manual_seed(seed_of(s, _NOISE)))
        for s in seeds
    ]
    parts = torch.split(torch.stack(rows), sizes, dim=1)
    return {s: part.view_as(v) for (s, v), part in zip(x.items(), parts, strict=True)}


def _term(
    error: Float[Tensor, "b c h w"], known: Bool[Tensor, "b c h w"], asks: Bool[Tensor, " b"], weight: float
) -> Term:
    """Mean over what is known of an item, summed over the items that are asked for."""
    share = known.flatten(1).sum(dim=1)
    mean = torch.where(known, error, 0.0).flatten(1).sum(dim=1) / share.clamp(min=1)
    counted = asks & (share > 0)
    return Term(torch.where(counted, mean, 0.0).sum(), counted.sum().float(), weight)
