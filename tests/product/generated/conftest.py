"""Joint models with random weights, small enough for a test, and synthetic scenes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from armillary.earth.card import card_text, find_sensor
from armillary.earth.window import Window
from armillary.models.cop_gen import COP_GEN, CopGen
from armillary.product.embed import placed

UTM = (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0)
MakeView = Callable[..., xr.DataArray]


def small(name: str) -> CopGen:
    """A joint model of few layers; the parts that are 0 at birth are not, so that what is given matters."""
    model = CopGen(replace(COP_GEN[name], width=16, depth=2, heads=2, ground=4), seed=1).eval()
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=rng))
    return model


@pytest.fixture(scope="session")
def nano() -> CopGen:
    return small("cop-gen-nano")


@pytest.fixture(scope="session")
def thumb() -> CopGen:
    return small("cop-gen-thumb")


@pytest.fixture(scope="session")
def view() -> MakeView:
    """Synthetic scenes: smooth waves with noise, in the sensor's unit."""

    def make(
        sensor: str, shape: tuple[int, int] = (64, 64), *, bands: tuple[str, ...] = (),
        affine: tuple[float, ...] = UTM, crs: str | None = "EPSG:32632", time: str | None = "2022-07-06T08:56:11Z",
    ) -> xr.DataArray:  # fmt: skip
        known = find_sensor(sensor)
        rng = np.random.default_rng(shape[0] * 10007 + shape[1])
        names = bands or known.band_names
        low, high = {"dB": (-20, -5), "m": (-30, 900), "reflectance": (0.02, 0.4)}.get(known.unit, (20, 200))
        row, col = np.mgrid[: shape[0], : shape[1]]
        wave = 0.5 + 0.25 * np.sin(row / 17) + 0.15 * np.cos(col / 23)
        values = np.stack([wave + 0.1 * rng.random(shape) for _ in names]) * (high - low) + low
        if known.name == "land-cover":
            values = rng.choice((1, 2, 5, 11), (1, *shape))
        attrs = {"sensor": sensor, "unit": known.unit, "time": time, "href": None}
        array = xr.DataArray(
            values.astype(np.float32), dims=("band", "y", "x"), coords={"band": list(names)}, attrs=attrs
        )
        if sensor not in ("s1-rtc", "s1-grd", "s2-l1c", "s2-l2a", "dem"):
            array.attrs["sensor_card"] = card_text(known)
        return placed(array, Window.of(shape, affine, crs))

    return make
