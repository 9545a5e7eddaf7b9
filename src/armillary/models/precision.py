"""Precision: in which type of numbers a model multiplies, as a choice of the user.

- "float32" is exact: the published numbers to 1e-5.
- "bfloat16" rounds the factors of every product of the trunk and of the patch convolution to 8 bits of mantissa.
  Sums between blocks, norms, place, area, time and kernel generators stay in float32 (Fourier phases in float64). It
  is worth about 2 times the speed on AVX512-BF16 and 4 times on AMX; docs/speed.md has the measured error.
- "auto" is bfloat16 where the hardware multiplies it natively and that was found to be faster, else float32. It asks
  the hardware, it measures nothing: one machine always gives one answer. Write `resolve`'s answer into a receipt.

What says so is PyTorch's public interface: `torch.cpu.get_capabilities` and `torch.cuda.is_bf16_supported`.
"""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeVar

import torch

from armillary.errors import BadInput
from armillary.models.cop_gen import CopGen
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.fomo_net import FoMoNet
from armillary.models.resnet import ResNet
from armillary.models.vit import ViT
from armillary.nn.linear import Linear

Precision = Literal["float32", "bfloat16", "auto"]
Resolved = Literal["float32", "bfloat16"]
Castable = CopernicusFM | ViT | ResNet | FoMoNet | CopGen
M = TypeVar("M", bound=Castable)

DTYPES: Mapping[Resolved, torch.dtype] = MappingProxyType({"float32": torch.float32, "bfloat16": torch.bfloat16})

NATIVE_BFLOAT16 = ("amx_bf16", "avx512_bf16")
"""Capabilities of a CPU with which bfloat16 is faster. ARM's are left out: nobody has measured them here."""


def resolve(precision: str, device: torch.device | str = "cpu") -> Resolved:
    """The precision that a choice means on a device; a choice is one of `Precision`.

    Example:
        >>> resolve("float32")
        'float32'
    """
    for known in DTYPES:
        if precision == known:
            return known
    if precision != "auto":
        raise BadInput(f"precision={precision!r} was asked; it is {', '.join(map(repr, DTYPES))} or 'auto'")
    return "bfloat16" if _has_native_bfloat16(torch.device(device)) else "float32"


def cast(model: M, precision: str) -> M:
    """The same model, computing in another precision; the one given is left as it is.

    Both share their parameters, so a change of one in place is seen by the other. Gradients, where they are wanted,
    are computed as without a cast. The products' weights are held a second time, cast and packed: at the base size
    0.17 GB in bfloat16, 0.34 GB in float32.

    Example:
        >>> from armillary.models.zoo import load_encoder
        >>> fast = cast(load_encoder("copernicus-fm-small", weights=None), "auto")
    """
    dtype = DTYPES[resolve(precision, next(model.parameters()).device)]
    vectors = model.vectors.values() if isinstance(model, CopernicusFM) else ()
    shared: dict[int, object] = {id(t): t for t in (*model.parameters(), *model.buffers(), *vectors)}
    other = copy.deepcopy(model, shared)
    other.working = dtype
    for layer in other.trunk.modules():
        if isinstance(layer, Linear):
            layer.working = dtype
    return other


def precision_of(model: object) -> Resolved:
    """In which precision a model multiplies, for a receipt; "float32" for a model that cannot be cast."""
    return "bfloat16" if isinstance(model, Castable) and model.working == torch.bfloat16 else "float32"


def _has_native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    found = torch.cpu.get_capabilities()
    return any(bool(found.get(name, False)) for name in NATIVE_BFLOAT16)
