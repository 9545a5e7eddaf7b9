"""Joint diffusion models of the smallest useful size, noise for them, and the layout of a released file."""

from dataclasses import replace

import torch
from torch import Tensor

from armillary.models.cop_gen import CopGen, CopGenConfig, Strand, numbers

SKY = Strand("sky", channels=3, height=8, width=12, patch=4)
GROUND = Strand("ground", channels=2, height=4, width=6, patch=2)
CLASSES = Strand("classes", channels=5, height=8, width=12, patch=2)
SMALL = CopGenConfig((SKY, GROUND, CLASSES, numbers("place")), width=32, depth=4, heads=2)
OWN = replace(SMALL, any_side=True, pre_norm=True, ground=8)


def noise(config: CopGenConfig, items: int = 2, seed: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """Values of every strand, and times."""
    rng = torch.Generator().manual_seed(seed)
    x = {s.name: torch.randn(items, s.channels, s.height, s.width, generator=rng) for s in config.strands}
    return x, torch.rand(items, len(config.strands), generator=rng) * 1000


def lively(config: CopGenConfig, seed: int = 0) -> CopGen:
    """Weights at which every part of the model matters."""
    model = CopGen(config, seed=seed).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(5)
        for p in () if model.ground is None else model.ground.leave.parameters():
            p.normal_(generator=torch.Generator().manual_seed(seed))
    return model


def published(config: CopGenConfig) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a released file, written from the layout's description, not from the model."""
    d, half = config.width, config.depth // 2
    shapes: dict[str, tuple[int, ...]] = {"pos_embed": (1, config.tokens, d), "norm.weight": (d,), "norm.bias": (d,)}
    for i, s in enumerate(config.strands):
        shapes |= {f"patch_embeds.{i}.proj.weight": (d, s.channels, s.patch, s.patch)}
        shapes |= {f"patch_embeds.{i}.proj.bias": (d,), f"decoder_preds.{i}.bias": (s.channels * s.patch**2,)}
        shapes |= {f"decoder_preds.{i}.weight": (s.channels * s.patch**2, d)}
    rows = [f"in_blocks.{i}" for i in range(half)] + ["mid_block"] + [f"out_blocks.{i}" for i in range(half)]
    for row in rows:
        joins = row.startswith("out")
        for norm in ("norm2", "norm3", *(("norm1",) if joins else ())):
            shapes |= {f"{row}.{norm}.weight": (d,), f"{row}.{norm}.bias": (d,)}
        shapes |= {f"{row}.attn.qkv.weight": (3 * d, d)}
        layers = {"attn.proj": (d, d), "mlp.fc1": (4 * d, d), "mlp.fc2": (d, 4 * d)}
        for layer, shape in (layers | ({"skip_linear": (d, 2 * d)} if joins else {})).items():
            shapes |= {f"{row}.{layer}.weight": shape, f"{row}.{layer}.bias": shape[:1]}
    return shapes
