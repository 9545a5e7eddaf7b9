"""Batch: stacked, normalised pixels of one sensor with what is known of each item. The model-level input.

*Views* is what is known of a place: sensor name -> Batch. An absent sensor is an absent key.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.bands import Band
from armillary.errors import BandMismatch, OutOfRange


@dataclass(frozen=True, eq=False)
class Batch:
    """Items of one sensor, normalised as the model expects.

    Args:
        pixels: float[b c h w], normalised; values that are not finite are read as 0, the mean.
        bands: what each channel is, c of them.
        lonlat: degrees, float[b 2]; NaN = unknown, per item.
        days: since 1970-01-01, float[b]; NaN = unknown, per item.
        token_km2: ground area of one patch token, float[b]; NaN = unknown, per item.
        patch_px: side of a patch in pixels.

    `lonlat`, `days` and `token_km2` may be None: unknown for every item.
    """

    pixels: Float[Tensor, "b c h w"]
    bands: tuple[Band, ...]
    lonlat: Float[Tensor, "b 2"] | None = None
    days: Float[Tensor, "b"] | None = None
    token_km2: Float[Tensor, "b"] | None = None
    patch_px: int = 16

    def __post_init__(self) -> None:
        object.__setattr__(self, "bands", tuple(self.bands))
        b, c, h, w = self.pixels.shape
        if c != len(self.bands):
            raise BandMismatch(f"pixels have {c} channels, {len(self.bands)} bands are given; give one band per channel")
        if self.patch_px < 1 or min(h, w) < self.patch_px:
            raise OutOfRange(f"a patch of {self.patch_px} px does not fit pixels of {h} x {w}; pad them or choose a smaller patch")
        for name, shape in {"lonlat": (b, 2), "days": (b,), "token_km2": (b,)}.items():
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, torch.full(shape, torch.nan))
            elif tuple(value.shape) != shape:
                raise OutOfRange(f"{name} has shape {tuple(value.shape)}, a batch of {b} needs {shape}")

    def __len__(self) -> int:
        return int(self.pixels.shape[0])


Views = Mapping[str, Batch]
