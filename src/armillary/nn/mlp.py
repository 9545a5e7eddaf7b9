"""The two-layer perceptrons of the project."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, relu

from armillary.nn.linear import Linear


class Mlp(nn.Module):
    """Linear, exact (erf) GELU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, hidden)
        self.fc2 = Linear(hidden, width)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Each token on its own."""
        hidden = self.fc1(x)
        # in place where nobody asks for gradients: a second wide tensor costs 7 % at batch 8 in page faults
        hidden = gelu(hidden) if torch.is_grad_enabled() else torch.ops.aten.gelu_(hidden)
        out: Tensor = self.fc2(hidden)
        return out


class ResidualMlp(nn.Module):
    """x + relu(W2 relu(W1 x)): the second ReLU stands before the sum, as in DOFA (arXiv:2403.15356)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, width)
        self.w2 = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Each row on its own."""
        return x + relu(self.w2(relu(self.w1(x))))
