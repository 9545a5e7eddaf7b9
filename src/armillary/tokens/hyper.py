"""The hypernetwork: patch kernels generated from what a band *is* (arXiv:2503.11849, sec. 4.1; DOFA, arXiv:2403.15356).

A *code* is one vector per band: where it lies in the spectrum, or what its name means. All bands of a sensor pass
through one transformer layer together, so that a kernel depends on its neighbours, but not on their order.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from armillary.nn.block import PostNormBlock
from armillary.nn.mlp import ResidualMlp

KERNEL_SCALE = 0.01
"""Kernel and bias are multiplied by this after the kernel has been resized."""

HEADS = 4
HIDDEN = 2048
WEIGHT_TOKENS = 128


class KernelGenerator(nn.Module):
    """Codes of bands to a patch kernel and its bias, before resizing and before `KERNEL_SCALE`.

    Args:
        code_width: of a code.
        width: of a token of the encoder.
        base_px: side of the generated kernel.
        hidden: width of the hidden layer of the transformer layer.
    """

    def __init__(self, code_width: int, width: int, base_px: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.base_px = base_px
        self.weight_tokens = nn.Parameter(torch.empty(WEIGHT_TOKENS, code_width))
        self.bias_token = nn.Parameter(torch.empty(1, code_width))
        self.mix = ResidualMlp(code_width)
        self.layer = PostNormBlock(code_width, HEADS, hidden)
        self.to_kernel = nn.Linear(code_width, base_px * base_px * width)
        self.to_bias = nn.Linear(code_width, width)

    def forward(self, code: Float[Tensor, "c d"]) -> tuple[Float[Tensor, "width c k k"], Float[Tensor, " width"]]:
        """Kernel [width c base_px base_px] and bias [width]."""
        c = code.shape[0]
        z = self.mix(code)
        s = self.layer(torch.cat((self.weight_tokens, z, self.bias_token))[None])[0]
        rows = self.to_kernel(s[WEIGHT_TOKENS : WEIGHT_TOKENS + c] + z)
        kernel = rearrange(rows, "c (i j d) -> d c i j", i=self.base_px, j=self.base_px)
        return kernel.contiguous(), self.to_bias(s[-1])


class SynthesisGenerator(nn.Module):
    """Mixed codes of bands to synthesis kernels: what each band's pixels are made of in the decoder's last layer.

    Args:
        code_width: of a code, which the encoder's generator has mixed already.
        width: of a token of the decoder.
        base_px: side of the generated kernel.
        hidden: width of the hidden layer of the transformer layer.
        bias_token: a token and a layer for a bias that is added nowhere, as upstream has them; codes attend to the
            token, and the layer never learns.
    """

    def __init__(
        self, code_width: int, width: int, base_px: int, hidden: int = HIDDEN, *, bias_token: bool = False
    ) -> None:
        super().__init__()
        self.base_px = base_px
        self.weight_tokens = nn.Parameter(torch.empty(WEIGHT_TOKENS, code_width))
        self.bias_token = nn.Parameter(torch.empty(1, code_width)) if bias_token else None
        self.layer = PostNormBlock(code_width, HEADS, hidden)
        self.to_kernel = nn.Linear(code_width, base_px * base_px * width)
        self.to_bias = nn.Linear(code_width, width) if bias_token else None

    def forward(self, code: Float[Tensor, "c d"]) -> Float[Tensor, "width c k k"]:
        """Kernel [width c base_px base_px], before resizing and scaling."""
        bias = () if self.bias_token is None else (self.bias_token,)
        s = self.layer(torch.cat((self.weight_tokens, code, *bias))[None])[0]
        rows = self.to_kernel(s[WEIGHT_TOKENS : WEIGHT_TOKENS + len(code)] + code)
        kernel: Tensor = rearrange(rows, "c (i j d) -> d c i j", i=self.base_px, j=self.base_px)
        return kernel.contiguous()
