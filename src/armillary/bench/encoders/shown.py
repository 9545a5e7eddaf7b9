"""How samples are shown to a model as the published protocol does: its statistics, its size, its constant area.

The numbers are a task's `Official`; upstream's batch-wide loss of metadata is not repeated, each item keeps its own.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from armillary.bench.task import Official
from armillary.earth.sensors import Sensor
from armillary.errors import BandMismatch
from armillary.sample.batch import Batch
from armillary.sample.normal import convert
from armillary.sample.sample import Sample

RESIZING: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "bilinear": {"mode": "bilinear", "align_corners": True},
        "cubic": {"mode": "bicubic", "align_corners": False},
    }
)
"""`Official.resize` -> how torch is asked for it."""


def as_published(samples: Sequence[Sample], official: Official, knows: Sequence[str] = ()) -> Batch:
    """Samples of one sensor and one size as the published wrapper hands them to Copernicus-FM.

    Args:
        samples: in the sensor's unit; those of one item beside each other in the order of time.
        official: numbers of the protocol.
        knows: which of "place", "time" and "area" are told; the area is the protocol's constant.

    Raises:
        BandMismatch: statistics and bands differ in number, or samples in size.
    """
    sensor = samples[0].sensor
    x = standardised(samples, official)
    b, _, h, w = x.shape
    if official.side_px is not None and (h, w) != (official.side_px, official.side_px):
        x = interpolate(x, size=(official.side_px, official.side_px), **RESIZING[official.resize])
    nan = float("nan")
    nowhere = (nan, nan)
    places = [nowhere if s.window.crs is None or "place" not in knows else s.window.center for s in samples]
    return Batch(
        pixels=x,
        bands=sensor.bands,
        lonlat=torch.tensor(places, dtype=torch.float32),
        days=torch.tensor([s.days if "time" in knows else nan for s in samples], dtype=torch.float32),
        token_km2=torch.full((b,), official.patch_km2 if "area" in knows else nan),
        patch_px=sensor.patch_px,
    )


def standardised(samples: Sequence[Sample], official: Official) -> Float[Tensor, "b c h w"]:
    """Values in the protocol's unit, clamped, filled, less its mean and over its deviation, at their stored size."""
    sizes = {s.pixels.shape for s in samples}
    if len(sizes) != 1:
        raise BandMismatch(f"samples have the sizes {sorted(sizes)}; show samples of one size together")
    sensor = samples[0].sensor
    x = torch.from_numpy(np.stack([s.pixels for s in samples]).astype(np.float32))
    x = torch.stack([_in_unit(item, sensor, official.unit) for item in x])
    x = torch.where(torch.isfinite(x), x, official.fill)
    if official.clamp is not None:
        x = x.clamp(*official.clamp)
    for numbers, sign in ((official.mean, "means"), (official.std, "deviations")):
        if numbers:
            turns = _turns(numbers, x, sign)
            x = x - turns if sign == "means" else x / turns
    return x


def _turns(numbers: tuple[float, ...], x: Float[Tensor, "b c h w"], what: str) -> Float[Tensor, "b c 1 1"]:
    """One number per sample and band; where there are more numbers than bands, samples take them in turn."""
    b, c = x.shape[:2]
    if len(numbers) % c or b % (len(numbers) // c):
        raise BandMismatch(
            f"the protocol gives {len(numbers)} {what} for {b} samples of {c} bands; give one for each band, or "
            "one for each band of each sample of an item, and whole items"
        )
    return torch.tensor(numbers).view(-1, c).repeat(b * c // len(numbers), 1)[:, :, None, None]


def _in_unit(item: Float[Tensor, "c h w"], sensor: Sensor, unit: str) -> Float[Tensor, "c h w"]:
    """`convert`, and from dB to linear backscatter."""
    if unit == "linear" and sensor.unit == "dB":
        return torch.pow(10.0, item / 10)
    return convert(item, sensor, sensor.unit, to=unit)
