import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.sample.synthetic import pretrain, tree
from tests.scene.synthetic.rasters import counts, write

from armillary.cli.app import main
from armillary.cli.build import build_tree
from armillary.sample.shards import CopernicusShards
from armillary.sample.tree import CopernicusTree

NAMES = (*(f"B{i}" for i in range(1, 9)), "B8A", "B9", "B10", "B11", "B12")


def run(*argv: object) -> int:
    try:
        main(["build", *(str(a) for a in argv)])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def scenes(folder: Path) -> Path:
    for day in ("20200706T085611", "20210706T085611"):
        write(folder / f"S2A_MSIL1C_{day}_N0301_T32TQT.tif", counts(13, 300, 280), NAMES)
    radar = np.random.default_rng(0).normal(-14, 3, (2, 300, 280)).astype(np.float32)
    write(folder / "S1A_IW_GRDH_1SDV_20200710T053000_20200710T053025_033.tif", radar, ("VV", "VH"))
    (folder / "notes.txt").write_text("not a scene")
    return folder


def test_scenes_become_a_tree_with_list_and_index(tmp_path, capsys):
    assert run(scenes(tmp_path / "scenes"), "-o", tmp_path / "out", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["layout"] == "tree"
    source = CopernicusTree(tmp_path / "out")
    assert set(source.draw(0, np.random.default_rng(0))) == {"s1-grd", "s2-l1c"}
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"fnames_all.json.gz", "index.parquet", "build.json", "s1_grd_utm", "s2_toa_mix"}
    assert run("--verify", tmp_path / "out") == 0


def test_scenes_become_shards_with_index_and_nothing_else(tmp_path):
    assert run(scenes(tmp_path / "scenes"), "-o", tmp_path / "out", "--layout", "shards") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"example-000000.tar", "index.parquet", "build.json"}
    source = CopernicusShards([tmp_path / "out/example-000000.tar"], index=tmp_path / "out/index.parquet")
    drawn = source.draw(0, np.random.default_rng(0))
    assert drawn["s2-l1c"].pixels.shape == (13, 264, 264)
    assert run(tmp_path / "scenes", "-o", tmp_path / "out", "--layout", "shards") == 0  # again: nothing to do


def test_one_layout_becomes_the_other_and_back(tmp_path):
    tree.tree(tmp_path / "tree", days=tree.DAYS[:2])
    assert run(tmp_path / "tree", "-o", tmp_path / "shards", "--layout", "shards") == 0
    assert run(tmp_path / "shards", "-o", tmp_path / "again") == 0
    first, last = CopernicusTree(tmp_path / "tree").contents(0), CopernicusTree(tmp_path / "again").contents(0)
    days = [{k: {s.spot: [x.day for x in s.shots] for s in v} for k, v in c.layers.items()} for c in (first, last)]
    assert days[0] == days[1]


def test_what_a_killed_run_left_is_cleared_and_gone_on_from(tmp_path):
    tree.tree(tmp_path / "tree", days=tree.DAYS[:1], months=1)
    run(tmp_path / "tree", "-o", tmp_path / "shards", "--layout", "shards")
    whole = (tmp_path / "shards/example-000000.tar").read_bytes()
    (tmp_path / "shards/example-000000.tar").unlink()
    left = tmp_path / "shards/.example-000000.tar.4242.part"
    left.write_bytes(whole[:1000])
    assert run(tmp_path / "tree", "-o", tmp_path / "shards", "--layout", "shards") == 0
    assert not left.exists()
    assert (tmp_path / "shards/example-000000.tar").read_bytes() == whole


def test_a_damaged_shard_ends_the_check_with_exit_code_2_and_its_name(tmp_path, capsys):
    path = pretrain.shard(tmp_path / "example-000000.tar", pretrain.grid())
    assert run(tmp_path, "--index") == 0
    assert run("--verify", tmp_path) == 0
    path.write_bytes(path.read_bytes()[:200_000])
    capsys.readouterr()
    assert run("--verify", tmp_path, "--json") == 2
    shown = capsys.readouterr()
    assert all("example-000000.tar" in fault for fault in json.loads(shown.out)["faults"])
    assert len(shown.err.splitlines()) == 1
    assert "not whole" in shown.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("scenes",), "nothing says where to write"),
        (("gone", "-o", "out"), "is not there"),
        (("empty", "-o", "out"), "holds no scene"),
        (("tree", "-o", "out"), "holds tree already"),
        (("tree", "-o", "scenes", "--layout", "shards"), "holds files of something else"),
        (("scenes", "-o", "out", "--patches", "9"), "give 1 to 7"),
        (("--verify", "empty"), "neither shards"),
        (("scenes", "-o", "out", "--covered", "1.5"), "are parts"),
        (("tree", "-o", "out", "--layout", "shards", "--per-shard", "0"), "at least one"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_exit_code_2(tmp_path, monkeypatch, capsys, argv, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    scenes(tmp_path / "scenes")
    tree.tree(tmp_path / "tree", days=tree.DAYS[:1], months=1)
    assert run(*argv) == 2
    lines = [x for x in capsys.readouterr().err.splitlines() if not x.startswith("warning")]
    assert len(lines) == 1
    assert words in lines[0]


def small(source: Path) -> None:
    write(source / "dem.tif", np.full((1, 20, 16), 300.0, np.float32), ("DEM",))


def nowhere(source: Path) -> None:
    write(source / "S2A_MSIL1C_20200706T085611_N0301_T32TQT.tif", counts(13), NAMES, crs="EPSG:4326")


def no_scenes(source: Path) -> None:
    (source / "notes.txt").write_text("not a scene")


def cut_off(source: Path) -> None:
    path = pretrain.shard(source / "example-000000.tar", pretrain.grid())
    path.write_bytes(path.read_bytes()[:200_000])


@pytest.mark.parametrize(
    ("fill", "layout", "words"),
    [
        (small, "tree", "fills a patch or a cell"),
        (small, "shards", "fills a patch or a cell"),
        (
            nowhere,
            "tree",
            "holds no scene with a place and a time (S2A_MSIL1C_20200706T085611_N0301_T32TQT.tif: (600000",
        ),
        (no_scenes, "shards", "it is empty"),
        (cut_off, "tree", "is no whole tar, it breaks at"),
    ],
)
def test_when_nothing_can_be_built_one_sentence_says_so_and_no_folder_is_left(tmp_path, capsys, fill, layout, words):
    (tmp_path / "source").mkdir()
    fill(tmp_path / "source")
    for _ in range(2):
        assert run(tmp_path / "source", "-o", tmp_path / "new/out", "--layout", layout, "--json") == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line
        assert [p.name for p in tmp_path.iterdir()] == ["source"]


def test_a_folder_that_a_build_did_not_begin_keeps_all_it_holds(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/build.json").write_text("mine")
    assert run(tmp_path / "source", "-o", tmp_path / "out") == 2
    assert [(p.name, p.read_text()) for p in (tmp_path / "out").iterdir()] == [("build.json", "mine")]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("layout", ["tree", "shards"])
def test_a_second_build_into_one_folder_is_refused_and_the_first_is_unharmed(tmp_path, monkeypatch, capsys, layout):
    source, both = scenes(tmp_path / "scenes"), (tmp_path / "alone", tmp_path / "out")
    assert run(source, "-o", both[0], "--layout", layout) == 0
    refused = []

    def interrupted(*args):
        for cell in build_tree(*args):
            capsys.readouterr()
            assert run(source, "-o", both[1], "--layout", layout) == 2
            refused.append(capsys.readouterr().err)
            yield cell

    monkeypatch.setattr("armillary.cli.build.build_tree", interrupted)
    assert run(source, "-o", both[1], "--layout", layout) == 0
    assert refused
    assert all(f"another run is writing {both[1]} at this moment (process {os.getpid()}); wait" in x for x in refused)
    assert contents(both[1]) == contents(both[0])


KILLED = """
import os, signal
from armillary.cli import app, build
def begun(*args):
    for cell in tree(*args):
        os.kill(os.getpid(), signal.SIGKILL)
        yield cell
tree, build.build_tree = build.build_tree, begun
app.main(["build", "scenes", "-o", "out"])
"""


def test_what_a_killed_build_held_and_left_is_taken_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scenes(tmp_path / "scenes")
    killed = subprocess.Popen([sys.executable, "-c", KILLED])
    assert killed.wait() == -signal.SIGKILL
    assert (tmp_path / "out/.armillary.lock").read_text() == str(killed.pid)
    assert run("scenes", "-o", "out") == run("scenes", "-o", "alone") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
