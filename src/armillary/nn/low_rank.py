"""LoRA (arXiv:2106.09685): a frozen linear layer with a trained correction of low rank, which is 0 at birth."""

import re

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import OutOfRange

SCALE = 2.0
"""Of the correction; alpha / rank in the publication's words."""

LAYERS = re.compile(r"(^|\.)(qkv|proj|fc1|fc2|query|key|value|q_proj|k_proj|v_proj|out_proj)$")
"""Names of the linear layers of attention and mlp, here and elsewhere."""


class LowRank(nn.Module):
    """base(x) + SCALE * up(down(x)); `up` begins at 0 and `base` stays as it is.

    Args:
        base: the layer that is corrected; its parameters are frozen.
        rank: of the correction.
        rng: draws `down`.
    """

    def __init__(self, base: nn.Linear, rank: int, rng: torch.Generator) -> None:
        super().__init__()
        if not 1 <= rank <= min(base.in_features, base.out_features):
            raise OutOfRange(
                f"rank {rank} was asked of a layer of {base.in_features} to {base.out_features}; "
                f"give 1 to {min(base.in_features, base.out_features)}"
            )
        self.base = base.requires_grad_(False)
        like = base.weight
        down = torch.randn(rank, base.in_features, generator=rng) * base.in_features**-0.5
        self.down = nn.Parameter(down.to(like.device))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, device=like.device))

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
        """Each row on its own, in the base layer's precision."""
        out: Tensor = self.base(x)
        return out + SCALE * ((x.to(self.down) @ self.down.T) @ self.up.T).to(out.dtype)


def adapt(module: nn.Module, rank: int, rng: torch.Generator) -> tuple[str, ...]:
    """Freeze a module and put a LowRank in the place of each linear layer of its attentions and mlps.

    Returns:
        The names of those layers.

    Raises:
        OutOfRange: the module has no such layer, or one is smaller than the rank.
    """
    module.requires_grad_(False)
    found = [(n, m) for n, m in module.named_modules() if isinstance(m, nn.Linear) and LAYERS.search(n)]
    if not found:
        raise OutOfRange(
            f"{type(module).__name__} has no linear layer called qkv, proj, fc1, fc2 or the like; train all of it"
        )
    for name, layer in found:
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, LowRank(layer, rank, rng))
    return tuple(name for name, _ in found)
