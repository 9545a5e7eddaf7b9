"""Residual networks of bottlenecks (arXiv:1512.03385), with the stride in the 3 x 3 convolution, as torchvision has it.

BatchNorm has no counter of batches: nothing reads it, and old weight files lack it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import batch_norm, relu

EXPANSION = 4
"""Channels that leave a bottleneck, in widths of its middle."""

NORM_EPS, NORM_MOMENTUM = 1e-5, 0.1


class BatchNorm(nn.Module):
    """Each channel standardised: by the batch while training, by running moments otherwise.

    Args:
        width: channels.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """In its own precision."""
        return batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training,
            momentum=NORM_MOMENTUM,
            eps=NORM_EPS,
        )


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1, each with a norm, added to what came in.

    Args:
        width_in: channels that enter.
        width: channels in the middle; four times as many leave.
        stride: of the 3 x 3 convolution.
    """

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        out = EXPANSION * width
        self.conv1 = nn.Conv2d(width_in, width, 1, bias=False)
        self.bn1 = BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = BatchNorm(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = BatchNorm(out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(width_in, out, 1, stride=stride, bias=False), BatchNorm(out))
            if stride > 1 or width_in != out
            else None
        )

    def forward(self, x: Float[Tensor, "b _c _h _w"]) -> Float[Tensor, "b _d _k _m"]:
        """One block further."""
        y = relu(self.bn1(self.conv1(x)))
        y = relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class Stages(nn.Module):
    """Four stages of bottlenecks; each but the first halves the map and doubles the channels.

    Args:
        depths: bottlenecks of each stage.
        width: of the middle of the first stage's.
    """

    def __init__(self, depths: Sequence[int], width: int) -> None:
        super().__init__()
        stages, width_in = [], width
        for i, depth in enumerate(depths):
            middle = width * 2**i
            strides = (1 if i == 0 else 2, *(1,) * (depth - 1))
            blocks = []
            for stride in strides:
                blocks.append(Bottleneck(width_in, middle, stride))
                width_in = EXPANSION * middle
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Float[Tensor, "b d h w"]) -> tuple[Float[Tensor, "b _d _h _w"], ...]:
        """The map after each stage."""
        out = []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return tuple(out)
