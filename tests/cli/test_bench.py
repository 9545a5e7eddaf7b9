"""The benchmark as a user meets it, on specimens: tiny synthetic files in the published layouts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from armillary.bench.specimens.drawn import Recipe
from armillary.bench.specimens.write import write_specimens
from armillary.bench.tasks import COPERNICUS
from armillary.cli.app import main

MODEL = "copernicus-fm-nano"
QUICK = ("--seeds", "1", "--draws", "10", "--protocol", "official", "--metadata", "off", "--no-baselines")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specimens")
    write_specimens(folder, Recipe(6, 3, 4))
    return folder


def bench(*args: str | Path) -> int:
    """In this process, which has imported everything already."""
    try:
        main(["bench", *map(str, args)])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


def _command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "armillary", "bench", *map(str, args)]


def _numbers(run: Path) -> dict[str, object]:
    cells = (json.loads(p.read_text()) for p in (run / "cells").glob("*.json"))
    return {json.dumps(c["question"]): {k: v for k, v in c.items() if k != "facts"} for c in cells}


def test_all_fifteen_tasks_have_a_row_and_a_score(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("run", "--suite", "copernicus", "--model", MODEL, "--data", data, "-o", tmp_path / "run", *QUICK) == 0
    told = capsys.readouterr().out
    rows = told.splitlines()[1:16]
    assert [row.split()[0] for row in rows] == list(COPERNICUS)
    assert "failed" not in told
    assert len(_numbers(tmp_path / "run")) == 15


def test_one_damaged_file_is_named_and_the_others_stand(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = sorted((data / "eurosat_s2").rglob("*.tif"))[0]
    whole = victim.read_bytes()
    try:
        victim.write_bytes(whole[: len(whole) // 2])
        tasks = ("--tasks", "eurosat-s1,eurosat-s2,lcz-s2")
        code = bench("run", "--model", MODEL, "--data", data, "-o", tmp_path / "run", *QUICK, *tasks, "--json")
    finally:
        victim.write_bytes(whole)
    said = capsys.readouterr()
    assert code == 2
    assert victim.name in said.err
    told = json.loads(said.out)
    assert list(told["failed"]) == ["eurosat-s2"]
    assert len(told["table"]) == 4


def test_a_killed_run_goes_on_to_the_same_cells(data: Path, tmp_path: Path) -> None:
    start = ("run", "--model", MODEL, "--data", data, *QUICK, "--tasks", "eurosat-s1,eurosat-s2,aq-no2-s5p")
    process = subprocess.Popen(_command(*start, "-o", tmp_path / "cut"), stderr=subprocess.PIPE, env=ENVIRONMENT)
    while not list((tmp_path / "cut" / "cells").glob("*.json")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert bench(*start, "-o", tmp_path / "cut") == 2
    assert bench(*start, "-o", tmp_path / "cut", "--resume") == 0
    assert bench(*start, "-o", tmp_path / "whole") == 0
    assert _numbers(tmp_path / "cut") == _numbers(tmp_path / "whole")


def test_two_processes_have_the_score_of_one(data: Path, tmp_path: Path) -> None:
    start = ("run", "--model", MODEL, "--data", data, *QUICK, "--tasks", "eurosat-s2,flood-s1", "--batch-size", "4")
    done = subprocess.run(
        _command(*start, "-o", tmp_path / "two", "--processes", "2"),
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert bench(*start, "-o", tmp_path / "one") == 0
    assert _numbers(tmp_path / "two") == _numbers(tmp_path / "one")


def test_a_cell_is_verified_and_a_report_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("run", "--model", MODEL, "--data", data, "-o", tmp_path, *QUICK, "--tasks", "lcz-s2") == 0
    cell = next((tmp_path / "cells").glob("*.json")).stem
    assert bench("verify", tmp_path, cell[:8], "--data", data) == 0
    assert "agrees" in capsys.readouterr().out
    assert bench("report", tmp_path) == 0
    assert (tmp_path / "report.html").stat().st_size > 1000


def test_what_there_is_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["suites"]["copernicus"] == list(COPERNICUS)
    assert MODEL in told["encoders"]


def test_a_model_of_no_name_ends_with_code_two(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("run", "--model", "no-such-model", "--data", data, "-o", tmp_path) == 2
    assert "no-such-model" in capsys.readouterr().err
