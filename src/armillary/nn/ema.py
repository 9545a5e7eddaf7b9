"""EMA: the exponential moving average of a module's trained parameters, which generalises better than the last ones.

After n updates the decay is min(decay, (1 + n) / (10 + n)), so that a short run is not averaged with its beginning.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from armillary.errors import OutOfRange, WeightsMismatch


class Ema:
    """Averages of every parameter that is trained, in float32.

    Args:
        module: whose parameters; their values now are the first averages.
        decay: share of the old average that is kept at each update, 0 to 1.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise OutOfRange(f"a decay of {decay} averages nothing; give at least 0 and less than 1")
        self.decay = decay
        self.updates = 0
        self.averages: dict[str, Tensor] = {n: p.detach().float().clone() for n, p in trained(module)}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move every average towards the parameter's value now."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, p in trained(module):
            self.averages[name].lerp_(p.detach().float(), 1 - decay)

    @contextmanager
    def swapped(self, module: nn.Module) -> Iterator[None]:
        """The averages stand in the module while the block runs; its own values come back afterwards."""
        own = {n: p.detach().clone() for n, p in trained(module)}
        _put(module, self.averages)
        try:
            yield
        finally:
            _put(module, own)


def trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Name and value of each parameter that is not frozen."""
    return ((n, p) for n, p in module.named_parameters() if p.requires_grad)


@torch.no_grad()
def _put(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    for name, p in trained(module):
        if name not in values:
            raise WeightsMismatch(f"no average is kept of {name}; the module has changed since the averages began")
        p.copy_(values[name])
