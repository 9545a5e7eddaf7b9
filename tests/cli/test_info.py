"""`armillary info` as a user meets it."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from armillary.cli.app import main


def _scene(path: Path, value: int = 3000) -> Path:
    pixels = np.full((3, 20, 20), value, "uint16")
    profile = {"driver": "GTiff", "count": 3, "height": 20, "width": 20, "dtype": "uint16", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", **profile, transform=Affine(10, 0, 600000, 0, -10, 5300000)) as file:
        file.write(pixels)
        file.descriptions = ("B4", "B3", "B2")
    return path


def _run(*argv: str) -> int:
    try:
        main(argv)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_info_prints_what_a_model_will_see(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _scene(tmp_path / "S2A_MSIL2A_20220706T085611_N0511_T32TQT.tif")
    assert _run("info", str(file)) == 0
    printed = capsys.readouterr().out
    for words in ("s2-l2a", "2022-07-06T08:56:11Z", "-1000 (baseline 05.11)", "490 nm, 65 nm wide", "UTM zone 32N"):
        assert words in printed


def test_info_as_json_is_one_object_with_the_source_of_each_fact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _scene(tmp_path / "x.tif")
    assert _run("info", str(file), "--sensor", "s2-l1c", "--offset", "0", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sources"] == {
        "sensor": "given",
        "bands": "read",
        "crs": "read",
        "time": "unknown",
        "scaling": "given",
    }
    assert report["bands"][0]["median"] == pytest.approx(0.3)
    west, south, east, north = report["bounds_lonlat"]
    assert west < east
    assert south < north


def test_info_warns_of_values_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _scene(tmp_path / "S2A_MSIL2A_20170706T085611_N0205.tif", 60000)
    assert _run("info", str(file)) == 0
    assert "values outside" in capsys.readouterr().out


def test_info_of_a_scene_without_one_valid_pixel_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _scene(tmp_path / "S2A_MSIL2A_20170706T085611_N0205.tif", 0)
    assert _run("info", str(file)) == 2
    assert "not one valid pixel" in capsys.readouterr().err


def test_info_of_nothing_ends_with_2_and_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("info", "/no/such/file.tif") == 2
    assert capsys.readouterr().err.count("\n") == 1
