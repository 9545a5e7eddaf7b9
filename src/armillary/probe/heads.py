"""Heads: small networks on what an encoder gives: a vector, or four maps from the first to the last tap.

A head gives a tuple: its answer, and answers beside it that only help to train (each has a weight in `beside`). Dense
ones are coarse; `armillary.probe.losses` brings them to the truth's grid.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, gelu, max_pool2d

from armillary.probe.pixels import resized

POOLS = (1, 2, 3, 6)
"""Sides of the pyramid pooling (PSPNet, arXiv:1612.01105)."""

AUX_WEIGHT = 0.4
AUX_TAP = 2
"""Which tap the auxiliary head of UPerNet reads."""

LEVELS = 4

Maps = Sequence[Float[Tensor, "b _e _h _w"]]


class Head(nn.Module):
    """What gives a tuple of answers; `beside` are the weights of all but the first."""

    beside: tuple[float, ...] = ()


class VectorHead(Head):
    """The official head of items: BatchNorm without weights, then a linear layer."""

    def __init__(self, width: int, k: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.linear = nn.Linear(width, k)

    def forward(self, x: Float[Tensor, "b d"]) -> tuple[Float[Tensor, "b k"], ...]:
        """Scores."""
        return (self.linear(self.norm(x)),)


class ConvHead(Head):
    """A light head: standardised taps, mixed point by point, then one convolution on twice as fine a grid.

    Args:
        widths: channels of each map.
        k: numbers per pixel.
        width: of the head.
    """

    def __init__(self, widths: Sequence[int], k: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(w, affine=False) for w in widths])
        self.mix = nn.ModuleList([nn.Conv2d(w, width, 1) for w in widths])
        self.near = _convolution(width, width, 3)
        self.told = nn.Conv2d(width, k, 1)

    def forward(self, maps: Maps) -> tuple[Float[Tensor, "b k _ _"], ...]:
        """Scores on a grid twice as fine as that of the first map."""
        h, w = maps[0].shape[-2:]
        mixed = [resized(c(n(m)), (h, w)) for m, n, c in zip(maps, self.norms, self.mix, strict=True)]
        fine = resized(gelu(torch.stack(mixed).sum(dim=0)), (2 * h, 2 * w))
        return (self.told(self.near(fine)),)


class UPerHead(Head):
    """UPerNet (arXiv:1807.10221) on a plain ViT: four taps become a pyramid of x4, x2, x1 and x1/2.

    With width 512 and aux_width 256 it is what Copernicus-Bench trains, less mmseg's dropout of 0.1 before the last
    layer, whose randomness cannot be an argument.

    Args:
        widths: channels of each of four maps.
        k: numbers per pixel.
        width: of the head.
        aux_width: of the auxiliary one.
    """

    beside = (AUX_WEIGHT,)

    def __init__(self, widths: Sequence[int], k: int, width: int, aux_width: int) -> None:
        super().__init__()
        a, b, _, last = widths
        self.four = nn.Sequential(
            nn.ConvTranspose2d(a, a, 2, stride=2), nn.BatchNorm2d(a), nn.GELU(), nn.ConvTranspose2d(a, a, 2, stride=2)
        )
        self.two = nn.ConvTranspose2d(b, b, 2, stride=2)
        self.lateral = nn.ModuleList([_convolution(w, width, 1) for w in widths[:-1]])
        self.pools = nn.ModuleList([_convolution(last, width, 1) for _ in POOLS])
        self.bottleneck = _convolution(last + len(POOLS) * width, width, 3)
        self.smooth = nn.ModuleList([_convolution(width, width, 3) for _ in range(LEVELS - 1)])
        self.fuse = _convolution(LEVELS * width, width, 3)
        self.told = nn.Conv2d(width, k, 1)
        self.aux = nn.Sequential(_convolution(widths[AUX_TAP], aux_width, 3), nn.Conv2d(aux_width, k, 1))

    def forward(self, maps: Maps) -> tuple[Float[Tensor, "b k _ _"], ...]:
        """Scores on a grid four times as fine as that of the maps, and the auxiliary ones on their own."""
        a, b, c, d = maps
        pyramid = (self.four(a), self.two(b), c)
        levels = [lateral(x) for lateral, x in zip(self.lateral, pyramid, strict=True)]
        levels.append(self._context(max_pool2d(d, 2, ceil_mode=True)))
        for i in range(LEVELS - 1, 0, -1):
            levels[i - 1] = levels[i - 1] + resized(levels[i], levels[i - 1].shape[-2:])
        levels[:-1] = [smooth(x) for smooth, x in zip(self.smooth, levels[:-1], strict=True)]
        size = levels[0].shape[-2:]
        fused = self.fuse(torch.cat([resized(x, size) for x in levels], dim=1))
        return self.told(fused), self.aux(maps[AUX_TAP])

    def _context(self, x: Float[Tensor, "b e h w"]) -> Float[Tensor, "b d h w"]:
        seen = [resized(c(adaptive_avg_pool2d(x, n)), x.shape[-2:]) for n, c in zip(POOLS, self.pools, strict=True)]
        context: Tensor = self.bottleneck(torch.cat([x, *seen], dim=1))
        return context


def born(make: Callable[[], Head], rng: torch.Generator) -> Head:
    """A new head; its weights are drawn from `rng` alone (He's normal, arXiv:1502.01852), its offsets are 0."""
    with torch.device("meta"):
        head = make()
    head.to_empty(device="cpu")
    for layer in head.modules():
        match layer:
            case nn.Linear() | nn.Conv2d() | nn.ConvTranspose2d():
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear", generator=rng)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                layer.reset_parameters()
            case _:
                pass
    return head


def _convolution(width_in: int, width: int, side: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width, side, padding=side // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )
