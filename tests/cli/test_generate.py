import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from armillary.cli.app import main
from armillary.earth.fleet import sensors

UTM = rasterio.Affine(10, 0, 500000, 0, -10, 5200000)
QUICK = ("--weights", "none", "--steps", "1")


def run(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


def raster(path: Path, values: np.ndarray, bands: tuple[str, ...] = (), crs: str | None = "EPSG:32632") -> Path:
    c, h, w = values.shape
    place = {} if crs is None else {"crs": crs, "transform": UTM}
    with rasterio.open(path, "w", driver="GTiff", count=c, height=h, width=w, dtype=values.dtype, **place) as file:
        file.write(values)
        if bands:
            file.descriptions = bands
    return path


@pytest.fixture(scope="module")
def radar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    decibel = np.random.default_rng(0).normal(-14, 3, (2, 40, 64)).astype(np.float32)
    return raster(tmp_path_factory.mktemp("in") / "s1_rtc_20220706T085611.tif", decibel, ("VV", "VH"))


@pytest.fixture(scope="module")
def optical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a place far from the radar's."""
    path, bands = tmp_path_factory.mktemp("far") / "s2_l2a.tif", sensors["s2-l2a"].band_names
    values = np.full((len(bands), 20, 20), 0.1, np.float32)
    return raster(path, values, bands, crs="EPSG:32645")


@pytest.fixture(scope="module")
def out(radar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate") / "out"
    arguments = ("--to", "dem,s2-l2a", "--samples", "2", "--seed", "5", "--name", "scene")
    assert run("generate", radar, *arguments, "-o", folder, *QUICK) == 0
    return folder


def test_generate_writes_a_folder_of_synthetic_scenes(out: Path) -> None:
    with rasterio.open(out / "scene.s2-l2a.sample-1.tif") as file:
        assert (file.count, file.height, file.width, file.crs.to_epsg()) == (12, 40, 64, 32632)
        assert file.transform == UTM
        assert (file.tags()["SYNTHETIC"], file.tags()["MODEL"]) == ("YES", "cop-gen-nano")
    assert (out / "scene.dem.spread.tif").is_file()
    assert (out / "scene.sheet.png").stat().st_size > 5_000
    receipt = json.loads((out / "receipt.json").read_text())
    assert (receipt["config"]["seed"], receipt["model"]["weights"]) == (5, "random")
    assert len(receipt["inputs"]["s1-rtc"][0]["sha256"]) == 64


def test_a_second_run_says_that_it_is_finished(out: Path, radar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = ("--to", "dem,s2-l2a", "--samples", "2", "--seed", "5", "--name", "scene", "-o", out, *QUICK)
    assert run("generate", radar, *same, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["stage"] == "nothing to do"
    assert "RANDOM WEIGHTS" in said.err


def test_pictures_of_flood_sites_are_known_by_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grey = np.random.default_rng(1).integers(0, 255, (3, 70, 80)).astype(np.uint8)
    before, other = raster(tmp_path / "7_s1_pre.tif", grey[:1], crs=None), raster(tmp_path / "x.tif", grey, crs=None)
    given, like = f"s1-after={before}", f"s2-before={other}"
    arguments = ("--model", "cop-gen-thumb", "--to", "s2-before", "--given", given, "--style", like, "--truth", like)
    assert run("generate", before, *arguments, "-o", tmp_path / "o", *QUICK) == 0
    said = capsys.readouterr()
    assert "no CRS is known" in said.err
    assert said.err.count("no CRS") == 1
    with rasterio.open(tmp_path / "o" / "7_s1_pre.s2-before.sample-0.tif") as file:
        assert (file.shape, file.crs) == ((70, 80), None)
        assert file.tags()["GIVEN"] == "s1-before,s1-after,s2-before-style"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "s1-rtc"), "both given and wanted"),
        (("--to", "s3-olci"), "this model makes s1-rtc"),
        (("--to", ""), "was asked for"),
        (("--to", "dem", "--samples", "0"), "a whole number from 1 up"),
        (("--to", "dem", "--steps", "0"), "a whole number from 1 up"),
        (("--to", "dem", "--model", "copernicus-fm-nano"), "models that generate values of their own are"),
        (("--to", "dem", "--model", "cop-gen-beta"), "models that generate values of their own are"),
        (("--to", "dem", "--style", "a.tif"), "no styles"),
        (("--to", "dem", "--without", "time"), "write place, date"),
        (("--to", "dem", "--given", "dem"), "names no file"),
        (("--to", "dem", "--given", "s2-l2a=nowhere.tif"), "nothing is there"),
        (("--to", "s2-after", "--model", "cop-gen-thumb"), "say which with --given"),
        (("--to", "dem", "--given", "s1-rtc={radar}"), "in --given too"),
        (("--to", "dem", "--given", "s2-l2a={optical}", "--given", "s2-l2a={optical}"), "names s2-l2a twice"),
        (("--to", "dem", "--truth", "s2-l2a={optical}"), "not asked for in --to"),
        (("--to", "s2-l2a", "--truth", "s2-l2a={optical}"), "do not overlap"),
        (("--to", "dem", "--name", "model"), "another meaning"),
        (("--to", "dem", "--name", "m" * 200), "longer than 160"),
    ],
)
def test_bad_input_leaves_with_2_and_one_sentence_and_no_folder(
    radar: Path,
    optical: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [a.format(radar=radar, optical=optical) for a in arguments]
    assert run("generate", radar, "-o", tmp_path / "o", "--weights", "none", *filled) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len([line for line in said.splitlines() if line.startswith("armillary:")]) == 1
    assert not (tmp_path / "o").exists()


def test_no_file_at_all_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", "--to", "dem", "-o", tmp_path / "o", "--weights", "none") == 2
    assert "no file was given" in capsys.readouterr().err


def test_what_is_told_of_a_file_is_not_told_of_the_truth_and_the_given_beside_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nameless = raster(tmp_path / "a.tif", rng.normal(-14, 3, (2, 40, 64)).astype(np.float32))
    heights = raster(tmp_path / "b.tif", rng.normal(300, 9, (1, 40, 64)).astype(np.float32))
    light = raster(
        tmp_path / "c.tif", rng.uniform(0, 0.3, (12, 40, 64)).astype(np.float32), sensors["s2-l2a"].band_names
    )
    told = ("--sensor", "s1-rtc", "--bands", "VV,VH", "--unit", "dB", "--given", f"dem={heights}")
    call = (nameless, *told, "--to", "s2-l2a", "--truth", f"s2-l2a={light}", "-o", tmp_path / "out")
    assert run("generate", *call, *QUICK) == 0
    assert (tmp_path / "out" / "a.sheet.png").is_file()


def test_a_truth_that_a_finished_run_did_not_show_is_another_run(
    radar: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    water = raster(tmp_path / "water.tif", np.zeros((1, 40, 64), np.float32), ("water",))
    call = ("generate", radar, "--to", "water", "-o", tmp_path / "o", *QUICK)
    assert run(*call) == 0
    assert run(*call, "--truth", f"water={water}") == 2
    assert "another run (truth: water was" in capsys.readouterr().err


def test_a_file_that_is_read_in_another_way_is_another_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Power instead of decibels: the same bytes, other values."""
    power = np.random.default_rng(3).uniform(0.01, 0.2, (2, 20, 20)).astype(np.float32)
    file = raster(tmp_path / "s1_rtc_20220706T085611.tif", power, ("VV", "VH"))
    call = ("generate", file, "--to", "water", "-o", tmp_path / "o", *QUICK)
    assert run(*call, "--unit", "linear") == 0
    assert run(*call, "--unit", "amplitude") == 2
    assert "another run (opened: " in capsys.readouterr().err
