"""Soft: a table of likenesses is taught a table of targets from 0 to 1, how alike labels are (arXiv:2405.20462).

SoftCon's pretraining code was never published. Its figure shows a full table of targets with 1 on the diagonal beside
the contrast; the form of the loss is inferred. `bce` is our reconstruction and the default, `mse` and `ce` are
the other readings; docs/softcon.md says what is known.
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from armillary.errors import BadInput
from armillary.train.contrast import PerQuery, weighted_contrast
from armillary.train.positives import alikeness, known

Form = Literal["bce", "mse", "ce"]


class Logits(nn.Module):
    """Cosines as logits: scale x cosine + bias, both of which may be learned.

    With a scale of 10 and no bias, unlike pairs need a cosine far below 0, which few vectors of many can have; a bias
    of -3 puts the even chance at a cosine of .3.

    Args:
        scale: 1 / temperature, at first.
        bias: at first.
        learned: whether they are learned; the scale by its logarithm, so that it stays above 0.
    """

    def __init__(self, scale: float, bias: float = 0.0, *, learned: bool = False) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learned)
        self.bias = nn.Parameter(torch.tensor(float(bias)), requires_grad=learned)

    def forward(self, likeness: Float[Tensor, "q k"]) -> Float[Tensor, "q k"]:
        """Logits of cosines."""
        return likeness * self.log_scale.exp() + self.bias


def soft_targets(
    labels: Float[Tensor, "q l"], others: Float[Tensor, "k l"], own: Bool[Tensor, "q k"]
) -> tuple[Float[Tensor, "q k"], Bool[Tensor, "q k"]]:
    """Cosine of labels, 1 for a query's own keys; and which pairs are asked: those of which both have labels."""
    asked = known(labels)[:, None] & known(others)[None]
    return torch.where(own, 1.0, alikeness("cosine", labels, others)), asked


def soft_loss(
    logits: Float[Tensor, "q k"], wanted: Float[Tensor, "q k"], asked: Bool[Tensor, "q k"], form: Form = "bce"
) -> PerQuery:
    """How far logits are from their targets, summed over the pairs that are asked, and what is counted.

    bce: binary cross-entropy of sigmoid(logit) with the target, a pair counts 1; the gradient of the mean over N x N
    pairs is (sigmoid - target) / N^2. mse: (sigmoid(logit) - target)^2, likewise. ce: for each query the cross-entropy
    of softmax(logits) with its targets divided by their sum; a query counts 1.
    """
    if form == "ce":
        return weighted_contrast(logits, wanted * asked, asked)
    if form == "bce":
        apart = binary_cross_entropy_with_logits(logits, wanted.to(logits.dtype), reduction="none")
    elif form == "mse":
        apart = (logits.sigmoid() - wanted).square()
    else:
        raise BadInput(f"no form of the soft loss is called {form!r}; known are bce, mse, ce")
    return torch.where(asked, apart, 0.0).sum(dim=1), asked.sum(dim=1).to(logits.dtype)
