"""Panels of masked pretraining: what the encoder saw, what the decoder made of the rest, and what was there."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from armillary.models.mae import MaskedAutoencoder
from armillary.sample.batch import Batch
from armillary.sample.stream import Draw
from armillary.tokens.mask import mask_random
from armillary.tokens.patch import patchify
from armillary.tokens.unpatch import unpatchify
from armillary.train.kin import Kin, grid_of, kin_of
from armillary.train.objective import Panel
from armillary.train.reconstruct import Targets

COLOURS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {"s2-l1c": ("B04", "B03", "B02"), "s2-l2a": ("B04", "B03", "B02"), "s3-olci": ("Oa08", "Oa06", "Oa04")}
)
"""Sensor -> bands shown as red, green and blue; others show their first band in grey."""

_STRETCH = (2.0, 98.0)
"""Percentiles of the truth that become black and white."""

_HIDDEN_GREY = 0.5


@torch.no_grad()
def reconstruction_panels(mae: MaskedAutoencoder, draw: Draw, targets: Targets, mask_ratio: float) -> tuple[Panel, ...]:
    """One row per sensor of a draw: its first item.

    Where targets are standardised per patch, the true mean and contrast of each patch are put back, as is usual
    (arXiv:2111.06377, fig. 2), so that only the pattern within a patch is the model's.
    """
    rows = []
    seen: set[str] = set()
    for kin in kin_of(draw):
        if kin.sensor.name not in seen and not targets.interleaved:
            seen.add(kin.sensor.name)
            batch = mae.encoder.card.collate(kin.samples[:1]).to(mae.decoder.mask_token.device)
            rows.append(_row(mae, kin, batch, targets, mask_ratio))
    return tuple(rows)


def _row(mae: MaskedAutoencoder, kin: Kin, batch: Batch, targets: Targets, mask_ratio: float) -> Panel:
    rows, columns = grid_of(mae, batch)
    at = mask_random(rows * columns, mask_ratio, kin.seeds[:1]).to(batch.pixels.device)
    rebuilt = mae(batch, at)
    p = batch.patch_px
    truth = patchify(batch.pixels[..., : rows * p, : columns * p], p)
    made = _restored(rebuilt.pixels.float(), truth, targets, len(batch.bands))
    hidden = rebuilt.hidden[..., None]
    filled = torch.where(hidden, made, truth)
    names = [b for b in COLOURS.get(kin.sensor.name, ()) if b in kin.sensor.band_names]
    bands = [kin.sensor.band_names.index(b) for b in names] if len(names) == 3 else [0]
    true, shown = (
        unpatchify(x, p, rows=rows, columns=columns)[0, bands].permute(1, 2, 0).cpu().numpy() for x in (truth, filled)
    )
    mask = unpatchify(hidden.expand(-1, -1, p * p).float(), p, rows=rows, columns=columns)[0, 0].cpu().numpy() > 0
    whole, guess = _stretched(true, true), _stretched(shown, true)
    pictures = {"seen": _without(whole, mask), "rebuilt": guess, "true": whole}
    title = f"{kin.sensor.name} {' '.join(names) if len(bands) == 3 else kin.sensor.band_names[0]}"
    return Panel(title, {name: x if x.shape[-1] == 3 else x[..., 0] for name, x in pictures.items()})


def _restored(
    made: Float[Tensor, "b n p"], truth: Float[Tensor, "b n p"], targets: Targets, c: int
) -> Float[Tensor, "b n p"]:
    """Predicted targets as normalised pixels."""
    if targets.scale == "values":
        return made
    parts = 1 if targets.scale == "patch" else c
    m, t = (rearrange(x, "b n (c q) -> b n c q", c=parts) for x in (made, truth))
    scale = (t.var(dim=-1, keepdim=True) + targets.floor).sqrt()
    restored: Tensor = m * scale + t.mean(dim=-1, keepdim=True)
    return restored.flatten(-2)


def _stretched(x: Float[np.ndarray, "h w c"], like: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    low, high = np.percentile(like, _STRETCH, axis=(0, 1))
    stretched: np.ndarray = np.clip((x - low) / np.maximum(high - low, 1e-6), 0, 1).astype(np.float32)
    return stretched


def _without(x: Float[np.ndarray, "h w c"], mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w c"]:
    shown: np.ndarray = np.where(mask[..., None], np.float32(_HIDDEN_GREY), x)
    return shown
