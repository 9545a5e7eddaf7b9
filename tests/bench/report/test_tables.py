import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from tests.bench.invented import task
from tests.bench.synthetic_cells import CLASSES, cell, whole_run

from armillary.bench.published import REFERENCE
from armillary.bench.report.cells import gather, read_all
from armillary.bench.report.tables import DASH, Table, as_csv, as_table, records, scores, spelled, summary
from armillary.bench.task import Task
from armillary.probe.answer import OneOf, Value


@pytest.fixture
def toy() -> Task:
    return replace(task(), name="toy", answer=OneOf(CLASSES), published={REFERENCE: (0.6, 0.01), "other": (0.7, 0.0)})


def test_published_rows_stand_beside_ours_with_differences(toy: Task) -> None:
    (table,) = scores(gather([cell(value=0.55)]), {"toy": toy})
    column = table.head.index(f"less {REFERENCE}")
    assert [row[column] for row in table.rows] == ["-0.050", "+0.000", "+0.100"]
    assert table.rows[1][0] == f"*published: {REFERENCE}*"


def test_a_score_averaged_as_published_is_what_is_compared_with_published_ones(toy: Task) -> None:
    (table,) = scores(gather([cell(value=0.55, official=True, official_score=0.65)]), {"toy": toy})
    assert table.rows[0][table.head.index(f"less {REFERENCE}")] == "+0.050"


def test_rows_of_a_table_are_as_wide_as_its_head(tmp_path: Path, toy: Task) -> None:
    lines = gather(read_all(whole_run(tmp_path))[0])
    for question in ("toy", "values"):
        some = [x for x in lines if x.asking.question == question]
        for table in (*scores(some, {"toy": toy}), summary(some, {"toy": toy})):
            assert {len(row) for row in table.rows} == {len(table.head)}


def test_the_summary_has_one_row_per_question_and_baselines_before_models(tmp_path: Path) -> None:
    table = summary(gather(read_all(whole_run(tmp_path))[0]), {})
    assert [row[:2] for row in table.rows] == [("toy", "OA ↑"), ("values", "RMSE ↓")]
    assert table.head[2:6] == ("constant", "pixels", "nano", "nano, told")


def test_folds_that_are_absent_are_counted() -> None:
    (table,) = scores(gather([cell("toy.1"), cell("toy.2"), cell("toy.1", encoder="half")]), {})
    assert sorted(row[-1] for row in table.rows) == ["1 x 1 of 2 folds", "1 x 2 of 2 folds"]


def test_csv_and_parquet_hold_every_cell_with_its_provenance(tmp_path: Path) -> None:
    cells, _ = read_all(whole_run(tmp_path))
    rows = records(cells)
    read = list(csv.DictReader(StringIO(as_csv(rows))))
    table = as_table(rows).to_pylist()
    assert len(read) == len(table) == len(cells)
    assert {"fact config", "fact data", "fact weights", "fact environment", "fact seconds", "seed"} <= set(read[0])
    for found, text, known in zip(table, read, cells, strict=True):
        assert (found["id"], found["error"]) == (known.question.id, known.error)
        assert found.get(known.main) == known.measures.get(known.main)
        assert text[known.main] == ("" if known.error else str(known.score))


def test_a_bar_in_a_word_does_not_break_the_row() -> None:
    assert Table(("a",), (("x|y",),)).markdown().endswith("| x\\|y |")


def test_an_unknown_number_is_a_dash() -> None:
    assert spelled(float("nan")) == DASH


def test_shares_of_the_labels_stand_beside_each_other(tmp_path: Path) -> None:
    lines = [x for x in gather(read_all(whole_run(tmp_path))[0]) if x.asking.question == "toy"]
    whole, shares = scores(lines, {})
    assert shares.head[1:] == ("1%", "10%", "100%")
    by_who = {row[0]: row[-1] for row in shares.rows}
    assert [by_who[x.asking.who] for x in lines if x.asking.fraction == 1] == [row[3] for row in whole.rows]


def test_a_spread_of_nothing_is_not_written(tmp_path: Path) -> None:
    (table,) = scores(gather([cell(seed=s) for s in range(3)]), {})
    assert table.rows[0][table.head.index("OA")] == "0.500"


def test_the_unit_of_a_value_is_told(tmp_path: Path) -> None:
    tasks = {"values.1": replace(task(), name="values.1", answer=Value("mol m-2"))}
    (table,) = scores(gather([cell("values.1", main="RMSE")]), tasks)
    assert table.title.startswith("RMSE in mol m-2 ↓")


def test_a_mean_over_fewer_folds_says_so(tmp_path: Path) -> None:
    cells = [cell("toy.1"), cell("toy.2"), cell("toy.1", encoder="none", probe="constant")]
    table = summary(gather(cells), {})
    words = dict(zip(table.head, table.rows[0], strict=True))
    assert words["constant"].endswith("(1 of 2 folds)")
    assert "folds" not in words["nano"]
