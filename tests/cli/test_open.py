"""`armillary open`: what is written reads back as what was opened."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from armillary.cli.app import main
from armillary.scene.open import open


def _run(*argv: str) -> int:
    try:
        main(argv)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "S2A_MSIL2A_20220706T085611_N0511_T32TQT.tif"
    pixels = np.random.default_rng(0).integers(1000, 9000, (3, 600, 20)).astype("uint16")
    pixels[:, 5, 5] = 0
    profile = {"driver": "GTiff", "count": 3, "height": 600, "width": 20, "dtype": "uint16", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", **profile, transform=Affine(10, 0, 600000, 0, -10, 5300000)) as file:
        file.write(pixels)
        file.descriptions = ("B4", "B3", "B2")
    return path


def test_what_is_written_opens_as_the_same_scene(scene: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tif"
    assert _run("open", str(scene), "-o", str(copy)) == 0
    first, again = open(scene), open(copy)
    np.testing.assert_array_equal(again.values, first.values)
    assert again.attrs["time"] == first.attrs["time"]
    assert again.attrs["sensor"] == first.attrs["sensor"]
    assert again["band"].values.tolist() == first["band"].values.tolist()
    assert again.rio.transform() == first.rio.transform()
    assert not list(tmp_path.glob(".*part"))


def test_an_output_that_cannot_be_written_ends_with_2(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("open", str(scene), "-o", str(tmp_path / "no" / "such" / "x.tif")) == 2
    assert "choose a folder" in capsys.readouterr().err
