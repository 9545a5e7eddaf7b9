"""Random initialisation with the randomness as an argument: the global state is left alone."""

import torch
from torch import nn


def initialise(module: nn.Module, rng: torch.Generator) -> None:
    """Linear layers and convolutions xavier-uniform, bias 0, LayerNorm 1 and 0, tokens N(0, 0.02) (arXiv:2111.06377).

    Parameters that belong to no linear layer and no norm are tokens.
    """
    layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.LayerNorm)]
    done: set[int] = set()
    for layer in layers:
        done |= {id(p) for p in layer.parameters()}
        if not isinstance(layer, nn.LayerNorm):
            nn.init.xavier_uniform_(layer.weight, generator=rng)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        else:
            layer.reset_parameters()
    for p in module.parameters():
        if id(p) not in done:
            nn.init.normal_(p, std=0.02, generator=rng)
