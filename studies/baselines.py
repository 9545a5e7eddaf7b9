"""Features of labelled sets without any learning, computed once and kept."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.bench.kept import Kept
from armillary.models import descriptors

CACHE = Path.home() / ".cache" / "armillary" / "features"
CHUNK = 32


def untrained(kept: Kept) -> Mapping[str, Float[np.ndarray, "n d"]]:
    """Name -> features of every item of the set."""
    sensor = kept.labelled.sensor
    table = {
        "band means": _described(kept, "means", descriptors.band_means),
        "4 statistics per band": _described(kept, "statistics", descriptors.band_statistics),
        "rich statistics": _described(kept, "rich", lambda x: descriptors.rich_statistics(x, sensor)),
        "random patches": _random_patches(kept),
    }
    both = np.concatenate([table["rich statistics"], table["random patches"]], axis=1)
    return {**table, "rich and patches": both}


def _described(kept: Kept, name: str, describe: Callable[[Tensor], Tensor]) -> Float[np.ndarray, "n d"]:
    return kept.shelf.get(
        lambda: np.concatenate([describe(torch.from_numpy(np.array(x))).numpy() for x in _chunks(kept)]),
        name,
        kept.key,
        Path(descriptors.__file__),
    )


def _random_patches(kept: Kept) -> Float[np.ndarray, "n d"]:
    """Patches are drawn from the set itself, without its labels."""
    drawn = []

    def describe(x: Tensor) -> Tensor:
        if not drawn:
            some = torch.from_numpy(np.array(kept.pixels[:: max(1, len(kept) // 256)]))
            drawn.append(descriptors.draw_patches(some, kept.labelled.sensor, rng=torch.Generator().manual_seed(0)))
        return drawn[0](x)

    return _described(kept, "random patches", describe)


def _chunks(kept: Kept) -> list[Float[np.ndarray, "b c h w"]]:
    return [kept.pixels[i : i + CHUNK] for i in range(0, len(kept), CHUNK)]
