import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr
from PIL import Image

import armillary as arm
from armillary.errors import EmptyScene, OutOfRange, OutputRefused, PlaceUnknown
from armillary.models.cop_gen import CopGen
from armillary.product.generated.menu import menu_of
from armillary.product.generated.plan import How, Plan, plan_of
from armillary.product.generated.sheet import paint
from armillary.product.generated.write import Order, write
from armillary.product.receipt import ModelFacts
from armillary.product.write import Step

MakeView = Callable[..., xr.DataArray]
HOW = How(steps=2)
PLAIN = np.full((1, 20, 20), 100.0, np.float32)


def planned(x: xr.DataArray, model: CopGen, to: tuple[str, ...] = ("dem", "land-cover"), samples: int = 3) -> Plan:
    return plan_of(x, to, menu_of(model), samples, 7, HOW)


def run(plan: Plan, model: CopGen, order: Order) -> list[Step]:
    return list(write(plan, model, order, ModelFacts.of(model, "tiny", "random")))


@pytest.fixture(scope="module")
def scene(view: MakeView) -> xr.DataArray:
    x = view("s1-rtc", (150, 100)).copy()
    x[:, 20:30, 40:60] = np.nan
    return x


@pytest.fixture(scope="module")
def made(scene: xr.DataArray, nano: CopGen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("Größe 图") / "out"
    run(planned(scene, nano), nano, Order(out, "szene"))
    return out


def test_the_folder_holds_every_product_and_nothing_else(made: Path) -> None:
    samples = [f"{s}.sample-{i}.tif" for s in ("dem", "land-cover") for i in range(3)]
    both = ["dem.mean.tif", "dem.spread.tif", "land-cover.most-frequent.tif", "land-cover.disagreement.tif"]
    ends = [*samples, *both, "valid.tif", "sheet.png", "json"]
    assert {p.name for p in made.iterdir()} == {f"szene.{e}" for e in ends} | {"model.json", "receipt.json"}


def test_files_hold_the_values_of_arm_generate(made: Path, scene: xr.DataArray, nano: CopGen) -> None:
    ask = {"to": ["dem", "land-cover"], "model": nano, "samples": 3, "seed": 7, "steps": 2}
    memory, both = arm.generate(scene, **ask), arm.generate(scene, spread=True, **ask)
    for i in range(3):
        with rasterio.open(made / f"szene.dem.sample-{i}.tif") as file:
            assert file.read().tobytes() == memory["dem"].values[i].tobytes()
        with rasterio.open(made / f"szene.land-cover.sample-{i}.tif") as file:
            assert file.dtypes == ("uint8",)
            np.testing.assert_array_equal(file.read(), np.nan_to_num(memory["land-cover"].values[i]))
    for sensor, names in (("dem", ("mean", "spread")), ("land-cover", ("most-frequent", "disagreement"))):
        for i, name in enumerate(names):
            with rasterio.open(made / f"szene.{sensor}.{name}.tif") as file:
                found = file.read(masked=True).astype("float32").filled(np.nan)
                np.testing.assert_array_equal(found, both[sensor].values[i])


def test_files_lie_where_the_scene_does_and_say_that_they_are_synthetic(made: Path, scene: xr.DataArray) -> None:
    for path in made.glob("*.tif"):
        with rasterio.open(path) as file:
            assert (file.height, file.width) == scene.shape[1:]
            assert file.transform == scene.rio.transform()
            assert file.crs == scene.rio.crs
            tags = file.tags()
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (tags["SYNTHETIC"], tags["SEED"], tags["MODEL"]) == ("YES", "7", "tiny")
        assert tags["GIVEN"] == "s1-rtc,place,date"
        assert len(tags["WEIGHTS"]) == 64


def test_the_mask_shows_where_something_was_measured(made: Path, scene: xr.DataArray) -> None:
    with rasterio.open(made / "szene.valid.tif") as file:
        np.testing.assert_array_equal(file.read(1), np.isfinite(scene.values).any(axis=0))
    with rasterio.open(made / "szene.dem.sample-0.tif") as file:
        np.testing.assert_array_equal(file.dataset_mask() > 0, np.isfinite(scene.values).any(axis=0))


def test_the_item_says_that_it_is_synthetic_and_lists_every_file(made: Path) -> None:
    item = pystac.Item.from_file(str(made / "szene.json"))
    assert item.properties["synthetic"] is True
    assert item.properties["armillary:given"] == ["s1-rtc", "place", "date"]
    assert item.datetime is not None
    assert {Path(a.href).name for a in item.assets.values()} == {p.name for p in made.glob("*.tif")} | {
        "szene.sheet.png"
    }
    assert json.loads((made / "receipt.json").read_text())["config"]["seed"] == 7


def test_a_hill_beside_a_plain_casts_no_shade_on_it() -> None:
    plain, hill = paint(arm.sensors["dem"], [PLAIN, PLAIN + 10])
    assert plain.shape == (20, 20, 4)
    assert all(len(np.unique(picture.reshape(-1, 4), axis=0)) == 1 for picture in (plain, hill))


def test_codes_have_colours_and_the_sheet_says_that_it_is_synthetic(made: Path) -> None:
    for name in ("sample-0", "most-frequent"):
        with rasterio.open(made / f"szene.land-cover.{name}.tif") as file:
            assert (file.dtypes[0], file.nodata) == ("uint8", 0)
            assert file.colormap(1)[1] == (65, 155, 223, 255)
    assert Image.open(made / "szene.sheet.png").info["SYNTHETIC"] == "YES"


def test_products_can_be_opened_again_and_still_say_it(made: Path) -> None:
    array = arm.open(made / "szene.dem.mean.tif")
    assert (array.attrs["sensor"], array.attrs["unit"]) == ("dem", "m")
    assert array.attrs["synthetic"] is True


def test_a_finished_run_is_not_run_again_and_another_one_is_refused(
    made: Path, scene: xr.DataArray, nano: CopGen
) -> None:
    assert [s.stage for s in run(planned(scene, nano), nano, Order(made, "szene"))] == ["nothing to do"]
    with pytest.raises(OutputRefused, match="samples was 3, now 2"):
        run(planned(scene, nano, samples=2), nano, Order(made, "szene"))


def test_an_interrupted_run_goes_on_where_it_stopped(
    made: Path, scene: xr.DataArray, nano: CopGen, tmp_path: Path
) -> None:
    plan, out = replace(planned(scene, nano), how=replace(HOW, batch=1)), tmp_path / "o"
    steps = write(plan, nano, Order(out, "szene", keep_every_s=0), ModelFacts.of(nano, "tiny", "random"))
    for step in steps:
        if step.stage == "generate" and step.done > step.total // 2:
            break
    steps.close()
    with pytest.raises(OutputRefused, match="--resume goes on"):
        run(plan, nano, Order(out, "szene"))
    with pytest.raises(OutputRefused, match="another one"):
        run(planned(scene, nano, samples=2), nano, Order(out, "szene", resume=True))
    seen = run(plan, nano, Order(out, "szene", resume=True))
    assert "read" not in [s.stage for s in seen]
    first = next(s for s in seen if s.stage == "generate")
    assert (first.done, first.total) == (6, 9)  # three samples of three strips each: it was stopped within the second
    for i in range(3):
        name = f"szene.dem.sample-{i}.tif"
        with rasterio.open(out / name) as one, rasterio.open(made / name) as other:
            np.testing.assert_allclose(one.read(), other.read(), atol=1e-2)
    assert not list(out.glob(".*"))


def test_files_that_no_run_wrote_are_not_replaced(scene: xr.DataArray, nano: CopGen, tmp_path: Path) -> None:
    own = tmp_path / "szene.dem.sample-0.tif"
    own.write_text("mine")
    with pytest.raises(OutputRefused, match=r"holds szene\.dem\.sample-0\.tif, which no receipt names"):
        run(planned(scene, nano, samples=1), nano, Order(tmp_path, "szene"))
    assert own.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == [own.name]


def test_what_was_refused_leaves_no_folder(nano: CopGen, view: MakeView, tmp_path: Path) -> None:
    with pytest.raises(EmptyScene, match="not one valid pixel"):
        run(planned(view("s1-rtc").where(False), nano), nano, Order(tmp_path / "o", "x"))
    with pytest.raises(PlaceUnknown, match="no CRS"):
        run(planned(view("s1-rtc", crs=None), nano), nano, Order(tmp_path / "o", "x"))
    assert not (tmp_path / "o").exists()


def test_a_scene_without_a_place_is_written_without_one_by_a_model_of_pictures(
    thumb: CopGen, view: MakeView, tmp_path: Path
) -> None:
    x = {"s1-before": view("ombria-s1", (64, 64), crs=None, time=None, affine=(1.0, 0, 0, 0, 1.0, 0))}
    plan = plan_of(x, ["s2-before", "flood"], menu_of(thumb), 2, 0, HOW)
    files = run(plan, thumb, Order(tmp_path / "o", "x"))[-1].files
    assert not (tmp_path / "o" / "x.json").exists()
    assert {f.name for f in files} >= {"x.s2-before.sample-1.tif", "x.flood.mean.tif", "x.sheet.png", "receipt.json"}
    with rasterio.open(tmp_path / "o" / "x.s2-before.mean.tif") as file:
        assert file.crs is None
        assert file.descriptions == ("SWIR", "NIR", "RED")
        assert 0 <= file.read().min() <= file.read().max() <= 255


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(
    scene: xr.DataArray, nano: CopGen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(OutputRefused, match="No space left on device"):
        run(planned(scene, nano), nano, Order(tmp_path / "o", "szene"))
    assert not list(tmp_path.rglob("*.npy"))


def test_a_refusal_on_the_way_does_not_stand_in_the_way_of_the_next_run(
    scene: xr.DataArray, nano: CopGen, tmp_path: Path
) -> None:
    bad = replace(planned(scene, nano, samples=1), how=replace(HOW, guidance=1e38))
    bad = replace(bad, roles=replace(bad.roles, guidance=1e38))
    with pytest.raises(OutOfRange, match="guidance=1e"):
        run(bad, nano, Order(tmp_path, "szene"))
    assert not tmp_path.exists()
    assert run(planned(scene, nano, samples=1), nano, Order(tmp_path, "szene"))[-1].stage == "done"


def test_a_setting_that_differs_is_named(made: Path, scene: xr.DataArray, nano: CopGen) -> None:
    other = replace(planned(scene, nano), how=replace(HOW, place=False))
    with pytest.raises(OutputRefused, match="how: place was true, now false"):
        run(other, nano, Order(made, "szene"))
