import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.sample.ssl4eo_tree import L1C, ORIGINS, SIDE, write_raster, write_tree

from armillary.cli.app import main
from armillary.sample.scene_labels import read_labels


def run(*words: object) -> int:
    try:
        main(["build", "labels", *map(str, words)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def cover(tmp_path: Path) -> Path:
    codes = np.full((1, SIDE, SIDE), 95, np.uint8)
    codes[0, 0, 0] = 10
    return write_raster(tmp_path / "cover" / "0000001.tif", codes, ORIGINS["0000001"])


def test_labels_shares_and_a_picture_are_written(
    tmp_path: Path, cover: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, out = write_tree(tmp_path / "tree"), tmp_path / "out" / "labels.json"
    words = (cover.parent, "--scenes", tree, "--legend", "worldcover", "-o", out)
    assert run(*words, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["scenes"], said["labelled"], said["shares"]["flooded vegetation"]) == (4, 2, 1.0)
    assert [Path(f).name for f in said["files"]] == ["labels.json", "labels.parquet", "labels.png"]
    assert all(Path(f).is_file() for f in said["files"])
    assert read_labels(out)["0000001"] == {L1C[0]: (1, 3), L1C[1]: (1, 3)}
    assert read_labels(out)["0000003"] == {L1C[0]: (), L1C[1]: ()}
    assert run(*words, "--change", "95=1", "--threshold", "0.02") == 0
    assert read_labels(out)["0000001"][L1C[0]] == (1,)


def test_labels_beside_their_maps_are_the_same_the_second_time(tmp_path: Path, cover: Path) -> None:
    out = cover.parent / "labels.json"
    (cover.parent / ".ipynb_checkpoints").mkdir()
    (cover.parent / ".ipynb_checkpoints" / "x.tif").write_bytes(cover.read_bytes())
    for name in ("labels.json", "again.json", "labels.json"):
        assert run(cover.parent, "--legend", "worldcover", "-o", cover.parent / name) == 0
        assert read_labels(cover.parent / name) == {"0000001": {"0000001": (1, 3)}}
    assert (cover.parent / "again.json").read_bytes() == out.read_bytes()


def test_a_map_is_not_written_over_by_the_picture(
    tmp_path: Path, cover: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = cover.with_suffix(".png")
    own.write_bytes(cover.read_bytes())
    assert run(cover.parent, "--legend", "worldcover", "-o", cover.with_suffix(".json")) == 2
    assert "is one of the maps and the picture of the labels would take its place" in capsys.readouterr().err
    assert own.read_bytes() == cover.read_bytes()


def test_what_a_killed_run_left_is_gone_after_the_next(tmp_path: Path, cover: Path) -> None:
    out = tmp_path / "out" / "labels.json"
    begin = f"""
import os
from pathlib import Path
from armillary.sample.scene_labels import written_together
with written_together(Path({str(out)!r})) as aside:
    (aside / "labels.json").write_text("half")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", begin], check=False).returncode == 9
    assert [p.name for p in out.parent.iterdir()] == [".labels.json.parts"]
    assert run(cover, "--legend", "worldcover", "-o", out) == 0
    assert sorted(p.name for p in out.parent.iterdir()) == ["labels.json", "labels.parquet", "labels.png"]


def test_a_file_of_labels_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.json").write_text('{"0000003": {"a": ["4", "5"], "b": []}}')
    assert run(tmp_path / "labels.json", "-o", tmp_path / "about.json") == 0
    assert "1 of 2 scenes labelled, at 1 of 1 places" in capsys.readouterr().out
    assert (tmp_path / "about.png").is_file()
    assert not (tmp_path / "about.json").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--legend", "corine"), "no legend is called 'corine'; known are dynamic-world"),
        (("--rule", "strict"), "no rule is called 'strict'; known are paper, clean"),
        (("--change", "mangrove"), "write CODE=CLASS, a code of 0 to 65535, such as 95=1"),
        (("--change", "²=1"), "write CODE=CLASS"),
        (("--change", "70000=1"), "write CODE=CLASS"),
        (("--change", "300=1"), "which the legend dynamic-world does not know"),
        ((), "holds 10, 95, which the legend dynamic-world does not know"),
        (("--scenes", "nowhere"), "holds none of s2c, s2a, s1"),
    ],
)
def test_bad_input_ends_with_one_sentence(
    tmp_path: Path, cover: Path, words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(cover, "-o", tmp_path / "x.json", *words) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "x.json").exists()


def test_maps_that_cover_no_scene_end_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far = write_raster(tmp_path / "far.tif", np.full((1, 4, 4), 1, np.uint8), (500000.0, 1200000.0))
    assert run(far, "--scenes", write_tree(tmp_path / "tree"), "-o", tmp_path / "x.json") == 2
    said = capsys.readouterr().err
    assert "knows no ground of any" in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("ending", ["json", "parquet", "png"])
def test_nothing_is_written_where_one_file_has_no_place(
    tmp_path: Path, cover: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / f"x.{ending}").mkdir(parents=True)
    assert run(cover, "--legend", "worldcover", "-o", out / "x.json") == 2
    said = capsys.readouterr().err
    assert f"x.{ending} was to be written and is a folder" in said
    assert len(said.strip().splitlines()) == 1
    assert [p.name for p in out.iterdir()] == [f"x.{ending}"]
