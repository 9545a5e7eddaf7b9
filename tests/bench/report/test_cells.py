from pathlib import Path

import numpy as np
import pytest
from tests.bench.synthetic_cells import cell, whole_run, write_cells

from armillary.bench.report.cells import failed, gather, read_all
from armillary.errors import SceneNotFound
from armillary.probe.intervals import mean_interval


def test_seeds_are_averaged_and_their_spread_is_their_standard_deviation() -> None:
    values = (0.4, 0.5, 0.7)
    (line,) = gather(cell(value=v, seed=s) for s, v in enumerate(values))
    assert line.seeds == 3
    np.testing.assert_allclose([line.mean, line.spread], [np.mean(values), np.std(values, ddof=1)])


def test_seeds_ask_the_same_items_so_their_interval_does_not_shrink() -> None:
    (line,) = gather(cell(value=0.5, seed=s) for s in range(4))
    np.testing.assert_allclose([line.low, line.high], [0.4, 0.6])


def test_folds_ask_other_items_so_their_interval_shrinks_by_the_root_of_their_number() -> None:
    (line,) = gather(cell(f"toy.{f}", value=0.5) for f in "1234")
    assert (line.asking.question, line.folds) == ("toy", 4)
    np.testing.assert_allclose([line.low, line.high], [0.45, 0.55])


def test_folds_that_differ_more_than_their_items_tell_make_the_interval_that_students_t_has() -> None:
    values = np.array([0.1, 0.5, 0.9])
    (line,) = gather(cell(f"toy.{f}", value=v) for f, v in zip("123", values.tolist(), strict=True))
    expected = mean_interval(values)
    np.testing.assert_allclose([line.mean, line.low, line.high], [expected.mean, expected.low, expected.high])


@pytest.mark.parametrize(("main", "first"), [("OA", 0.9), ("RMSE", 0.1)])
def test_the_best_line_comes_first_whatever_best_means(main: str, first: float) -> None:
    assert gather(cell(main=main, value=v, encoder=f"e{v}") for v in (0.5, 0.1, 0.9))[0].mean == first


def test_a_line_without_a_score_comes_last() -> None:
    lines = gather([cell(value=float("nan"), encoder="unknown"), cell(value=0.1)])
    assert [x.asking.encoder for x in lines] == ["nano", "unknown"]


def test_a_failed_cell_is_told_and_never_scored(tmp_path: Path) -> None:
    cells, _ = read_all(whole_run(tmp_path))
    assert [c.question.encoder for c in failed(cells)["chip7.tif cannot be read; fetch the file again"]] == ["broken"]
    assert "broken" not in {x.asking.encoder for x in gather(cells)}


def test_a_file_that_is_no_cell_is_told_by_name_and_loses_no_other(tmp_path: Path) -> None:
    (write_cells(tmp_path, [cell()]) / "cells" / "cut.json").write_text('{"question": ')
    cells, complaints = read_all(tmp_path)
    assert len(cells) == 1
    assert [c.startswith("cut.json is no cell") for c in complaints] == [True]


def test_a_measure_that_is_not_there_is_nan_and_not_zero() -> None:
    (line,) = gather([cell(intervals={})])
    assert np.isnan([line.low, line.high, line.measure("mAP"), line.official_score, line.spread]).all()


def test_a_run_without_cells_says_so(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="run the benchmark first"):
        read_all(tmp_path)


def test_a_seed_that_was_not_asked_every_fold_does_not_widen_the_spread() -> None:
    whole = [cell(f"toy.{f}", value=0.2 + 0.5 * f, seed=s) for f in (0, 1) for s in (0, 1)]
    (line,) = gather([*whole, cell("toy.0", value=0.2, seed=2)])
    assert line.spread == pytest.approx(0.0)
