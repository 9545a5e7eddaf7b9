"""A linear layer that may compute in another precision than that of its weights.

*Working precision*: while no gradients are wanted, the layer multiplies with a copy of its weights, cast to that
precision and, on a CPU with oneDNN, laid out once as the matrix kernel wants it (*packed*) instead of at every call.
The parameters stay what they are, and the copy is dropped when they change (see `recall`).
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from armillary.nn.recall import Recall

PACKED_ROWS = 1024
"""For how many rows of input weights are laid out. Measured: the number does not matter, but it must not vary."""

COPIES_KEPT = 2
"""Copies kept per layer: one per device that weights were moved between."""


class Linear(nn.Linear):
    """x W^T + b; in `working` precision where that is set and no gradients are wanted."""

    def __init__(self, width_in: int, width_out: int, *, bias: bool = True) -> None:
        super().__init__(width_in, width_out, bias=bias)
        self.working: torch.dtype | None = None
        self.copies: Recall[tuple[Tensor, Tensor | None, bool]] = Recall(COPIES_KEPT)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
        """Each row on its own; the result has the working precision, where one is set."""
        if self.working is None or torch.is_grad_enabled():
            return super().forward(x)
        key = (self.working, self.weight.device)
        own = (self.weight,) if self.bias is None else (self.weight, self.bias)
        weight, bias, packed = self.copies.get(key, own, self._copy)
        x = x.to(self.working)
        if packed:
            out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
            return out
        return linear(x, weight, bias)

    def _copy(self) -> tuple[Tensor, Tensor | None, bool]:
        weight = self.weight.to(self.working)
        bias = None if self.bias is None else self.bias.to(self.working)
        if weight.device.type != "cpu" or not can_pack(weight.dtype):
            return weight, bias, False
        return torch.ops.mkldnn._reorder_linear_weight(weight, PACKED_ROWS), bias, True


@lru_cache(maxsize=4)
def can_pack(dtype: torch.dtype) -> bool:
    """Whether this PyTorch on this CPU has oneDNN's packed linear layer. Not public: its compiler uses it."""
    try:
        ops = torch.ops.mkldnn._linear_pointwise, torch.ops.mkldnn._reorder_linear_weight
        bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except AttributeError:
        return False
    x86 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return len(ops) == 2 and x86 and (dtype == torch.float32 or (dtype == torch.bfloat16 and bool(bfloat16)))
