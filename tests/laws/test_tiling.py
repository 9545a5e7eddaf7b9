"""Law 18: a map is the same for every tiling."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import armillary as arm
from armillary.earth.window import Window
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import CopernicusFMConfig
from armillary.product.embed import placed

DEMO = Path(arm.__file__).parent / "data" / "demo"


@pytest.fixture(scope="module")
def tiny() -> CopernicusFM:
    torch.set_num_threads(1)
    return random_model(CopernicusFMConfig(width=24, depth=4, heads=2, taps=(0, 1, 2, 3)), seed=0, vectors=None).eval()


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    """A real crop beside itself, turned: 523 x 611 px with a hole, so that no edge falls on a patch."""
    with pytest.warns(UserWarning, match="s2_l2a_serengeti"):
        crop = arm.open(DEMO / "s2_l2a_serengeti.tif").values
    row = np.concatenate([crop, crop[:, ::-1], crop.transpose(0, 2, 1)], axis=2)
    values = np.concatenate([row, row[:, :, ::-1], row], axis=1)[:, :523, :611].copy()
    values[:, 100:420, 200:330] = np.nan
    array = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={"band": list(arm.sensors["s2-l2a"].band_names)},
        attrs={"sensor": "s2-l2a", "unit": "reflectance", "time": "2022-07-06T08:56:11Z"},
    )
    return placed(array, Window.of((523, 611), (10.0, 0.0, 7e5, 0.0, -10.0, 9.7e6), "EPSG:32736"))


@pytest.mark.parametrize(("tile", "workers"), [(512, 1), (64, 1), (100, 2), (256, 2), (4096, 3)])
def test_a_map_is_bit_identical_for_every_tile_size_and_worker_count(
    tiny: CopernicusFM, scene: xr.DataArray, tile: int, workers: int
) -> None:
    plain = arm.embed(scene, model=tiny, output="grid", tile=256, workers=1)
    other = arm.embed(scene, model=tiny, output="grid", tile=tile, workers=workers)
    assert plain.values.tobytes() == other.values.tobytes()
    assert plain.rio.transform() == other.rio.transform()


@pytest.mark.parametrize(("tile", "workers"), [(64, 1), (100, 2), (4096, 3)])
def test_a_map_of_the_model_that_ships_is_bit_identical_for_every_tile_size(
    scene: xr.DataArray, tile: int, workers: int
) -> None:
    nano, part = arm.load_model("copernicus-fm-nano"), scene[:, 90:430, 100:460]
    plain = arm.embed(part, model=nano, output="grid", tile=256, workers=1)
    other = arm.embed(part, model=nano, output="grid", tile=tile, workers=workers)
    assert isinstance(plain, xr.DataArray)
    assert isinstance(other, xr.DataArray)
    assert plain.values.tobytes() == other.values.tobytes()


def test_where_one_chip_covers_a_token_it_is_what_the_model_says(tiny: CopernicusFM, scene: xr.DataArray) -> None:
    chip = scene[:, :224, :224]
    whole = arm.embed(scene, model=tiny, output="grid", batch=1)
    alone = arm.embed(chip, model=tiny, output="grid", batch=1)
    assert np.array_equal(whole.values[:, :11, :11], alone.values[:, :11, :11])
