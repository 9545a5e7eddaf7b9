from collections.abc import Callable

import numpy as np
import pytest
import torch
import xarray as xr

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import CopernicusFMConfig
from armillary.product.embed import placed

UTM = (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0)
MakeScene = Callable[..., xr.DataArray]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> CopernicusFM:
    """Copernicus-FM with random weights, small enough for a test."""
    config = CopernicusFMConfig(width=24, depth=4, heads=2, taps=(0, 1, 2, 3), sentence_route=True)
    return random_model(config, seed=0, vectors=None).eval()


@pytest.fixture(scope="session")
def make_scene() -> MakeScene:
    """Synthetic scenes: smooth waves with noise, so that no two chips are alike."""

    def make(
        shape: tuple[int, int], *, sensor: str = "s2-l2a", bands: tuple[str, ...] = ("B04", "B03", "B02"),
        affine: tuple[float, ...] = UTM, crs: str | None = "EPSG:32632", time: str | None = "2022-07-06T08:56:11Z",
    ) -> xr.DataArray:  # fmt: skip
        rng = np.random.default_rng(shape[0] * 10007 + shape[1])
        row, col = np.mgrid[: shape[0], : shape[1]]
        low, high = (0.02, 0.4) if sensors[sensor].unit == "reflectance" else (1.0, 900.0)
        wave = 0.5 + 0.25 * np.sin(row / 37) + 0.15 * np.cos(col / 53)
        values = np.stack([wave + 0.1 * rng.random(shape) for _ in bands])
        array = xr.DataArray(
            (low + (high - low) * values).astype(np.float32),
            dims=("band", "y", "x"),
            coords={"band": list(bands)},
            attrs={"sensor": sensor, "unit": sensors[sensor].unit, "time": time, "href": None},
        )
        return placed(array, Window.of(shape, affine, crs))

    return make
