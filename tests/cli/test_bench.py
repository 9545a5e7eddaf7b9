"""The benchmark as a user meets it, on specimens: tiny synthetic files in the published layouts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from armillary.bench.drawn import Recipe
from armillary.bench.specimens.write import write_specimens
from armillary.bench.tasks import COPERNICUS

MODEL = "copernicus-fm-nano"
QUICK = ("--seeds", "1", "--draws", "10", "--protocol", "official", "--metadata", "off", "--no-baselines")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specimens")
    write_specimens(folder, Recipe(6, 3, 4))
    return folder


def bench(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*args), capture_output=True, text=True, check=False, env=ENVIRONMENT)


def _command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "armillary", "bench", *map(str, args)]


def _numbers(run: Path) -> dict[str, object]:
    cells = (json.loads(p.read_text()) for p in (run / "cells").glob("*.json"))
    return {json.dumps(c["question"]): {k: v for k, v in c.items() if k != "facts"} for c in cells}


def test_all_fifteen_tasks_have_a_row_and_a_score(data: Path, tmp_path: Path) -> None:
    done = bench("run", "--suite", "copernicus", "--model", MODEL, "--data", data, "-o", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()[1:16]
    assert [row.split()[0] for row in rows] == list(COPERNICUS)
    assert "failed" not in done.stdout
    assert len(_numbers(tmp_path / "run")) == 15


def test_one_damaged_file_is_named_and_the_others_stand(data: Path, tmp_path: Path) -> None:
    victim = sorted((data / "eurosat_s2").rglob("*.tif"))[0]
    whole = victim.read_bytes()
    try:
        victim.write_bytes(whole[: len(whole) // 2])
        tasks = ("--tasks", "eurosat-s1,eurosat-s2,lcz-s2")
        done = bench("run", "--model", MODEL, "--data", data, "-o", tmp_path / "run", *QUICK, *tasks, "--json")
    finally:
        victim.write_bytes(whole)
    assert done.returncode == 2
    assert victim.name in done.stderr
    told = json.loads(done.stdout)
    assert list(told["failed"]) == ["eurosat-s2"]
    assert len(told["table"]) == 4


def test_a_killed_run_goes_on_to_the_same_cells(data: Path, tmp_path: Path) -> None:
    tasks = ("--tasks", "eurosat-s1,eurosat-s2,dfc2020-s1,aq-no2-s5p")
    start = ("run", "--model", MODEL, "--data", data, *QUICK, *tasks)
    assert bench(*start, "-o", tmp_path / "whole").returncode == 0
    process = subprocess.Popen(_command(*start, "-o", tmp_path / "cut"), stderr=subprocess.PIPE, env=ENVIRONMENT)
    while not list((tmp_path / "cut" / "cells").glob("*.json")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert bench(*start, "-o", tmp_path / "cut").returncode == 2
    assert bench(*start, "-o", tmp_path / "cut", "--resume").returncode == 0
    assert _numbers(tmp_path / "cut") == _numbers(tmp_path / "whole")


def test_two_processes_have_the_score_of_one(data: Path, tmp_path: Path) -> None:
    start = ("run", "--model", MODEL, "--data", data, *QUICK, "--tasks", "eurosat-s2,flood-s1", "--batch-size", "4")
    assert bench(*start, "-o", tmp_path / "one").returncode == 0
    done = bench(*start, "-o", tmp_path / "two", "--processes", "2")
    assert done.returncode == 0, done.stderr
    assert _numbers(tmp_path / "two") == _numbers(tmp_path / "one")


def test_a_cell_is_verified_and_a_report_written(data: Path, tmp_path: Path) -> None:
    done = bench("run", "--model", MODEL, "--data", data, "-o", tmp_path, *QUICK, "--tasks", "lcz-s2")
    assert done.returncode == 0, done.stderr
    cell = next((tmp_path / "cells").glob("*.json")).stem
    checked = bench("verify", tmp_path, cell[:8], "--data", data)
    assert (checked.returncode, "agrees" in checked.stdout) == (0, True), checked.stderr
    assert bench("report", tmp_path).returncode == 0
    assert (tmp_path / "report.html").stat().st_size > 1000


def test_what_there_is_is_listed() -> None:
    told = json.loads(bench("list", "--json").stdout)
    assert told["suites"]["copernicus"] == list(COPERNICUS)
    assert MODEL in told["encoders"]


def test_a_model_of_no_name_ends_with_code_two(data: Path, tmp_path: Path) -> None:
    done = bench("run", "--model", "no-such-model", "--data", data, "-o", tmp_path)
    assert done.returncode == 2
    assert "no-such-model" in done.stderr
