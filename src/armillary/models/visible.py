"""Visible: a model's vector of a batch of which some patches are hidden from it.

A transformer's hidden patches leave no token, which also saves their time. Where tokens see beyond their own patch (a
stem, a convolutional net), hidden pixels are set to 0, the mean of what the model was trained on, as well or instead.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.fomo_net import FoMoNet
from armillary.models.vit import ViT
from armillary.nn.trunk import run_alike
from armillary.sample.batch import Batch
from armillary.tokens.mask import hidden_of, pick

Vector = Literal["pooled", "cls"]

Seen = tuple[Batch, Int[Tensor, "_ _"] | None]
"""A batch and the positions of the patches that are visible, row by row; None: all."""


def vectors(model: nn.Module, several: Sequence[Seen], vector: Vector = "pooled") -> list[Float[Tensor, "_ d"]]:
    """One vector per item for each of several batches, of any sensors; equal lengths share a pass through a trunk.

    Args:
        model: any of the zoo that embeds.
        several: what it sees.
        vector: the mean over visible patches, normed as the model norms it, or the extra token.
    """
    if isinstance(model, CopernicusFM):
        lasts = run_alike(model.trunk, [show(model, *seen)[0] for seen in several])
        return [model.pool(x) if vector == "pooled" else model.cls_norm(x[:, 0].float()) for x in lasts]
    if isinstance(model, ViT):
        before = 1 + model.config.registers
        entered = [_kept(model.position(model.patch(batch.pixels)), at, before) for batch, at in several]
        normed = [model.final_norm(x) for x in run_alike(model.trunk, entered)]
        return [x[:, before:].mean(dim=1, dtype=torch.float32) if vector == "pooled" else x[:, 0] for x in normed]
    if isinstance(model, FoMoNet):
        return [model.pool(model.trunk(_of_bands(*model.enter(batch), at))[-1]) for batch, at in several]
    found = [model(batch if at is None else without_hidden(batch, at)) for batch, at in several]
    return [getattr(tokens, vector) for tokens in found]


def width_of(model: nn.Module) -> int:
    """Length of a model's vectors.

    Raises:
        BadInput: the model does not say.
    """
    width = getattr(getattr(model, "config", None), "width", None)
    if not isinstance(width, int):
        raise BadInput(f"{type(model).__name__} has no config.width, so its vectors cannot be led on; choose another")
    return width


def show(
    encoder: CopernicusFM, batch: Batch, at: Int[Tensor, "b k"] | None
) -> tuple[Float[Tensor, "b m d"], tuple[int, int]]:
    """Tokens of the visible patches as they enter the trunk, the extra one first, and the grid."""
    if at is None:
        return encoder.enter(batch)
    x, grid = encoder.enter(batch if encoder.stem is None else without_hidden(batch, at))
    return _kept(x, at, 1), grid


def without_hidden(batch: Batch, at: Int[Tensor, "b k"]) -> Batch:
    """The batch with 0 for the pixels of hidden patches, and without what lies beyond the last whole patch."""
    p = batch.patch_px
    rows, columns = (n // p for n in batch.pixels.shape[-2:])
    seen = ~hidden_of(rows * columns, at).view(-1, 1, rows, columns)
    whole = batch.pixels[..., : rows * p, : columns * p].nan_to_num(0.0, 0.0, 0.0)
    return replace(batch, pixels=whole * seen.repeat_interleave(p, 2).repeat_interleave(p, 3))


def _of_bands(
    x: Float[Tensor, "b m d"], grid: tuple[int, int], at: Int[Tensor, "b k"] | None
) -> Float[Tensor, "b s d"]:
    """Tokens of single bands without those of hidden patches: what is hidden of one band is hidden of all."""
    if at is None:
        return x
    n = grid[0] * grid[1]
    units = torch.arange(x.shape[1] // n, device=x.device) * n
    return pick(x, (units[None, :, None] + at[:, None]).flatten(1))


def _kept(x: Float[Tensor, "b n d"], at: Int[Tensor, "b k"] | None, before: int) -> Float[Tensor, "b m d"]:
    """Tokens without those of hidden patches; the first `before` are of no patch."""
    return x if at is None else torch.cat((x[:, :before], pick(x[:, before:], at)), dim=1)
