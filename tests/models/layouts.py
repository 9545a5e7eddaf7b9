"""Synthetic weight files of ViTs: keys and shapes as published, values that are noise or take no memory."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


def published(width: int, depth: int, *, channels: int = 3, side: int = 37, registers: int = 0) -> Shapes:
    """Keys and shapes of a file in DINOv2's layout (patches of 14 px, mlp ratio 4, qkv bias, LayerScale)."""
    d = width
    shapes: Shapes = {
        "cls_token": (1, 1, d),
        "pos_embed": (1, 1 + side**2, d),
        "mask_token": (1, d),
        "patch_embed.proj.weight": (d, channels, 14, 14),
        "patch_embed.proj.bias": (d,),
        "norm.weight": (d,),
        "norm.bias": (d,),
    }
    if registers:
        shapes["register_tokens"] = (1, registers, d)
    for i in range(depth):
        for layer, rows, columns in (
            ("attn.qkv", 3 * d, d),
            ("attn.proj", d, d),
            ("mlp.fc1", 4 * d, d),
            ("mlp.fc2", d, 4 * d),
        ):
            shapes |= {f"blocks.{i}.{layer}.weight": (rows, columns), f"blocks.{i}.{layer}.bias": (rows,)}
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{norm}.weight": (d,), f"blocks.{i}.{norm}.bias": (d,)}
        shapes |= {f"blocks.{i}.ls1.gamma": (d,), f"blocks.{i}.ls2.gamma": (d,)}
    return shapes


def weightless(shapes: Shapes) -> dict[str, Tensor]:
    """Tensors of these shapes that hold one number each, however large they look."""
    return {k: torch.zeros(()).expand(shape) for k, shape in shapes.items()}


def noisy(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Noise of a size at which every part of the model matters."""
    rng = torch.Generator().manual_seed(seed)
    sizes = {1: 0.3, 2: 0.3, 3: 1.0, 4: 0.04}  # by number of axes: vectors, matrices, tokens and table, patch kernel
    return {k: torch.randn(shape, generator=rng) * sizes[len(shape)] for k, shape in shapes.items()}


def as_timm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights as timm holds them: no mask token, and with registers no position of the extra token."""
    out = {k: v for k, v in state.items() if k != "mask_token"}
    if "register_tokens" in out:
        out["reg_token"] = out.pop("register_tokens")
        out["cls_token"] = out["cls_token"] + out["pos_embed"][:, :1]
        out["pos_embed"] = out["pos_embed"][:, 1:]
    return out


def in_chunks(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with the blocks in chunks of one, as a training checkpoint may hold them."""
    return {re.sub(r"^blocks\.(\d+)\.", r"blocks.\1.\1.", k): v for k, v in state.items()}
