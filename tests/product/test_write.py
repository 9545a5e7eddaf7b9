import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio
import xarray as xr

import armillary as arm
from armillary.errors import BadInput, EmptyScene, OutputRefused, PlaceUnknown
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import CopernicusFMConfig
from armillary.product.receipt import ModelFacts, file_sha256
from armillary.product.write import Order, Step, write

MakeScene = Callable[..., xr.DataArray]
SHAPE = (600, 420)


def run(scene: xr.DataArray, model: CopernicusFM, order: Order, **how: int) -> list[Step]:
    return list(write(scene, model, order, ModelFacts.of(model, "tiny", "random"), **how))


@pytest.fixture(scope="module")
def scene(make_scene: MakeScene) -> xr.DataArray:
    array = make_scene(SHAPE)
    array[:, :64, :160] = np.nan
    return array


@pytest.fixture(scope="module")
def grid(scene: xr.DataArray, tiny: CopernicusFM) -> np.ndarray:
    return arm.embed(scene, model=tiny, output="grid").values


@pytest.fixture(scope="module")
def made(scene: xr.DataArray, tiny: CopernicusFM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("Größe 图") / "out"
    run(scene, tiny, Order(out, "szene"))
    return out


def test_the_folder_holds_every_product_and_nothing_else(made: Path) -> None:
    ends = ("embedding.tif", "embedding.zarr", "tokens.parquet", "chips.parquet", "embedding.png", "scene.png", "json")
    assert {p.name for p in made.iterdir()} == {f"szene.{e}" for e in ends} | {"model.json", "receipt.json"}


def test_the_cog_is_laid_out_as_one_and_lies_where_the_scene_does(made: Path, scene: xr.DataArray) -> None:
    with rasterio.open(made / "szene.embedding.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.is_tiled
        assert file.overviews(1) == [2]
        assert np.isnan(file.nodata)
        assert file.descriptions[:2] == ("e0000", "e0001")
        assert file.crs.to_epsg() == 32632
        assert file.transform == rasterio.Affine(160, 0, 500000, 0, -160, 5200000)
        assert (file.height, file.width) == (38, 27)
        assert file.tags()["ARMILLARY_MODEL"] == "tiny"
        assert file.bounds.left == scene.rio.bounds()[0]
        assert file.bounds.top == scene.rio.bounds()[3]


def test_overviews_lie_before_the_full_map_in_the_file(made: Path) -> None:
    with rasterio.open(made / "szene.embedding.tif") as file:
        full = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
        half = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=0))
    assert 0 < half < full


def test_every_format_holds_the_values_of_arm_embed(made: Path, grid: np.ndarray) -> None:
    with rasterio.open(made / "szene.embedding.tif") as file:
        assert file.read().tobytes() == grid.tobytes()
    cube = xr.open_zarr(made / "szene.embedding.zarr")
    assert cube["embedding"].values.tobytes() == grid.tobytes()
    assert cube["embedding"].rio.crs.to_epsg() == 32632
    table = gpd.read_parquet(made / "szene.tokens.parquet")
    seen = np.isfinite(grid).all(axis=0)
    assert len(table) == seen.sum() == 38 * 27 - 4 * 10
    assert np.stack(table["embedding"].to_list()).tobytes() == grid[:, seen].T.tobytes()


def test_an_overview_is_the_mean_of_the_tokens_that_are_there(made: Path, grid: np.ndarray) -> None:
    with rasterio.open(made / "szene.embedding.tif", overview_level=0) as file:
        half = file.read()
    assert half.shape == (24, 19, 14)
    np.testing.assert_allclose(half[:, 10, 5], grid[:, 20:22, 10:12].mean(axis=(1, 2)), rtol=1e-5)
    assert np.isnan(half[:, 0, 0]).all()


def test_the_table_is_geoparquet_1_1_with_a_covering(made: Path) -> None:
    geo = json.loads(pq.read_schema(made / "szene.tokens.parquet").metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"]["geometry"]
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert column["geometry_types"] == ["Polygon"]
    table = gpd.read_parquet(made / "szene.tokens.parquet")
    assert table.crs.to_epsg() == 4326
    side_m = table.geometry.iloc[[0]].to_crs("EPSG:32632").area.iloc[0] ** 0.5
    assert side_m == pytest.approx(160, abs=0.01)
    west, south, east, north = table.total_bounds
    part = gpd.read_parquet(made / "szene.tokens.parquet", bbox=(west, south, (west + east) / 2, (south + north) / 2))
    assert 0 < len(part) < len(table) / 3


def test_chips_hold_pooled_vectors_that_add_up_to_the_scenes(
    made: Path, scene: xr.DataArray, tiny: CopernicusFM
) -> None:
    chips = gpd.read_parquet(made / "szene.chips.parquet")
    vectors, weight = np.stack(chips["embedding"].to_list()), chips["valid_share"].to_numpy()
    whole = arm.embed(scene, model=tiny, output="pooled").values
    np.testing.assert_allclose((vectors * weight[:, None]).sum(0) / weight.sum(), whole, atol=1e-5)


def test_the_item_and_the_model_card_are_stac(made: Path) -> None:
    item = pystac.Item.from_file(str(made / "szene.json"))
    assert item.properties["emb:dimensions"] == 24
    assert item.properties["proj:code"] == "EPSG:32632"
    assert item.properties["proj:shape"] == [38, 27]
    assert {link.rel for link in item.links} >= {"emb:model", "emb:source-data"}
    asset = item.assets["embedding-tif"]
    assert asset.extra_fields["file:checksum"] == "1220" + file_sha256(made / "szene.embedding.tif")
    card = pystac.Item.from_file(str(made / "model.json"))
    assert card.properties["mlm:name"] == "tiny"
    assert card.properties["mlm:pretrained"] is False
    assert [b["name"] for b in card.properties["mlm:input"][0]["bands"]] == ["B04", "B03", "B02"]


def test_the_receipt_tells_what_decided_the_values(made: Path, tiny: CopernicusFM) -> None:
    receipt = json.loads((made / "receipt.json").read_text())
    assert receipt["model"] == {
        "name": "tiny", "architecture": "CopernicusFM", "weights": "random",
        "sha256": ModelFacts.of(tiny).sha256, "parameters": sum(p.numel() for p in tiny.parameters()), "file": None,
    }  # fmt: skip
    assert len(receipt["inputs"][0]["sha256"]) == 64
    assert receipt["versions"]["armillary"] == arm.__version__
    for name, digest in receipt["files"].items():
        assert file_sha256(made / name) == digest


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_smaller_types_come_back_within_their_step(
    scene: xr.DataArray, tiny: CopernicusFM, grid: np.ndarray, tmp_path: Path, dtype: str
) -> None:
    run(scene, tiny, Order(tmp_path, "s", dtype=dtype))
    peak = np.nanmax(np.abs(grid), axis=(1, 2))
    step = peak / 127 / 2 if dtype == "int8" else peak / 2048
    with rasterio.open(tmp_path / "s.embedding.tif") as file:
        stored = file.read().astype(np.float32)
        values = np.where(stored == file.nodata, np.nan, stored * np.array(file.scales)[:, None, None])
    cube = xr.open_zarr(tmp_path / "s.embedding.zarr", mask_and_scale=False)
    assert cube["embedding"].dtype == dtype
    np.testing.assert_array_equal(np.isnan(values), np.isnan(grid))
    assert (np.nanmax(np.abs(values - grid), axis=(1, 2)) <= step * 1.001).all()
    np.testing.assert_array_equal(cube["embedding"].values.astype(np.float32), stored)
    kind = pq.read_schema(tmp_path / "s.tokens.parquet").field("embedding").type
    assert str(kind.value_type) == {"float16": "halffloat", "int8": "int8"}[dtype]


def test_files_are_the_same_for_every_tile_size_and_worker_count(
    scene: xr.DataArray, tiny: CopernicusFM, made: Path, tmp_path: Path
) -> None:
    run(scene, tiny, Order(tmp_path, "szene"), tile=100, workers=2)
    for name in ("szene.embedding.tif", "szene.tokens.parquet", "szene.chips.parquet", "szene.embedding.zarr"):
        assert file_sha256(made / name) == file_sha256(tmp_path / name)


def test_a_finished_run_does_nothing_again(scene: xr.DataArray, tiny: CopernicusFM, made: Path) -> None:
    before = (made / "szene.embedding.tif").stat().st_mtime_ns
    steps = run(scene, tiny, Order(made, "szene"))
    assert [s.stage for s in steps] == ["nothing to do"]
    assert (made / "szene.embedding.tif").stat().st_mtime_ns == before


def test_another_run_never_mixes_with_a_finished_one(make_scene: MakeScene, tiny: CopernicusFM, made: Path) -> None:
    with pytest.raises(OutputRefused, match=r"products of another run.*--overwrite"):
        run(make_scene((300, 300)), tiny, Order(made, "szene"))


def test_a_stopped_run_goes_on_where_it_was(
    scene: xr.DataArray, tiny: CopernicusFM, made: Path, tmp_path: Path
) -> None:
    facts, order = ModelFacts.of(tiny, "tiny", "random"), Order(tmp_path, "szene", resume=True)
    for step in write(scene, tiny, order, facts, batch=2):
        if step.stage == "embed" and step.done >= 11:
            break
    with pytest.raises(OutputRefused, match=r"interrupted run \(11 of 38 rows\); --resume goes on"):
        run(scene, tiny, Order(tmp_path, "szene"), batch=2)
    with pytest.raises(OutputRefused, match=r"is another one .*batch was 2, now 8"):
        run(scene, tiny, order)
    steps = run(scene, tiny, order, batch=2)
    assert (steps[0].stage, steps[0].done) == ("resume", 11)
    assert [s.done for s in steps if s.stage == "embed"] == [22, 24, 38]
    again = tmp_path / "fresh"
    run(scene, tiny, Order(again, "szene"), batch=2)
    name = "szene.embedding.tif"
    assert file_sha256(tmp_path / name) == file_sha256(again / name)


KILLED = """
import os, signal, sys
from pathlib import Path
import armillary as arm
from armillary.models.copernicus_fm import random_model
from armillary.models.sizes import CopernicusFMConfig
from armillary.product.receipt import ModelFacts
from armillary.product.write import Order, write
model = random_model(CopernicusFMConfig(width=24, depth=4, heads=2, taps=(0, 1, 2, 3)), seed=0, vectors=None).eval()
for step in write(arm.open(sys.argv[1]), model, Order(Path(sys.argv[2]), "s"), ModelFacts.of(model, "m"), batch=2):
    if step.stage == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("stage", ["embed", "cog"])
def test_a_run_killed_at_once_loses_nothing(scene: xr.DataArray, tmp_path: Path, stage: str) -> None:
    path = tmp_path / "scene_20220706T085611.tif"
    scene.assign_attrs(sensor="s2-l2a").rio.to_raster(path)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("B04", "B03", "B02")
        file.update_tags(sensor="s2-l2a")
    model = random_model(CopernicusFMConfig(width=24, depth=4, heads=2, taps=(0, 1, 2, 3)), seed=0, vectors=None).eval()
    code = KILLED.replace("arm.open(sys.argv[1])", "arm.open(sys.argv[1], 's2-l2a', unit='reflectance')")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, "-W", "ignore", "-c", code, str(path), str(tmp_path / "killed"), stage]
    assert subprocess.run(arguments, env=environment, check=False).returncode == -signal.SIGKILL
    array, facts = arm.open(path, "s2-l2a", unit="reflectance"), ModelFacts.of(model, "m")
    steps = list(write(array, model, Order(tmp_path / "killed", "s", resume=True), facts, batch=2))
    assert steps[0].stage == "resume"
    assert [s.done for s in steps if s.stage == "embed"] == ([22, 24, 38] if stage == "embed" else [])
    list(write(array, model, Order(tmp_path / "whole", "s"), facts, batch=2))
    assert file_sha256(tmp_path / "killed/s.embedding.tif") == file_sha256(tmp_path / "whole/s.embedding.tif")


def test_a_scene_without_crs_makes_no_georeferenced_product(
    make_scene: MakeScene, tiny: CopernicusFM, tmp_path: Path
) -> None:
    with pytest.raises(PlaceUnknown, match="crs="):
        run(make_scene((64, 64), crs=None), tiny, Order(tmp_path, "s"))
    assert not list(tmp_path.iterdir())


def test_an_empty_scene_leaves_nothing_behind(make_scene: MakeScene, tiny: CopernicusFM, tmp_path: Path) -> None:
    scene = make_scene((64, 64))
    scene[:] = np.nan
    with pytest.raises(EmptyScene):
        run(scene, tiny, Order(tmp_path / "out", "s"))
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_a_folder_is_refused(scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(OutputRefused, match="cannot be written"):
        run(scene, tiny, Order(tmp_path / "file" / "out", "s"))


def test_an_unknown_format_or_type_is_refused() -> None:
    with pytest.raises(BadInput, match="known are cog, zarr, geoparquet"):
        Order(Path("x"), "s", formats=("shp",))
    with pytest.raises(BadInput, match="float32, float16 or int8"):
        Order(Path("x"), "s", dtype="int4")


@pytest.mark.parametrize(
    ("affine", "crs", "kind"),
    [
        ((10.0, 0.0, 830000.0, 0.0, -10.0, 2000000.0), "EPSG:32601", "Polygon"),
        ((0.0005, 0.0, 179.95, 0.0, -0.0005, -16.0), "EPSG:4326", "MultiPolygon"),
        ((30.0, 0.0, -3000.0, 0.0, -30.0, 3000.0), "EPSG:3413", "Polygon"),
        ((7.0, 7.0, 500000.0, 7.0, -7.0, 5200000.0), "EPSG:32632", "Polygon"),
    ],
    ids=["edge of a zone", "dateline", "pole", "turned"],
)
def test_hard_places_get_products(
    make_scene: MakeScene, tiny: CopernicusFM, tmp_path: Path, affine: tuple[float, ...], crs: str, kind: str
) -> None:
    run(make_scene((208, 208), affine=affine, crs=crs), tiny, Order(tmp_path, "s"))
    item = pystac.Item.from_file(str(tmp_path / "s.json"))
    assert item.geometry["type"] == kind
    west, _, east, north = item.bbox
    if kind == "MultiPolygon":
        assert (west, east) == pytest.approx((179.95, -179.946), abs=1e-6)
        table = gpd.read_parquet(tmp_path / "s.tokens.parquet")
        assert set(table.geom_type) == {"Polygon", "MultiPolygon"}
        assert table.geometry.area.max() < 1e-4
    if crs == "EPSG:3413":
        assert (west, east, north) == (-180, 180, 90)
