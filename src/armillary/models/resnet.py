"""ResNet-50 for the bands of Sentinel-2 or Sentinel-1: SoftCon's (arXiv:2405.20462), and those of SSL4EO-S12.

torchvision's network (arXiv:1512.03385) with another first convolution (7 x 7, stride 2, no bias) and no classifier:
what leaves it is the mean of the last map, 2048 numbers. It knows neither place nor time nor area.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from armillary.models.channels import FixedChannels
from armillary.models.intake import STRIDE_PX
from armillary.models.weights import load_state, resnet_names
from armillary.nn.residual import EXPANSION, BatchNorm, Stages
from armillary.sample.batch import Batch
from armillary.tokens.tokens import Tokens


@dataclass(frozen=True)
class ResNetConfig:
    """Everything that decides the shapes and the input.

    Args:
        card: name in `armillary.models.intake.CARDS` of what the channels are.
        channels: bands that enter.
        depths: bottlenecks of each stage.
        base: channels of the first convolution.
    """

    card: str
    channels: int
    depths: tuple[int, int, int, int] = (3, 4, 6, 3)
    base: int = 64

    @property
    def width(self) -> int:
        """Of the pooled vector."""
        last = self.base << len(self.depths) - 1  # each stage has twice the channels of the one before
        return last * EXPANSION

    @property
    def patch_px(self) -> int:
        """Side of what one vector of the last map stands for; it sees beyond that."""
        return STRIDE_PX


RESNETS: Mapping[str, ResNetConfig] = MappingProxyType(
    {
        "softcon-resnet50-s2": ResNetConfig("softcon-s2-32", 13),
        "softcon-resnet50-s1": ResNetConfig("softcon-s1-32", 2),
        "softcon-resnet50-s2-zscores": ResNetConfig("softcon-s2-32-zscores", 13),
        "softcon-resnet50-s1-zscores": ResNetConfig("softcon-s1-32-zscores", 2),
        "moco-resnet50-s2": ResNetConfig("ssl4eo-s2-reflectance", 13),
        "moco-resnet50-s1": ResNetConfig("softcon-s1-32-zscores", 2),
        "dino-resnet50-s2": ResNetConfig("ssl4eo-s2-reflectance", 13),
        "decur-resnet50-s2": ResNetConfig("ssl4eo-s2-reflectance", 13),
        "decur-resnet50-s1": ResNetConfig("softcon-s1-32-zscores", 2),
        "resnet50-s2-l2a": ResNetConfig("s2-l2a-reflectance", 12),
    }
)
"""Model name -> the configuration that builds it. Those called "-zscores" read what TorchGeo feeds the same weights."""


class ResNet(FixedChannels):
    """A residual network for fixed channels.

    Args:
        config: its shapes.
    """

    config: ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        with torch.device("meta"):
            self.first = nn.Conv2d(config.channels, config.base, 7, stride=2, padding=3, bias=False)
            self.first_norm = BatchNorm(config.base)
            self.trunk = Stages(config.depths, config.base)
        self.working: torch.dtype | None = None
        """Precision of the convolutions while no gradients are wanted; None: that of the weights. See `precision`."""

    def forward(self, batch: Batch) -> Tokens:
        """Every item on its own (in eval mode; while training, BatchNorm sees the batch).

        `pooled` and `cls` are the mean of the last map. `taps` are the maps of the four stages, each in half the size
        and twice the channels of the one before.
        """
        self.check_channels(batch)
        x = torch.nan_to_num(batch.pixels.to(self.first.weight.dtype), nan=0.0, posinf=0.0, neginf=0.0)
        fast = self.working is not None and self.working != x.dtype and not torch.is_grad_enabled()
        with torch.autocast(x.device.type, dtype=self.working or x.dtype, enabled=fast):
            y = max_pool2d(relu(self.first_norm(self.first(x))), 3, stride=2, padding=1)
            maps = tuple(m.to(x.dtype) for m in self.trunk(y))
        pooled = maps[-1].mean(dim=(2, 3), dtype=torch.float32)
        return Tokens(pooled=pooled, cls=pooled, grid=maps[-1], taps=maps)


def random_resnet(config: ResNetConfig, *, seed: int = 0) -> ResNet:
    """An untrained model in eval mode, the same for the same seed: convolutions N(0, 2 / fan out), norms 1 and 0."""
    model = ResNet(config).to_empty(device="cpu")
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=rng)
            if isinstance(module, BatchNorm):
                module.weight.fill_(1.0)
                module.bias.zero_()
                module.running_mean.zero_()
                module.running_var.fill_(1.0)
    return model.eval()


def resnet_of(config: ResNetConfig, state: Mapping[str, Tensor], *, source: str) -> ResNet:
    """A model in eval mode with the values of a file in torchvision's naming, whatever stands before the names.

    Args:
        config: of the zoo.
        state: of the file, by name.
        source: what the file is called, for the refusal.

    Raises:
        WeightsMismatch: with every missing, unexpected and mis-shaped key, and the models that the file may be of.
    """
    names = resnet_names(state)
    model = ResNet(config)
    load_state(model, names, source=source, remedy=_remedy(names))
    return model.eval()


def _remedy(state: Mapping[str, Tensor]) -> str:
    """Which models of the table a file may be of."""
    kernel = state.get("conv1.weight")
    if kernel is None or kernel.ndim != 4:
        return "a file of a ResNet holds conv1.weight, this one does not"
    alike = [name for name, c in RESNETS.items() if (c.base, c.channels) == tuple(kernel.shape[:2])]
    return f"it has {kernel.shape[1]} channels, " + (f"as {', '.join(alike)}" if alike else "as no ResNet of the zoo")
