"""Features of labelled items: those without any learning, and those of encoders. Computed once and kept."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.bench.kept import Kept
from armillary.models import descriptors
from armillary.probe.features import Shelf

CACHE = Path.home() / ".cache" / "armillary" / "features"
PLACES = 64
"""Random patches are laid at about so many places per row, however large the pixels."""

CHUNK_PX = 2**17
"""Pixels described at once: random patches make 256 maps of them."""

DRAWN_FROM = 256
"""Items among which random patches are drawn."""

RIDGE, BIAS = 0.001, 0.5
"""Of the random patches."""

Table = Mapping[str, Float[np.ndarray, "n d"]]


def untrained(kept: Kept) -> Table:
    """Name -> features without learning of every item of the set."""
    sensor = kept.labelled.sensor
    table = {
        "band means": _described(kept, "means", lambda: descriptors.band_means),
        "4 statistics per band": _described(kept, "statistics", lambda: descriptors.band_statistics),
        "rich statistics": _described(kept, "rich", lambda: lambda x: descriptors.rich_statistics(x, sensor)),
        "random patches": _described(kept, "random patches", lambda: _bank(kept)),
    }
    both = np.concatenate([table["rich statistics"], table["random patches"]], axis=1)
    return {**table, "rich and patches": both}


def coordinates(lonlat: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Places in degrees as points on the unit sphere."""
    lon, lat = np.deg2rad(lonlat).T
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def harmonics(lonlat: Float[np.ndarray, "n 2"], shelf: Shelf, count: int = 192) -> Float[np.ndarray, "n d"]:
    """Random Fourier features of points on the sphere at three scales: a strong linear model of coordinates alone."""

    def make() -> np.ndarray:
        rng = np.random.default_rng(0)
        turn = np.concatenate([rng.normal(size=(3, count // 3)) * scale for scale in (2.0, 6.0, 18.0)], axis=1)
        angle = coordinates(lonlat) @ turn
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)

    return shelf.get(make, "harmonics", np.ascontiguousarray(lonlat), count, Path(__file__))


def _described(kept: Kept, name: str, build: Callable[[], Callable[[Tensor], Tensor]]) -> Float[np.ndarray, "n d"]:
    def make() -> np.ndarray:
        describe = build()
        return np.concatenate([describe(x).numpy() for x in _chunks(kept)])

    return kept.shelf.get(make, name, kept.key, kept.labelled.sensor.name, Path(descriptors.__file__), RIDGE, BIAS)


def _bank(kept: Kept) -> Callable[[Tensor], Tensor]:
    """Patches drawn from the set itself, without its labels; square roots, which the probes like better than means.

    `RIDGE`, `BIAS` and the root did best on s2_l2a_weak and on the half of eurosat_ms that decisions may see.
    """
    some = next(_stacks(kept, max(1, len(kept) // DRAWN_FROM), DRAWN_FROM))
    rng = torch.Generator().manual_seed(0)
    bank = descriptors.draw_patches(some, kept.labelled.sensor, rng=rng, ridge=RIDGE, bias=BIAS)
    bank = replace(bank, step_px=max(1, kept.pixels.shape[-1] // PLACES))
    return lambda x: bank(x).sqrt()


def _chunks(kept: Kept) -> Iterator[Float[Tensor, "b c h w"]]:
    return _stacks(kept, 1, max(1, CHUNK_PX // int(np.prod(kept.pixels.shape[2:]))))


def _stacks(kept: Kept, every: int, size: int) -> Iterator[Float[Tensor, "b c h w"]]:
    """Pixels of every so manieth item, so many at a time."""
    left = iter(range(0, len(kept), every))
    while items := list(islice(left, size)):
        yield torch.from_numpy(np.asarray(kept.pixels[items], dtype=np.float32))
