"""A small real objective for tests: hidden pixels of each sensor from the visible ones, by one matrix per sensor."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from armillary.sample.stream import Draw
from armillary.train.objective import Term

CHANNELS = {"s2-l2a": 3, "s1-rtc": 2}
WEIGHTS = {"s2-l2a": 1.0, "s1-rtc": 0.5}


class Reconstruction(nn.Module):
    """Half of the pixels are hidden by each item's own seed; a matrix with dropout restores them."""

    def __init__(self, side_px: int = 8, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleDict()
        for name, c in CHANNELS.items():
            n = c * side_px**2
            layer = nn.Linear(n, n, device="meta").to_empty(device="cpu")
            with torch.no_grad():
                nn.init.normal_(layer.weight, std=0.01, generator=rng)
                nn.init.zeros_(layer.bias)
            self.layers[name] = layer
        self.hidden_token = nn.Parameter(torch.zeros(1, 1, 1))
        self.frozen = nn.Parameter(torch.ones(3, 3), requires_grad=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, draw: Draw) -> Mapping[str, Term]:
        terms = {}
        for name, samples in draw.samples.items():
            x = torch.stack([torch.from_numpy(s.pixels) for s in samples]).flatten(1)
            x = (x - x.mean(dim=1, keepdim=True)).to(self.hidden_token.device)
            hidden = self._hidden([draw.seeds[r] for r in draw.rows[name]], x)
            given = torch.where(hidden, self.hidden_token.flatten(), x)
            error = (self.layers[name](self.dropout(given)) - x) ** 2
            terms[name] = Term((error * hidden).sum(), hidden.sum(dtype=torch.float32), WEIGHTS[name])
        return terms

    def _hidden(self, seeds: list[int], x: Tensor) -> Tensor:
        # the number of hidden pixels differs from item to item, so that a mean of means would be another loss
        rngs = [torch.Generator().manual_seed(s) for s in seeds]
        shares = [0.2 + (s % 5) / 10 for s in seeds]
        return torch.stack([torch.rand(x.shape[1], generator=g) < p for p, g in zip(shares, rngs, strict=True)])
