"""`armillary demo`, whole, as a user runs it, with the model that ships; and with one that knows nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from matplotlib.image import imread

from armillary.cli import demo
from armillary.models.sizes import SIZES


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "ausgabe für alle"
    args = ["demo", "-o", str(out), "--json"]
    done = subprocess.run([sys.executable, "-m", "armillary", *args], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["report"] == str(out / "report.html")
    return out


def test_the_report_begins_with_the_model_and_no_warning(shown: Path) -> None:
    page = (shown / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<h1>[^<]*</h1><p class="lead note">copernicus-fm-nano', page)
    assert "UNTRAINED" not in page


@pytest.mark.parametrize("sensor", ["s2-l1c", "s1-grd", "s3-olci", "dem"])
def test_each_map_stands_beside_that_of_the_untrained_network(shown: Path, sensor: str) -> None:
    scene, trained, random = (
        imread(shown / "pictures" / f"{sensor}.{which}.png") for which in ("scene", "trained", "random")
    )
    assert trained.shape == random.shape
    assert not np.array_equal(trained, random)
    assert scene[..., :3].std() > 0.02
    page = (shown / "report.html").read_text(encoding="utf-8")
    assert page.count("the same network with random weights") == page.count("copernicus-fm-nano, trained")


def test_hidden_patches_are_rebuilt_and_seen_ones_are_as_they_were(shown: Path) -> None:
    seen, rebuilt, true = (imread(shown / "pictures" / f"s2-l1c.{which}.png") for which in ("seen", "rebuilt", "true"))
    grey = np.abs(seen[..., :3] - 0.5).max(axis=-1) < 0.01
    assert 0.6 < grey.mean() < 0.8
    np.testing.assert_array_equal(rebuilt[~grey], true[~grey])
    assert np.abs(rebuilt - seen)[grey].max() > 0.1


def test_a_model_without_weights_is_called_untrained_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heights = [exhibit for exhibit in demo.EXHIBITS if exhibit.name == "dem"]
    monkeypatch.setattr(demo, "EXHIBITS", tuple(heights))
    demo.demo(output=tmp_path / "out", model="copernicus-fm-small")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<h1>[^<]*</h1><p class="lead">UNTRAINED WEIGHTS', page)
    assert not (tmp_path / "out" / "pictures" / "dem.trained.png").exists()


def test_nothing_failed(shown: Path) -> None:
    assert "FAILED" not in (shown / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("sensor", ["s2-l1c", "s1-grd", "s3-olci", "dem"])
def test_every_scene_leaves_a_georeferenced_map(shown: Path, sensor: str) -> None:
    with rasterio.open(shown / sensor / f"{sensor}.embedding.tif") as cog:
        assert cog.count == SIZES["copernicus-fm-nano"].width
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
