"""What lies in an output folder belongs to one run, and only one run writes it at a time."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import rasterio
import xarray as xr

from armillary.errors import BadInput, OutputRefused
from armillary.models.copernicus_fm import CopernicusFM
from armillary.product.receipt import ModelFacts
from armillary.product.write import Order, Step, write

MakeScene = Callable[..., xr.DataArray]


def run(scene: xr.DataArray, model: CopernicusFM, order: Order, until: str = "done") -> list[Step]:
    steps = []
    for step in write(scene, model, order, ModelFacts.of(model, "tiny", "random")):
        steps.append(step)
        if step.stage == until:
            break
    return steps


@pytest.fixture(scope="module")
def scene(make_scene: MakeScene, tmp_path_factory: pytest.TempPathFactory) -> xr.DataArray:
    array = make_scene((40, 40))
    path = tmp_path_factory.mktemp("source") / "scene.tif"
    array.rio.to_raster(path)
    return array.assign_attrs(href=str(path))


def test_values_changed_in_memory_are_another_run(scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path) -> None:
    order = Order(tmp_path, "s", formats=("cog",))
    run(scene, tiny, order)
    with pytest.raises(OutputRefused, match=r"another run .*inputs_sha256"):
        run((scene * 2).assign_attrs(scene.attrs), tiny, order)


def test_values_read_with_another_offset_are_another_run(
    scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path
) -> None:
    order = Order(tmp_path, "s", formats=("cog",))
    run(scene.assign_attrs(offset="0 (given)"), tiny, order)
    with pytest.raises(OutputRefused, match=r"another run .*told: offset was .*0 \(given\)"):
        run(scene.assign_attrs(offset="-1000 (given)"), tiny, order)


def test_a_product_that_was_deleted_is_made_again(scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path) -> None:
    order = Order(tmp_path, "s", formats=("cog",))
    run(scene, tiny, order)
    (tmp_path / "s.embedding.tif").unlink()
    assert run(scene, tiny, order)[-1].stage == "done"
    assert (tmp_path / "s.embedding.tif").exists()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"config": 1, "files": {}}'])
def test_a_receipt_that_is_none_is_refused_in_words(
    scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path, text: str
) -> None:
    (tmp_path / "receipt.json").write_text(text)
    with pytest.raises(OutputRefused, match="no receipt that can be read"):
        run(scene, tiny, Order(tmp_path, "s"))


def test_overwriting_leaves_nothing_of_the_run_before(scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not a product")
    run(scene, tiny, Order(tmp_path, "before"))
    run(scene, tiny, Order(tmp_path, "s", formats=("geoparquet",), overwrite=True))
    listed = json.loads((tmp_path / "receipt.json").read_text())["files"]
    assert {p.name for p in tmp_path.iterdir()} == {*listed, "receipt.json", "mine.txt"}
    assert not any(n.startswith("before") for n in listed)


def test_an_overwriting_run_that_is_stopped_leaves_no_receipt_and_can_go_on(
    scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path
) -> None:
    run(scene, tiny, Order(tmp_path, "s"))
    run(scene, tiny, Order(tmp_path, "s", dtype="int8", overwrite=True), until="cog")
    assert not (tmp_path / "receipt.json").exists()
    assert run(scene, tiny, Order(tmp_path, "s", resume=True))[0].stage == "resume"
    with rasterio.open(tmp_path / "s.embedding.tif") as file:
        assert file.dtypes[0] == "float32"


def test_two_runs_never_write_one_folder_at_the_same_time(
    scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path
) -> None:
    first = write(scene, tiny, Order(tmp_path, "s", formats=("cog",)), ModelFacts.of(tiny))
    next(first)
    with pytest.raises(OutputRefused, match=rf"another run is writing .* \(process {os.getpid()}\); wait for it"):
        run(scene, tiny, Order(tmp_path, "s", formats=("cog",), overwrite=True))
    assert [s.stage for s in first][-1] == "done"
    assert not (tmp_path / ".armillary.lock").exists()


@pytest.mark.parametrize("name", ["journal.json", "config.json", "rows.f32", "weights.f32"])
def test_a_damaged_interrupted_run_is_told_and_never_guessed_at(
    scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path, name: str
) -> None:
    run(scene, tiny, Order(tmp_path, "s"), until="cog")
    path = tmp_path / ".s.staging" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(OutputRefused, match="is damaged; --overwrite begins again"):
        run(scene, tiny, Order(tmp_path, "s", resume=True))


@pytest.mark.parametrize("stem", ["", ".", "..", "a/b", "a\nb"])
def test_a_name_that_is_no_name_of_a_file_is_refused(stem: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="products cannot be called"):
        Order(tmp_path, stem)


def test_the_item_never_replaces_the_scene_it_was_made_from(
    scene: xr.DataArray, tiny: CopernicusFM, tmp_path: Path
) -> None:
    source = tmp_path / "s.json"
    source.write_text("{}")
    with pytest.raises(OutputRefused, match="would replace their source"):
        run(scene.assign_attrs(href=str(source)), tiny, Order(tmp_path, "s"))
    assert source.read_text() == "{}"
