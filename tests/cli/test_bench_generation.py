"""The suite `generation` as a user meets it, on noise in the layout of studies/pairs.py and an untrained model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bench.generation.worlds import radar_and_relief

from armillary.cli.app import main
from armillary.earth.card import find_sensor
from armillary.sample.tiling import write_tiles

MODEL = "cop-gen-nano@random"
QUICK = ("--suite", "generation", "--model", MODEL, "--steps", "1", "--samples", "2", "--tasks", "told,dem")


def bench(*args: str | Path) -> int:
    try:
        main(["bench", *map(str, args)])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiles = (*radar_and_relief("a", "train"), *radar_and_relief("b", "held-out"))
    return write_tiles(tmp_path_factory.mktemp("data") / "pairs", tiles)


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "out"
    assert bench("run", *QUICK, "--data", data, "-o", folder) == 0
    return folder


def test_every_given_set_that_is_there_has_a_row(data: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("run", *QUICK, "--data", data, "-o", folder, "--resume", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cells"] == 6
    assert not told["failed"]
    given = ["nothing", "notes", "s1-rtc", "s1-rtc + notes", "all others", "all others + notes"]
    assert [row["given"] for row in told["table"] if row["strand"] == "dem"] == given
    assert {row["strand"] for row in told["table"]} == {"dem", "dem-mean"}


def test_a_cell_is_verified_and_a_report_written(data: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = next((folder / "cells").glob("*.json"))
    assert bench("verify", folder, cell.stem[:8], "--data", data) == 0
    assert "agrees" in capsys.readouterr().out
    assert bench("report", folder) == 0
    assert "cop-gen-nano@random" in (folder / "report.md").read_text()


def test_an_answer_that_was_changed_does_not_agree(
    data: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = next((folder / "cells").glob("*.json"))
    found = json.loads(cell.read_text())
    found["numbers"]["fidelity"]["expected"]["dem"]["mae"][0] += 1
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / cell.name).write_text(json.dumps(found))
    (tmp_path / "plan.json").write_text((folder / "plan.json").read_text())
    assert bench("verify", tmp_path, cell.stem, "--data", data) == 2
    assert "does not agree: /fidelity/expected/dem/mae/0" in capsys.readouterr().err


def test_a_cell_whose_items_were_changed_does_not_agree_whatever_lies_beside_it(
    data: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = next((folder / "cells").glob("*.json"))
    found = json.loads(cell.read_text())
    found["items"][0][1] = "elsewhere"
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / cell.name).write_text(json.dumps(found))
    (tmp_path / "cells" / f"{'~' * 20}.json").write_text("damaged")
    (tmp_path / "plan.json").write_text((folder / "plan.json").read_text())
    assert bench("verify", tmp_path, cell.stem, "--data", data) == 2
    assert "does not agree: /items/0/1 elsewhere is now b" in capsys.readouterr().err


def test_what_no_floor_tells_is_null_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No training place has relief, so there is no floor."""
    radar, relief = radar_and_relief("a", "train")
    water = replace(relief, sample=replace(relief.sample, sensor=find_sensor("water")))
    lonely = write_tiles(tmp_path / "pairs", (radar, water, *radar_and_relief("b", "held-out")))
    assert bench("run", *QUICK, "--data", lonely, "-o", tmp_path / "out", "--json") == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {row["over_best_floor"] for row in told["table"]} == {None}


def test_a_run_that_is_there_and_a_model_of_no_name_end_with_code_two(
    data: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("run", *QUICK, "--data", data, "-o", folder) == 2
    assert "--resume" in capsys.readouterr().err
    assert bench("run", "--suite", "generation", "--model", "copernicus-fm-nano", "--data", data, "-o", tmp_path) == 2
    assert "models that generate" in capsys.readouterr().err


def test_the_suite_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("list") == 0
    assert "generation: any strand from any others; models cop-gen-thumb, cop-gen-nano" in capsys.readouterr().out


def test_the_suite_asks_a_model_that_generates_where_none_is_named(data: Path, tmp_path: Path) -> None:
    words = ("--suite", "generation", "--steps", "1", "--samples", "2", "--tasks", "told,dem", "--data", data)
    assert bench("run", *words, "-o", tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["models"] == ["cop-gen-nano"]
