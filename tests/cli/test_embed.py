import json
from pathlib import Path

import pytest
import rasterio
import torch

import armillary
from armillary.cli.app import main
from armillary.cli.embed import stem_of
from armillary.models.weights import locate
from armillary.product.receipt import file_sha256

DEMO = Path(armillary.__file__).parent / "data" / "demo"
SMALL = ["--model", "copernicus-fm-small", "--weights", "none"]


def run(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("embed") / "out"
    assert run("embed", DEMO / "s1_rtc_serengeti.tif", "-o", folder, *SMALL, "--format", "cog", "--dtype", "int8") == 0
    return folder


def test_embed_writes_a_folder_of_products(out: Path) -> None:
    with rasterio.open(out / "s1_rtc_serengeti.embedding.tif") as file:
        assert (file.count, file.height, file.width) == (384, 14, 14)
        assert file.dtypes[0] == "int8"
    receipt = json.loads((out / "receipt.json").read_text())
    assert receipt["config"]["sensor"] == "s1-rtc"
    assert receipt["model"]["weights"] == "random"


def test_a_second_embed_says_that_it_is_finished(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("embed", DEMO / "s1_rtc_serengeti.tif", "-o", out, *SMALL, "--format", "cog", "--dtype", "int8")
    assert run(*arguments) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert run(*arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out)["stage"] == "nothing to do"


def test_where_no_weights_ship_the_first_line_says_random(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--model", "copernicus-fm-small", "--format", "cog", "--patch", "32")
    assert run("embed", DEMO / "s1_rtc_serengeti.tif", "-o", tmp_path / "o", *arguments) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "RANDOM WEIGHTS" in line]
    assert len(said) == 1
    receipt = json.loads((tmp_path / "o" / "receipt.json").read_text())
    assert (receipt["model"]["weights"], receipt["config"]["patch_px"]) == ("random", 32)


def test_the_default_model_is_trained_and_its_products_say_whose_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    assert run("embed", DEMO / "s1_rtc_serengeti.tif", "-o", out, "--format", "cog") == 0
    assert "RANDOM" not in capsys.readouterr().err
    model = json.loads((out / "receipt.json").read_text())["model"]
    shipped = locate("package://copernicus-fm-nano.safetensors")
    assert (model["name"], model["weights"]) == ("copernicus-fm-nano", "package://copernicus-fm-nano.safetensors")
    assert model["file"]["sha256"] == file_sha256(shipped)
    assert model["file"]["licence"] == "CC-BY-SA-4.0"
    card = json.loads((out / "model.json").read_text())["properties"]
    assert card["mlm:pretrained"] is True
    assert card["mlm:pretrained_source"] == "package://copernicus-fm-nano.safetensors"
    assert card["license"] == "CC-BY-SA-4.0"
    assert "modified Copernicus Sentinel data" in card["attribution"]
    assert card["armillary:weights_file_sha256"] == file_sha256(shipped)


def test_a_patch_that_the_default_model_cannot_cut_leaves_with_2_and_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("embed", DEMO / "s1_rtc_serengeti.tif", "-o", tmp_path / "o", "--patch", "6") == 2
    assert "multiple of 4 px; take 4 or 8" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_bad_input_leaves_with_2_and_one_sentence(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("embed", DEMO / "s1_rtc_serengeti.tif", "-o", out, *SMALL) == 2
    assert "another run" in capsys.readouterr().err
    assert run("embed", DEMO / "s1_rtc_serengeti.tif", "-o", tmp_path, *SMALL, "--format", "shp") == 2
    assert "known are cog, zarr, geoparquet" in capsys.readouterr().err
    (tmp_path / "not.tif").write_text("this is text")
    assert run("embed", tmp_path / "not.tif", "-o", tmp_path / "o", *SMALL) == 2
    assert run("embed", tmp_path / "nowhere.tif", "-o", tmp_path / "o", *SMALL) == 2
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("file", "stem"),
    [("/a/b/S2A_X.SAFE/", "S2A_X"), ("x.SAFE.zip", "x"), ("größe.tif", "größe"), ("https://h/p/item.json", "item")],
)
def test_products_are_called_by_the_name_of_the_scene(file: str, stem: str) -> None:
    assert stem_of(file) == stem
