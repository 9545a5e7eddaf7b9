import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from armillary.bench.arena.cell import Cell, Question, read_cell, read_cells
from armillary.errors import BadInput

ASKED = Question("suite", "task", "encoder", ("place",), "knn", "official", 0.1, 2)


def test_a_cell_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    cell = Cell(
        ASKED,
        "OA",
        measures={"OA": 0.5, "F1 x": math.nan},
        intervals={"OA": (0.4, 0.6)},
        items={"train": 3, "val": 1, "test": 2},
        confusion=[[1, 0], [1, 2]],
        choices={"C": 1.0},
        regions=({"lon": 1.0, "lat": 2.0, "n": 3, "score": 0.5},),
        facts={"seconds": 1.5},
    )
    again = read_cell(cell.write(tmp_path))
    assert math.isnan(again.measures["F1 x"])
    assert replace(again, measures={}) == replace(cell, measures={})


@pytest.mark.parametrize(
    "change",
    [
        {"task": "x"},
        {"knows": ()},
        {"probe": "ridge"},
        {"protocol": "blocks"},
        {"fraction": 0.01},
        {"seed": 0},
        {"official": True},
    ],
)
def test_another_question_has_another_id(change: dict[str, object]) -> None:
    assert replace(ASKED, **change).id != ASKED.id
    assert replace(ASKED).id == ASKED.id


def test_a_file_holds_numbers_that_every_reader_of_json_takes(tmp_path: Path) -> None:
    path = Cell(ASKED, "RMSE", measures={"RMSE": math.inf, "R2": math.nan}).write(tmp_path)
    found = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found["measures"] == {"RMSE": None, "R2": None}


def test_half_a_file_is_refused_by_name(tmp_path: Path) -> None:
    path = Cell(ASKED, "OA").write(tmp_path)
    path.write_text(path.read_text()[:50])
    with pytest.raises(BadInput, match=path.name):
        list(read_cells(tmp_path))


def test_a_cell_without_an_answer_has_no_score() -> None:
    assert math.isnan(Cell(ASKED, "OA", error="there was none").score)


@pytest.mark.parametrize(
    "forged",
    [
        {"question": {**asdict(ASKED), "seed": 5}},
        {"main": "nonsense"},
        {"items": [1]},
        {"measures": {"OA": "high"}},
        {"more": 1},
    ],
)
def test_a_cell_that_was_changed_by_hand_is_refused_by_name(tmp_path: Path, forged: dict[str, object]) -> None:
    path = Cell(ASKED, "OA", measures={"OA": 0.5}).write(tmp_path)
    assert read_cell(path).score == 0.5
    path.write_text(json.dumps(json.loads(path.read_text()) | forged))
    with pytest.raises(BadInput, match=path.name):
        read_cell(path)
