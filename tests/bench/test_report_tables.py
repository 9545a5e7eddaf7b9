import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from tests.bench.invented import task
from tests.bench.synthetic_cells import CLASSES, cell, whole_run, write_cells

from armillary.bench.report_cells import gather, read_cells
from armillary.bench.report_tables import DASH, REFERENCE, Table, as_csv, as_table, records, scores, spelled, summary
from armillary.bench.task import Task
from armillary.probe.answer import OneOf


@pytest.fixture
def toy() -> Task:
    made = task()
    return replace(made, name="toy", answer=OneOf(CLASSES), published={REFERENCE: (0.6, 0.01), "other": (0.7, 0.0)})


def test_published_rows_stand_beside_ours_with_differences(tmp_path: Path, toy: Task) -> None:
    lines = gather(read_cells(write_cells(tmp_path, [cell(value=0.55)]))[0])
    (table,) = scores(lines, {"toy": toy})
    column = table.head.index(f"less {REFERENCE}")
    assert [row[column] for row in table.rows] == ["-0.050", "+0.000", "+0.100"]
    assert table.rows[1][0] == f"*published: {REFERENCE}*"


def test_a_score_averaged_as_published_is_what_is_compared_with_published_ones(tmp_path: Path, toy: Task) -> None:
    lines = gather(read_cells(write_cells(tmp_path, [cell(value=0.55, official=True, official_score=0.65)]))[0])
    (table,) = scores(lines, {"toy": toy})
    assert table.rows[0][table.head.index(f"less {REFERENCE}")] == "+0.050"


def test_rows_of_a_table_are_as_wide_as_its_head(tmp_path: Path, toy: Task) -> None:
    lines = gather(read_cells(whole_run(tmp_path))[0])
    for question in ("toy", "values"):
        some = [x for x in lines if x.asking.question == question]
        for table in (*scores(some, {"toy": toy}), summary(some, {"toy": toy})):
            assert {len(row) for row in table.rows} == {len(table.head)}


def test_the_summary_has_one_row_per_question_and_baselines_before_models(tmp_path: Path) -> None:
    table = summary(gather(read_cells(whole_run(tmp_path))[0]), {})
    assert [row[:2] for row in table.rows] == [("toy", "OA ↑"), ("values", "RMSE ↓")]
    assert table.head[2:6] == ("none, constant", "pixels, boosting", "nano, logistic", "nano, told place, logistic")


def test_folds_that_are_absent_are_counted(tmp_path: Path) -> None:
    told = [cell("toy.1"), cell("toy.2"), cell("toy.1", encoder="half")]
    (table,) = scores(gather(read_cells(write_cells(tmp_path, told))[0]), {})
    assert sorted(row[-1] for row in table.rows) == ["1 x 1 of 2 folds", "1 x 2 of 2 folds"]


def test_csv_and_parquet_hold_every_cell_with_its_provenance(tmp_path: Path) -> None:
    cells, _ = read_cells(whole_run(tmp_path))
    rows = records(cells)
    read = list(csv.DictReader(StringIO(as_csv(rows))))
    table = as_table(rows)
    assert len(read) == table.num_rows == len(cells)
    assert {"fact config", "fact data", "fact weights", "fact environment", "fact seconds", "seed"} <= set(read[0])
    assert table["OA"].to_pylist()[0] == float(read[0]["OA"]) == cells[0].measure("OA")
    assert table["OA low"].to_pylist()[-1] is None  # the failed one


def test_a_bar_in_a_word_does_not_break_the_row() -> None:
    assert Table(("a",), (("x|y",),)).markdown().endswith("| x\\|y |")


def test_an_unknown_number_is_a_dash() -> None:
    assert spelled(float("nan")) == DASH
