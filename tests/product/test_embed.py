import copy
import subprocess
import sys
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
import torch
import xarray as xr

import armillary as arm
from armillary.errors import BadInput, EmptyScene, OutOfRange
from armillary.models.copernicus_fm import CopernicusFM
from armillary.product.strips import plan_of, strips

MakeScene = Callable[..., xr.DataArray]


def test_the_map_has_one_token_per_patch_from_the_same_corner(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    scene = make_scene((320, 480))
    grid = arm.embed(scene, model=tiny, output="grid")
    assert grid.dims == ("embedding", "y", "x")
    assert grid.shape == (24, 20, 30)
    assert str(grid.rio.crs) == "EPSG:32632"
    assert grid.rio.bounds() == scene.rio.bounds()
    assert grid.rio.resolution() == (160, -160)


def test_a_smaller_patch_makes_a_denser_map_of_the_same_ground(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    scene = make_scene((96, 128))
    grid = arm.embed(scene, model=tiny, output="grid", patch_px=8)
    assert grid.shape == (24, 12, 16)
    assert grid.rio.resolution() == (80, -80)
    with pytest.raises(OutOfRange, match="takes 1 to 224"):
        arm.embed(scene, model=tiny, patch_px=225)


def test_a_scene_of_one_chip_is_what_the_model_says(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    scene = make_scene((224, 224))
    plan = plan_of(scene)
    lon, lat = plan.window.center
    batch = tiny.batch(
        scene.values[None], plan.sensor, lonlat=(lon, lat), days=plan.days, gsd_m=plan.window.gsd_m, unit="reflectance"
    )
    with torch.inference_mode():
        tokens = tiny(batch)
    grid, pooled = (arm.embed(scene, model=tiny, output=o) for o in ("grid", "pooled"))
    np.testing.assert_allclose(grid.values, tokens.grid[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(pooled.values, tokens.pooled[0].numpy(), atol=1e-5)


def test_the_model_hears_the_centre_area_and_day_of_each_chip(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    heard: list[arm.Batch] = []

    class Listener:
        batch = staticmethod(tiny.batch)

        def __call__(self, batch: arm.Batch) -> arm.Tokens:
            heard.append(batch)
            return tiny(batch)

    degree = (0.0001, 0.0, 10.0, 0.0, -0.0001, 60.0)
    scene = make_scene((400, 224), affine=degree, crs="EPSG:4326")
    arm.embed(scene, model=Listener(), output="grid")
    lonlat = torch.cat([b.lonlat for b in heard])
    torch.testing.assert_close(lonlat[:, 0], torch.full((2,), 10.0112), atol=1e-4, rtol=0)
    torch.testing.assert_close(lonlat[:, 1], torch.tensor([59.9888, 59.9712]), atol=1e-4, rtol=0)
    km2 = (16 * 0.0001 * 111.4) ** 2 * 0.5  # cos 60 degrees
    torch.testing.assert_close(torch.cat([b.token_km2 for b in heard]), torch.full((2,), km2), rtol=5e-3, atol=0)
    assert float(heard[0].days[0]) == pytest.approx(19179.3723, abs=1e-3)


def test_a_scene_without_crs_or_time_is_embedded_with_both_unknown(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    scene = make_scene((224, 224), crs=None, time=None)
    grid = arm.embed(scene, model=tiny, output="grid")
    assert grid.rio.crs is None
    assert np.isfinite(grid.values).all()
    placed = arm.embed(make_scene((224, 224)), model=tiny, output="grid")
    assert not np.allclose(grid.values, placed.values)


def test_tokens_without_a_valid_pixel_are_nan_and_only_they(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    scene = make_scene((500, 500))
    scene[:, :300, :] = np.nan
    scene[:, 299, 40] = 0.2
    grid = arm.embed(scene, model=tiny, output="grid").values
    seen = np.isfinite(grid).all(axis=0)
    assert not seen[:18].any()
    assert np.flatnonzero(seen[18]).tolist() == list(range(32))
    assert seen[19:].all()


def test_an_empty_scene_is_refused_in_words(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    scene = make_scene((300, 300)) * np.nan
    with pytest.raises(EmptyScene, match="300 x 300 px holds not one valid pixel"):
        arm.embed(scene.assign_attrs(sensor="s2-l2a"), model=tiny)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (17, 3), (225, 223)])
def test_scenes_of_any_size_are_embedded(tiny: CopernicusFM, make_scene: MakeScene, shape: tuple[int, int]) -> None:
    grid = arm.embed(make_scene(shape), model=tiny, output="grid")
    assert grid.shape[1:] == tuple(-(-n // 16) for n in shape)
    assert np.isfinite(grid.values).all()


def test_a_mapping_gives_one_result_per_sensor(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    dem = make_scene((960, 960), sensor="dem", bands=("DEM",), affine=(30.0, 0.0, 5e5, 0.0, -30.0, 5.2e6))
    both = arm.embed({"s2-l2a": make_scene((224, 224)), "dem": dem}, model=tiny, output="grid")
    assert {k: v.shape for k, v in both.items()} == {"s2-l2a": (24, 14, 14), "dem": (24, 15, 15)}


def test_a_batch_gives_plain_tensors(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    batch = tiny.batch(make_scene((64, 96)).values[None], "s2-l2a", ("B04", "B03", "B02"))
    assert arm.embed(batch, model=tiny, output="grid").shape == (1, 24, 4, 6)
    assert arm.embed({"s2-l2a": batch}, model=tiny)["s2-l2a"].shape == (1, 24)


def test_an_unknown_output_is_refused(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    with pytest.raises(BadInput, match="'pooled' or 'grid'"):
        arm.embed(make_scene((32, 32)), model=tiny, output="dense")


def test_a_ground_size_far_from_the_sensors_own_is_told(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    coarse = make_scene((64, 64), affine=(60.0, 0.0, 5e5, 0.0, -60.0, 5.2e6))
    with pytest.warns(UserWarning, match="pixels are 60.* m here, s2-l2a is usually 10 m"):
        arm.embed(coarse, model=tiny)


def test_going_on_from_any_strip_gives_the_same_rows(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    scene = make_scene((900, 300))
    plan = plan_of(scene, batch=3)
    kept = [(s.rows, s.grid.copy(), copy.deepcopy(s.open)) for s in strips(scene, tiny, plan)]
    assert len(kept) > 2
    for i, (_, _, state) in enumerate(kept[:-1]):
        again = list(strips(scene, tiny, plan, state))
        assert [s.rows for s in again] == [rows for rows, _, _ in kept[i + 1 :]]
        for strip, (_, grid, _) in zip(again, kept[i + 1 :], strict=True):
            assert strip.grid.tobytes() == grid.tobytes()


@pytest.mark.parametrize("time", ["2022-07-06", "2022-07-06T00:00:00", np.datetime64("2022-07-06"), date(2022, 7, 6)])
def test_a_time_that_a_caller_writes_is_understood(make_scene: MakeScene, time: object) -> None:
    assert plan_of(make_scene((32, 32)).assign_attrs(time=time)).days == 19179.0


def test_a_time_that_is_none_is_refused_in_words(make_scene: MakeScene) -> None:
    with pytest.raises(BadInput, match="'summer' is no time"):
        plan_of(make_scene((32, 32)).assign_attrs(time="summer"))


def test_a_cut_that_leaves_no_pixel_is_refused_in_words(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    with pytest.raises(EmptyScene, match="not one pixel"):
        arm.embed(make_scene((32, 32))[:, :0], model=tiny)


def test_in_bfloat16_too_the_map_is_the_same_for_every_tile(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    maps = (
        arm.embed(make_scene((300, 400)), model=tiny, output="grid", precision="bfloat16", tile=t, workers=w)
        for t, w in ((64, 1), (4096, 3))
    )
    assert len({m.values.tobytes() for m in maps}) == 1


WRONG_MODELS = """
import numpy as np, torch, xarray as xr
import armillary as arm
from armillary.errors import BadInput
for model in (None, 3, torch.nn.Linear(2, 2)):
    try:
        arm.embed(xr.DataArray(np.zeros((1, 2, 2))), model=model)
    except BadInput as said:
        print(said)
"""


def test_what_is_no_model_is_refused() -> None:
    """In a process of its own, where no type checker speaks first."""
    done = subprocess.run([sys.executable, "-c", WRONG_MODELS], capture_output=True, text=True, check=True)
    assert [line.split(" was given")[0] for line in done.stdout.splitlines()] == [
        "model=None",
        "model=3",
        "model=Linear(in_features=2, out_features=2, bias=True)",
    ]


def test_an_array_of_another_sensor_than_its_key_is_refused(tiny: CopernicusFM, make_scene: MakeScene) -> None:
    with pytest.raises(BadInput, match="s1-grd was promised and the array is of s2-l2a"):
        arm.embed({"s1-grd": make_scene((32, 32))}, model=tiny)
