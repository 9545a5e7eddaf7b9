"""A synthetic weight file of FoMo-Net_1: keys and shapes as published, values that take no memory or are noise."""

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


def published(width: int = 768, depth: int = 12, *, heads: int = 12, hidden: int = 2048, side: int = 4) -> Shapes:
    """Written down from the published class: a linear layer of queries, keys, values without bias, heads of 64."""
    d, inner = width, 64 * heads
    shapes: Shapes = {
        "pos_embedding": (1, side**2 + 1, d),
        "spectral_embedding": (1, 38, d),
        "cls_token": (1, 1, d),
        "to_patch_embedding.1.weight": (256,),
        "to_patch_embedding.1.bias": (256,),
        "to_patch_embedding.2.weight": (d, 256),
        "to_patch_embedding.2.bias": (d,),
        "to_patch_embedding.3.weight": (d,),
        "to_patch_embedding.3.bias": (d,),
        "transformer.norm.weight": (d,),
        "transformer.norm.bias": (d,),
        "mlp_head.weight": (1000, d),
        "mlp_head.bias": (1000,),
    }
    for i in range(depth):
        layer = f"transformer.layers.{i}"
        shapes |= {
            f"{layer}.0.norm.weight": (d,),
            f"{layer}.0.norm.bias": (d,),
            f"{layer}.0.to_qkv.weight": (3 * inner, d),
            f"{layer}.0.to_out.0.weight": (d, inner),
            f"{layer}.0.to_out.0.bias": (d,),
            f"{layer}.1.net.0.weight": (d,),
            f"{layer}.1.net.0.bias": (d,),
            f"{layer}.1.net.1.weight": (hidden, d),
            f"{layer}.1.net.1.bias": (hidden,),
            f"{layer}.1.net.4.weight": (d, hidden),
            f"{layer}.1.net.4.bias": (d,),
        }
    return shapes


def noisy(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Noise of a size at which every part of the model matters."""
    rng = torch.Generator().manual_seed(seed)
    sizes = {1: 0.5, 2: 0.1, 3: 1.0}
    return {
        k: torch.randn(shape, generator=rng, dtype=torch.float64) * sizes[len(shape)] for k, shape in shapes.items()
    }


def forward(state: dict[str, Tensor], pixels: Tensor, ids: tuple[int, ...], *, heads: int) -> Tensor:
    """The published computation, written anew in plain steps and double precision: tokens after the last norm."""

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]

    def linear(x: Tensor, name: str) -> Tensor:
        y = x @ state[f"{name}.weight"].T
        return y + state[f"{name}.bias"] if f"{name}.bias" in state else y

    tokens = []
    for at, i in enumerate(ids):
        cut = torch.nn.functional.unfold(pixels[:, at : at + 1], 16, stride=16).transpose(1, 2)
        one = norm(linear(norm(cut, "to_patch_embedding.1"), "to_patch_embedding.2"), "to_patch_embedding.3")
        tokens.append(one + state["spectral_embedding"][:, i] + state["pos_embedding"][:, 1 : cut.shape[1] + 1])
    x = torch.cat(tokens, dim=1)
    for layer in sorted({k.split(".")[2] for k in state if k.startswith("transformer.layers.")}, key=int):
        name = f"transformer.layers.{layer}"
        q, k, v = linear(norm(x, f"{name}.0.norm"), f"{name}.0.to_qkv").chunk(3, dim=-1)
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        mixed = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1) @ v
        x = x + linear(mixed.transpose(1, 2).flatten(2), f"{name}.0.to_out.0")
        hidden = torch.nn.functional.gelu(linear(norm(x, f"{name}.1.net.0"), f"{name}.1.net.1"))
        x = x + linear(hidden, f"{name}.1.net.4")
    return norm(x, "transformer.norm")
