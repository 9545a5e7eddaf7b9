"""Momentum: the slow double of a module, whose values are a moving average of the module's, and the keys it gave.

The *momentum encoder* of MoCo (arXiv:1911.05722; arXiv:2104.02057): it learns nothing, it follows. Averages and queue
are buffers, so that checkpoints hold them and every process begins with the same.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.func import functional_call

from armillary.errors import BadInput
from armillary.nn.ema import trained

NOBODY = -1
"""Place of a key that is not there yet."""


def momentum_at(step: int, *, first: float, steps: int) -> float:
    """How much of the average is kept at a step: from `first` to 1 along half a cosine (arXiv:2104.02057, sec. 4.1).

    Example:
        >>> [round(momentum_at(k, first=0.99, steps=100), 4) for k in (0, 50, 100)]
        [0.99, 0.995, 1.0]
    """
    done = min(step / max(steps, 1), 1.0)
    return 1 - (1 - first) * 0.5 * (1 + math.cos(math.pi * done))


class Momentum(nn.Module):
    """The slow double of a module: averages of its trained parameters, moments of its own, and all else shared.

    Args:
        module: that is followed; it is no part of this one. Its values now are the first averages.
    """

    followed: Tensor
    """The last step that was followed; -1 before the first."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for name, p in trained(module):
            self.register_buffer(_key(name), p.detach().float().clone())
        kept = module.state_dict()
        self.moments = tuple(name for name, _ in module.named_buffers() if name in kept)
        for name in self.moments:
            self.register_buffer(_key(name), kept[name].detach().clone())
        self.register_buffer("followed", torch.tensor(-1))

    @torch.no_grad()
    def follow(self, module: nn.Module, step: int, decay: float) -> None:
        """Move every average towards the module's value, once per step however often it is asked.

        Raises:
            BadInput: the module's parameters are shared out between processes.
        """
        if step <= int(self.followed):
            return
        for name, p in trained(module):
            if isinstance(p, DTensor):
                raise BadInput("a momentum encoder cannot follow parameters that are shared out; use strategy=ddp")
            self.get_buffer(_key(name)).lerp_(p.detach().float(), 1 - decay)
        self.followed.fill_(step)

    @torch.no_grad()
    def forward(self, module: nn.Module, *args: object) -> list[Tensor]:
        """What the module would say with the averages for its values."""
        averages = {name: self.get_buffer(_key(name)).to(p.dtype) for name, p in trained(module)}
        averages |= {name: self.get_buffer(_key(name)) for name in self.moments}
        out: list[Tensor] = functional_call(module, averages, args)
        return out


class Queue(nn.Module):
    """The last keys of earlier steps, each with its labels and its place: a ring.

    Args:
        size: how many keys.
        width: of a key.
        classes: of a row of labels.
    """

    def __init__(self, size: int, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("keys", torch.zeros(size, width))
        self.register_buffer("labels", torch.full((size, classes), torch.nan))
        self.register_buffer("places", torch.full((size,), NOBODY))
        self.register_buffer("at", torch.tensor(0))

    @torch.no_grad()
    def put(self, keys: Float[Tensor, "n d"], labels: Float[Tensor, "n l"], places: Int[Tensor, " n"]) -> None:
        """The oldest keys make room for these."""
        here = self.get_buffer("places")
        at = self.get_buffer("at")
        where = (int(at) + torch.arange(len(keys), device=here.device)) % len(here)
        self.get_buffer("keys")[where] = keys.detach().float()
        self.get_buffer("labels")[where] = labels.to(torch.float32)
        here[where] = places
        at.copy_((at + len(keys)) % len(here))

    def kept(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k l"], Int[Tensor, " k"]]:
        """Copies of keys, labels and places; the place of a key that is not there yet is -1."""
        keys, labels, places = (self.get_buffer(name).clone() for name in ("keys", "labels", "places"))
        return keys, labels, places


def _key(name: str) -> str:
    """A name that a buffer may have."""
    return name.replace(".", "/")
