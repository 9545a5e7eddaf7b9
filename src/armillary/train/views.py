"""Views: two looks at one crop, for objectives that ask what stays the same. Cut, turned, and seen through other air.

Pixels and place move together: the middle of a view is found by its crop's Window, and a token's area grows with the
square of the enlargement.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from armillary.earth.bands import Spectral
from armillary.earth.sensors import Sensor, Statistics
from armillary.earth.window import Window
from armillary.sample.batch import Batch

_VIEW, _AIR = 21, 22
"""Last word of a seed."""

RAYLEIGH_NM = 490.0
"""Wavelength at which the strength of the simulated air is given."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ViewConfig:
    """How views differ.

    Args:
        share: least and largest share of a crop's area that a view shows.
        whole: probability that view 0, which is rebuilt and not compared, shows the whole crop, pixel for pixel.
        tokens: patches along each side of a view.
        jitter: standard deviation of a gain and an offset per item, and half of it per band, in standard deviations.
        air: probability that an optical view is seen through simulated air: reflectance of the path falls with
            wavelength to the -4 (molecules) and the -1.3 (haze), and dims what lies below. An augmentation, no
            radiative transfer.
        molecules: largest path reflectance of the first kind at 490 nm.
        haze: of the second.
    """

    share: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(le=1)]] = (0.4, 1.0)
    whole: Annotated[float, Field(ge=0, le=1)] = 0.5
    tokens: Annotated[int, Field(gt=0)] = 4
    jitter: Annotated[float, Field(ge=0)] = 0.05
    air: Annotated[float, Field(ge=0, le=1)] = 0.7
    molecules: Annotated[float, Field(ge=0, lt=1)] = 0.09
    haze: Annotated[float, Field(ge=0, lt=1)] = 0.04


def cut_view(
    batch: Batch, windows: Sequence[Window], seeds: Sequence[int], config: ViewConfig, *, number: int
) -> Batch:
    """A random square of each item, turned and mirrored at random, as `tokens` x `tokens` patches.

    Args:
        batch: whole crops.
        windows: of the crops.
        seeds: one per item.
        config: how.
        number: which view of the item this is; another number is another view.
    """
    assert batch.lonlat is not None and batch.token_km2 is not None  # noqa: S101, PT018
    h, w = batch.pixels.shape[-2:]
    size = config.tokens * batch.patch_px
    maps, middles, scales = [], [], []
    for seed in seeds:
        rng = np.random.default_rng((seed, number, _VIEW))
        share = rng.uniform(*config.share)
        side = float(np.sqrt(1.0 if number == 0 and rng.random() < config.whole else share)) * min(h, w)
        row, col = rng.uniform(0, h - side) + side / 2, rng.uniform(0, w - side) + side / 2
        turn = _turn(int(rng.integers(8)))
        across = np.array([[side / w, 0.0], [0.0, side / h]]) @ turn
        maps.append(np.column_stack([across, [2 * col / w - 1, 2 * row / h - 1]]))
        middles.append((row, col))
        scales.append(side / size)
    theta = torch.from_numpy(np.stack(maps)).to(batch.pixels)
    grid = affine_grid(theta, [len(batch), len(batch.bands), size, size], align_corners=False)
    pixels = grid_sample(batch.pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    known = torch.isfinite(batch.lonlat).all(dim=1).tolist()
    nowhere = (float("nan"), float("nan"))
    lonlat = [
        window.lonlat(*at) if placed else nowhere for window, at, placed in zip(windows, middles, known, strict=True)
    ]
    return replace(
        batch,
        pixels=pixels,
        lonlat=torch.tensor(lonlat).to(batch.lonlat),
        token_km2=batch.token_km2 * torch.tensor(scales).square().to(batch.token_km2),
    )


def through_air(
    batch: Batch,
    sensor: Sensor,
    statistics: Statistics | None,
    seeds: Sequence[int],
    config: ViewConfig,
    *,
    number: int,
) -> Batch:
    """The same items under other light: a gain and an offset each, and for optical sensors other air.

    Without `statistics`, which say what reflectance a normalised number is, the air stays as it is.
    """
    rngs = [np.random.default_rng((seed, number, _AIR)) for seed in seeds]
    c = len(batch.bands)
    drawn = np.stack([np.concatenate([r.standard_normal((2, 1)) + 0.5 * r.standard_normal((2, c))]) for r in rngs])
    gain, offset = (
        torch.from_numpy(config.jitter * d).to(batch.pixels)[:, :, None, None] for d in drawn.swapaxes(0, 1)
    )
    z = batch.pixels
    if statistics is not None and sensor.unit == "reflectance" and all(isinstance(b, Spectral) for b in sensor.bands):
        path = torch.from_numpy(np.stack([_path(r, sensor, config) for r in rngs])).to(z)
        z = _seen_through(z, path, sensor, statistics)
    return replace(batch, pixels=z * (1 + gain) + offset)


def _turn(which: int) -> Float[np.ndarray, "2 2"]:
    """One of the eight ways to turn and mirror a square."""
    quarter = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), which % 4)
    mirrored: np.ndarray = quarter @ np.diag([-1.0, 1.0]) if which >= 4 else quarter
    return mirrored


def _path(rng: np.random.Generator, sensor: Sensor, config: ViewConfig) -> Float[np.ndarray, " c"]:
    """Reflectance that the air itself sends up, per band; all 0 where there is none."""
    nm = np.array([b.center_nm for b in sensor.bands if isinstance(b, Spectral)]) / RAYLEIGH_NM
    on, molecules, haze = rng.random() < config.air, rng.random(), rng.random()
    path: np.ndarray = on * (molecules * config.molecules * nm**-4.0 + haze * config.haze * nm**-1.3)
    return path


def _seen_through(
    z: Float[Tensor, "b c h w"], path: Float[Tensor, "b c"], sensor: Sensor, statistics: Statistics
) -> Float[Tensor, "b c h w"]:
    """Reflectance x becomes (1 - 1.2 path) x + path, in normalised numbers."""
    unit = sensor.counts.scale[0] if statistics.unit == "count" and sensor.counts is not None else 1.0
    mean = torch.tensor(statistics.mean).to(z)[:, None, None] * unit
    std = torch.tensor(statistics.std).to(z)[:, None, None] * unit
    path = path[:, :, None, None]
    through = 1 - (1.2 * path).clamp(max=0.5)
    return (through * (z * std + mean) + path - mean) / std
