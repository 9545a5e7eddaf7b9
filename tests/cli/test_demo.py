"""`armillary demo`, whole, as a user runs it, with the small model."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "ausgabe für alle"
    args = ["demo", "-o", str(out), "--model", "copernicus-fm-small", "--json"]
    done = subprocess.run([sys.executable, "-m", "armillary", *args], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["report"] == str(out / "report.html")
    return out


def test_the_report_says_first_that_weights_are_untrained(shown: Path) -> None:
    page = (shown / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<h1>[^<]*</h1><p class="lead">UNTRAINED WEIGHTS', page)


def test_nothing_failed(shown: Path) -> None:
    assert "FAILED" not in (shown / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("sensor", ["s2-l1c", "s1-grd", "s3-olci", "dem"])
def test_every_scene_leaves_a_georeferenced_map(shown: Path, sensor: str) -> None:
    with rasterio.open(shown / sensor / f"{sensor}.embedding.tif") as cog:
        assert cog.count == 384
        assert cog.crs is not None


def test_an_invented_scene_is_called_synthetic(shown: Path) -> None:
    assert (shown / "invented").exists()
    assert "SYNTHETIC" in (shown / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in next((shown / "invented").rglob("xfdumanifest.xml")).read_text(encoding="utf-8")


def test_data_that_are_no_folder_are_refused(tmp_path: Path) -> None:
    args = ["demo", "-o", str(tmp_path / "out"), "--data", str(tmp_path / "nowhere")]
    done = subprocess.run([sys.executable, "-m", "armillary", *args], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "is no folder; give --data" in done.stderr
    assert not (tmp_path / "out").exists()
