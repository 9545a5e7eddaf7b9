"""Objective: what is minimised. It owns the model and its heads, and turns a draw into named terms.

A *term* is a sum with its count, so that a mean over several processes is the mean over all their items: the loss is
sum over terms of weight x (sum over processes of `sum`) / (sum over processes of `count`), which is one number however
the batch is shared. A term that is absent on a process counts 0 there; absent everywhere, it is no part of the loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import BadInput
from armillary.sample.stream import Draw


@dataclass(frozen=True, eq=False)
class Term:
    """One part of a loss.

    Args:
        sum: over what was counted, with its gradient.
        count: of what was summed; carries no gradient. 0 where nothing was.
        weight: of the mean, sum / count, within the loss.
    """

    sum: Float[Tensor, ""]
    count: Float[Tensor, ""]
    weight: float = 1.0


@runtime_checkable
class Objective(Protocol):
    """An nn.Module that turns a draw into terms.

    What is random about an item comes from `draw.seeds`, never from its position in the batch; then the loss does not
    depend on how a batch is shared between processes. Parameters with requires_grad=False are left as they are.
    """

    def forward(self, draw: Draw) -> Mapping[str, Term]:
        """The terms of one draw, by name."""

    def __call__(self, draw: Draw) -> Mapping[str, Term]:
        """The same, as nn.Module calls it."""


@runtime_checkable
class Counting(Protocol):
    """An objective that knows the counts of its terms beforehand; saves a pass when gradients are accumulated."""

    def counts(self, draw: Draw) -> Mapping[str, float]:
        """What `count` each term of this draw will have."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One row of a picture.

    Args:
        title: of the row.
        pictures: caption -> values from 0 to 1, grey or RGB; drawn from left to right.
    """

    title: str
    pictures: Mapping[str, Float[np.ndarray, "h w"] | Float[np.ndarray, "h w 3"]]


def module_of(objective: object) -> nn.Module:
    """The objective as the module that it must be."""
    if not isinstance(objective, nn.Module):
        raise BadInput(
            f"an objective is an nn.Module with forward(draw), got {type(objective).__name__}; let it own its model"
        )
    return objective
