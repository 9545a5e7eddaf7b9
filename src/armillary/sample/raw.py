"""Raw numbers of Copernicus-Pretrain as samples in the physical unit of their sensor.

Sentinel-2 counts become reflectance and OLCI counts radiance (`Sensor.counts`); Sentinel-1 is dB, a gas mol m-2 and
the DEM metres already. What no sensor measures becomes NaN: numbers that are not finite, the sensor's own no-data
count, and pixels whose bands are all exactly 0 in Sentinel-1 and OLCI (fill of the export and of the warp).
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Shaped

from armillary.earth.window import Window
from armillary.errors import SceneUnreadable
from armillary.sample.normal import convert
from armillary.sample.sample import Sample
from armillary.scene.pretrain.contents import Series, Shot
from armillary.scene.pretrain.names import LAYERS, Spot, count_shift, time_of

ALL_ZERO = ("s1_grd", "s3_olci")
"""Layers in which a pixel of zeros alone was never measured."""


def counts_of(key: str, stored: Shaped[np.ndarray, "*c h w"], origin: Callable[[], str]) -> Float[np.ndarray, "c h w"]:
    """Stored numbers as float32 counts, NaN where there is none.

    Sentinel-2 counts of a shard are unsigned numbers that were cast to int16: they are viewed as what they were.

    Raises:
        SceneUnreadable: another number of bands, or a type that the layer does not have; `origin()` names it.
    """
    layer = LAYERS[key]
    if stored.ndim == 2:
        stored = stored[None]
    if stored.ndim != 3 or stored.shape[0] != layer.bands:
        shape = " x ".join(map(str, stored.shape))
        raise SceneUnreadable(f"{origin()} is {shape}; {key} has {layer.bands} bands, rows and columns")
    if stored.dtype == np.int16 and key == "s2_toa":
        stored = stored.view(np.uint16)
    if stored.dtype.kind not in "fiu":
        raise SceneUnreadable(f"{origin()} holds {stored.dtype}, no numbers of {key}; write the file again")
    counts = stored.astype(np.float32)
    counts[~np.isfinite(counts)] = np.nan
    if layer.fleet.counts is not None and layer.fleet.counts.nodata is not None:
        counts[counts == layer.fleet.counts.nodata] = np.nan
    if key in ALL_ZERO:
        counts[:, (counts == 0).all(axis=0)] = np.nan
    return counts


def values_of(
    key: str, counts: Float[np.ndarray, "c h w"], local: Spot | None, day: str | None
) -> Float[np.ndarray, "c h w"]:
    """Counts in the physical unit of the sensor."""
    sensor = LAYERS[key].fleet
    if sensor.counts is None:
        return counts
    shift = count_shift(local, day) if key == "s2_toa" else 0.0
    values: np.ndarray = convert(torch.from_numpy(counts + np.float32(shift)), sensor, "count", to=sensor.unit).numpy()
    return values


def sample_of(
    key: str,
    stored: Shaped[np.ndarray, "*c h w"],
    window: Window,
    *,
    series: Series,
    shot: Shot,
    origin: Callable[[], str],
) -> Sample:
    """Stored numbers of one shot as a sample."""
    local = series.spot if LAYERS[key].local else None
    values = values_of(key, counts_of(key, stored, origin), local, shot.day)
    return Sample(values, LAYERS[key].fleet, window, time_of(key, shot.day))
