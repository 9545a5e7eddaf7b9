from pathlib import Path

import numpy as np
import pytest
from tests.bench.synthetic_cells import cell, whole_run, write_cells

from armillary.bench.report_cells import failed, gather, read_cells
from armillary.errors import SceneNotFound


def test_seeds_are_averaged_and_their_spread_is_their_standard_deviation(tmp_path: Path) -> None:
    values = (0.4, 0.5, 0.7)
    cells, _ = read_cells(write_cells(tmp_path, [cell(value=v, seed=s) for s, v in enumerate(values)]))
    (line,) = gather(cells)
    assert line.seeds == 3
    np.testing.assert_allclose([line.mean, line.spread], [np.mean(values), np.std(values, ddof=1)])


def test_seeds_ask_the_same_items_so_their_interval_does_not_shrink(tmp_path: Path) -> None:
    cells, _ = read_cells(write_cells(tmp_path, [cell(value=0.5, seed=s) for s in range(4)]))
    (line,) = gather(cells)
    np.testing.assert_allclose([line.low, line.high], [0.4, 0.6])


def test_folds_ask_other_items_so_their_interval_shrinks_by_the_root_of_their_number(tmp_path: Path) -> None:
    cells, _ = read_cells(write_cells(tmp_path, [cell(f"toy.{f}", value=0.5) for f in "1234"]))
    (line,) = gather(cells)
    assert (line.asking.question, line.folds) == ("toy", 4)
    np.testing.assert_allclose([line.low, line.high], [0.45, 0.55])


@pytest.mark.parametrize(("main", "first"), [("OA", 0.9), ("RMSE", 0.1)])
def test_the_best_line_comes_first_whatever_best_means(tmp_path: Path, main: str, first: float) -> None:
    told = [cell(main=main, value=v, encoder=f"e{v}") for v in (0.5, 0.1, 0.9)]
    assert gather(read_cells(write_cells(tmp_path, told))[0])[0].mean == first


def test_a_failed_cell_is_told_and_never_scored(tmp_path: Path) -> None:
    cells, _ = read_cells(whole_run(tmp_path))
    assert [c.asking.encoder for c in failed(cells)["chip7.tif cannot be read; fetch the file again"]] == ["broken"]
    assert "broken" not in {x.asking.encoder for x in gather(cells)}


def test_a_file_that_is_no_cell_is_told_by_name_and_loses_no_other(tmp_path: Path) -> None:
    (write_cells(tmp_path, [cell()]) / "cells" / "cut.json").write_text('{"question": ')
    cells, complaints = read_cells(tmp_path)
    assert len(cells) == 1
    assert [c.startswith("cut.json is no cell") for c in complaints] == [True]


def test_what_is_unknown_is_nan_and_not_zero(tmp_path: Path) -> None:
    (found,) = read_cells(write_cells(tmp_path, [cell(intervals={}, measures={"OA": None})]))[0]
    assert np.isnan([found.measure("OA"), *found.interval("OA"), found.measure("mAP")]).all()


def test_a_run_without_cells_says_so(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="run the benchmark first"):
        read_cells(tmp_path)
