import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.bench.invented import task
from tests.bench.synthetic_cells import CLASSES, cell, whole_run, write_cells

from armillary.bench.report.write import report
from armillary.bench.task import Task
from armillary.probe.answer import OneOf, Value


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    folds = {
        f"toy.{f}": replace(task(), name=f"toy.{f}", answer=OneOf(CLASSES), note="invented <b>chips</b>") for f in "12"
    }
    return {**folds, "values": replace(task(), name="values", answer=Value("m"))}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tasks: dict[str, Task]) -> Path:
    folder = whole_run(tmp_path_factory.mktemp("run"))
    report(folder, tasks)
    return folder


def test_the_page_asks_for_no_other_file_and_runs_nothing(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_shows_bars_curves_counts_regions_and_examples_in_words_too(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    for words in ("whiskers: 95 %", "over the share of labels", "share of each true class", "by region", "examples, "):
        assert page.count('alt="') == page.count("<img ")
        assert words in page


def test_words_of_a_task_cannot_become_markup(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;chips" in page
    assert "<b>chips" not in page


def test_markdown_has_every_question_every_failure_and_where_scores_come_from(run: Path) -> None:
    text = (run / "report.md").read_text(encoding="utf-8")
    for heading in ("## Summary", "## toy", "## Not answered", "## Where the scores come from"):
        assert heading in text
    assert "chip7.tif cannot be read" in text


def test_parquet_has_one_row_per_cell(run: Path) -> None:
    table = pq.read_table(run / "results.parquet")
    assert table.num_rows == len(list((run / "cells").glob("*.json")))


def test_the_same_cells_make_the_same_report(run: Path, tasks: dict[str, Task]) -> None:
    before = [(run / n).read_bytes() for n in ("report.md", "report.html", "results.csv")]
    report(run, tasks)
    assert before == [(run / n).read_bytes() for n in ("report.md", "report.html", "results.csv")]


def test_cells_of_an_unknown_task_are_reported_all_the_same(tmp_path: Path) -> None:
    report(write_cells(tmp_path, [cell("stranger")]), {})
    assert "## stranger" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_run_of_failures_alone_is_a_report_too(tmp_path: Path) -> None:
    report(write_cells(tmp_path, [cell(error="no file", measures={})]), {})
    assert "no file" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_questions_stand_in_the_order_of_their_suite(tmp_path: Path, tasks: dict[str, Task]) -> None:
    folder = write_cells(tmp_path, [cell("toy.1"), cell("values", main="RMSE")])
    report(folder, {"values": tasks["values"], "toy.1": tasks["toy.1"]})
    text = (folder / "report.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert [("values" in h, "toy" in h) for h in headings[1:3]] == [(True, False), (False, True)]


def test_a_baseline_is_never_the_one_whose_answers_are_drawn(tmp_path: Path, tasks: dict[str, Task]) -> None:
    counts = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    cells = [
        cell("toy.1", value=v, encoder=e, probe=p, confusion=counts)
        for e, p, v in (("nano@random", "logistic", 0.9), ("none", "constant", 0.8), ("nano", "logistic", 0.1))
    ]
    report(write_cells(tmp_path, cells), tasks)
    assert "share of each true class, nano, logistic" in (tmp_path / "report.html").read_text(encoding="utf-8")
