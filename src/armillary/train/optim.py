"""AdamW (arXiv:1711.05101), with weight decay on matrices alone.

What is no matrix does not decay: biases, norms, tokens (learned vectors, whatever their number of axes), tables of
embeddings and of positions. Frozen parameters are left out.
"""

import re
from typing import Annotated

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import nn

from armillary.nn.ema import trained

NO_DECAY = re.compile(r"token|embedding|position|pos_embed|table|bias|unknown|scale|gamma")
"""Last part of a parameter's name, when it is learned but no matrix that multiplies."""

_TABLES = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase, nn.RMSNorm)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimConfig:
    """How parameters move.

    Args:
        lr: learning rate after the warm-up.
        betas: decay of the running mean of gradients and of their squares.
        weight_decay: of matrices, per step and learning rate.
        warmup_steps: steps until `lr` is reached.
        min_lr: learning rate at the end.
        clip: largest norm of all gradients together; None leaves them as they are.
    """

    lr: Annotated[float, Field(gt=0)] = 3e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    min_lr: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] | None = 1.0

    def build(self, module: nn.Module) -> torch.optim.AdamW:
        """The optimiser of a module's trained parameters."""
        decayed, bare = groups(module)
        parameters = [
            {"params": [p for _, p in decayed], "weight_decay": self.weight_decay},
            {"params": [p for _, p in bare], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(parameters, lr=self.lr, betas=self.betas, fused=True)


def groups(module: nn.Module) -> tuple[list[tuple[str, nn.Parameter]], list[tuple[str, nn.Parameter]]]:
    """Trained parameters that decay, and those that do not, by name."""
    tables = {id(p) for m in module.modules() if isinstance(m, _TABLES) for p in m.parameters(recurse=False)}
    decayed: list[tuple[str, nn.Parameter]] = []
    bare: list[tuple[str, nn.Parameter]] = []
    for name, p in trained(module):
        axes = sum(size > 1 for size in p.shape)
        plain = axes >= 2 and id(p) not in tables and not NO_DECAY.search(name.rpartition(".")[2])
        (decayed if plain else bare).append((name, p))
    return decayed, bare
