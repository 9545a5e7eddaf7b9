from dataclasses import replace

from tests.bench.invented import renamed, task
from tests.bench.synthetic_cells import cell

from armillary.bench.report.board import board, failures, legend
from armillary.probe.answer import Value


def test_a_row_is_the_mean_of_seeds_and_folds() -> None:
    tasks = [renamed(task(), "a.north"), renamed(task(), "a.south")]
    rows = board([cell("a.north", value=0.5), cell("a.south", value=0.7)], tasks)
    assert len(rows) == 2
    assert rows[1][:3] == ("a", "OA ^", "0.600±0.141")


def test_equal_scores_have_no_deviation() -> None:
    rows = board([cell("a", value=0.5, seed=seed) for seed in (0, 1)], [renamed(task(), "a")])
    assert rows[1][2] == "0.500"


def test_a_task_without_a_score_says_that_it_failed() -> None:
    broken = replace(cell("a", value=0.5), measures={}, error="a.tif is damaged; fetch it again")
    assert board([broken], [renamed(task(), "a")])[1][2] == "failed"
    assert failures([broken]) == {"a": "a.tif is damaged; fetch it again"}


def test_a_value_is_shown_with_its_unit() -> None:
    one = replace(task("value"), answer=Value("K"))
    assert board([cell("value", "RMSE", 1.0)], [one])[1][1] == "RMSE K v"


def test_the_legend_counts_seeds() -> None:
    assert "over 2 seeds" in legend([cell("a", value=0.5, seed=seed) for seed in (0, 1)])
