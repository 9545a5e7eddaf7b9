"""Batch: stacked, normalised pixels of one sensor with what is known of each item. The model-level input.

*Views* is what is known of a place: sensor name -> Batch. An absent sensor is an absent key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.bands import Band
from armillary.errors import BandMismatch, OutOfRange

EARTH_KM2 = 5.1e8
"""No token is larger than the Earth."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Items of one sensor, normalised as the model expects.

    Args:
        pixels: float[b c h w], normalised; values that are not finite are read as 0, the mean.
        bands: what each channel is, c of them.
        lonlat: degrees, float[b 2], longitude -180 to 180, latitude -90 to 90; NaN = unknown, per item.
        days: since 1970-01-01, float[b]; NaN = unknown, per item.
        token_km2: ground area of one patch token, float[b]; NaN = unknown, per item.
        patch_px: side of a patch in pixels.

    `lonlat`, `days` and `token_km2` may be None: unknown for every item.

    Raises:
        BandMismatch: channels and bands differ in number.
        OutOfRange: a shape or a number that cannot be.
    """

    pixels: Float[Tensor, "b c h w"]
    bands: tuple[Band, ...]
    lonlat: Float[Tensor, "b 2"] | None = None
    days: Float[Tensor, " b"] | None = None
    token_km2: Float[Tensor, " b"] | None = None
    patch_px: int = 16

    def __post_init__(self) -> None:
        self._check_kinds()
        b, c, h, w = self.pixels.shape
        if c != len(self.bands):
            raise BandMismatch(f"pixels have {c} channels, but {len(self.bands)} bands are given; give one per channel")
        if self.patch_px < 1 or min(h, w) < self.patch_px:
            raise OutOfRange(
                f"a patch of {self.patch_px} px does not fit pixels of {h} x {w}; pad them or choose a smaller patch"
            )
        for name, shape in {"lonlat": (b, 2), "days": (b,), "token_km2": (b,)}.items():
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, torch.full(shape, torch.nan, device=self.pixels.device))
            elif tuple(value.shape) != shape:
                raise OutOfRange(f"{name} has shape {tuple(value.shape)}, a batch of {b} needs {shape}")
        self._check_ranges()

    def _check_kinds(self) -> None:
        """Arrays of numbers become tensors, bands a tuple; what cannot is refused."""
        for name in ("pixels", "lonlat", "days", "token_km2"):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, None if value is None else torch.as_tensor(value))
            except (TypeError, ValueError, RuntimeError) as cause:
                raise OutOfRange(
                    f"{name} holds something else than numbers; give a tensor, nan where unknown"
                ) from cause
        if self.pixels.ndim != 4 or self.pixels.is_complex():
            what = f"{self.pixels.dtype} of shape {tuple(self.pixels.shape)}"
            raise OutOfRange(f"pixels are {what}; give real numbers [item, band, row, column]")
        bands = (self.bands,) if isinstance(self.bands, Band) else tuple(self.bands)
        odd = [b for b in bands if not isinstance(b, Band)]
        if odd or not bands:
            what = repr(odd[0]) if odd else "nothing"
            raise BandMismatch(f"bands hold {what}; give an arm.Spectral or arm.Named for each channel")
        if self.patch_px != int(self.patch_px):
            raise OutOfRange(f"patch_px={self.patch_px} is no whole number of pixels; give one")
        object.__setattr__(self, "bands", bands)
        object.__setattr__(self, "patch_px", int(self.patch_px))

    def _check_ranges(self) -> None:
        assert self.lonlat is not None and self.days is not None and self.token_km2 is not None  # noqa: S101, PT018
        for what, x, low, high, remedy in (
            ("longitude", self.lonlat[:, 0], -180.0, 180.0, "wrap it to -180 to 180 degrees"),
            ("latitude", self.lonlat[:, 1], -90.0, 90.0, "give lonlat as (longitude, latitude)"),
            ("days", self.days, -1e6, 1e6, "give days, not seconds, since 1970-01-01"),
            ("token_km2", self.token_km2, 0.0, EARTH_KM2, "give square kilometres, and nan where unknown"),
        ):
            outside = (x < low) | (x > high)
            if bool(outside.any()):
                raise OutOfRange(f"{what} {float(x[outside][0])} lies outside {low:g} to {high:g}; {remedy}")

    def __len__(self) -> int:
        return int(self.pixels.shape[0])

    def __getitem__(self, items: slice) -> "Batch":
        """Some of the items."""
        assert self.lonlat is not None and self.days is not None and self.token_km2 is not None  # noqa: S101, PT018
        return replace(
            self,
            pixels=self.pixels[items],
            lonlat=self.lonlat[items],
            days=self.days[items],
            token_km2=self.token_km2[items],
        )

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        assert self.lonlat is not None and self.days is not None and self.token_km2 is not None  # noqa: S101, PT018
        return replace(
            self,
            pixels=self.pixels.to(device),
            lonlat=self.lonlat.to(device),
            days=self.days.to(device),
            token_km2=self.token_km2.to(device),
        )


Views = Mapping[str, Batch]
