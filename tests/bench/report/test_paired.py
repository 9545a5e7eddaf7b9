import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.bench.synthetic_cells import cell

from armillary.bench.arena.cell import Cell
from armillary.bench.report.cells import gather, over_folds
from armillary.bench.report.paired import difference, differences, table, verdict
from armillary.errors import SceneUnreadable
from armillary.probe.intervals import Interval, mean_interval


def _with_draws(run: Path, one: Cell, draws: np.ndarray) -> Cell:
    path = run / "draws" / f"{one.question.id}.npy"
    path.parent.mkdir(exist_ok=True)
    np.save(path, draws)
    return replace(one, draws=f"draws/{path.name}")


def _two(run: Path, main: str, ours: np.ndarray, theirs: np.ndarray, seeds: int = 1) -> list[Cell]:
    """Synthetic cells of a model and of a constant."""
    both = (("nano", "logistic", ours), ("none", "constant", theirs))
    return [
        _with_draws(run, cell(main=main, value=float(x.mean()), encoder=e, probe=p, seed=s), x)
        for e, p, x in both
        for s in range(seeds)
    ]


@pytest.mark.parametrize(("main", "sign"), [("OA", 1), ("RMSE", -1)])
def test_a_gain_is_above_zero_where_ours_is_better_whichever_way_the_measure_counts(
    tmp_path: Path, main: str, sign: int
) -> None:
    draws = np.linspace(0.4, 0.6, 101)
    lines = gather(_two(tmp_path, main, draws + 0.1, draws))
    (found,) = differences(tmp_path, lines)
    assert [sign * x for x in (found.gain.mean, found.gain.low, found.gain.high)] == pytest.approx([0.1] * 3)


def test_what_both_were_asked_cancels_where_two_intervals_would_overlap(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    together = rng.normal(0.5, 0.1, 500)
    ours, theirs = together + 0.02 + rng.normal(0, 0.001, 500), together
    (found,) = differences(tmp_path, gather(_two(tmp_path, "OA", ours, theirs)))
    assert found.gain.sure
    assert found.gain.high - found.gain.low < 0.01


def test_a_difference_over_seeds_is_the_mean_of_each_seeds(tmp_path: Path) -> None:
    draws = np.linspace(0.3, 0.7, 41)
    lines = gather(_two(tmp_path, "OA", draws + 0.05, draws, seeds=3))
    (found,) = differences(tmp_path, lines)
    assert found.pairs == 3
    assert (found.gain.low, found.gain.high) == pytest.approx((0.05, 0.05))


def test_without_draws_a_difference_has_no_interval(tmp_path: Path) -> None:
    cells = [cell(encoder="nano"), cell(encoder="none", probe="constant", value=0.4)]
    (found,) = differences(tmp_path, gather(cells))
    assert found.gain.mean == pytest.approx(0.1)
    assert math.isnan(found.gain.low)
    assert verdict(found.gain) == "–"


def test_folds_of_one_group_each_are_judged_by_students_t(tmp_path: Path) -> None:
    gains = [0.1, 0.2, 0.15]
    cells = []
    for fold, gain in enumerate(gains):
        ours = cell(task=f"toy.{fold}", value=0.5 + gain)
        theirs = cell(task=f"toy.{fold}", value=0.5, encoder="none", probe="constant")
        cells += [_with_draws(tmp_path, c, np.full(10, np.nan)) for c in (ours, theirs)]
    (found,) = differences(tmp_path, gather(cells))
    wanted = mean_interval(np.array(gains))
    assert (found.gain.low, found.gain.high) == pytest.approx((wanted.low, wanted.high))


def test_one_fold_keeps_its_own_interval() -> None:

    found = over_folds([Interval(0.5, 0.4, 0.7)])
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.4, 0.7))


def test_questions_that_were_not_asked_of_both_have_no_difference(tmp_path: Path) -> None:
    ours, theirs = gather([cell(seed=0), cell(seed=1, encoder="none", probe="constant")])
    assert difference(tmp_path, ours, theirs) is None


def test_a_model_is_compared_with_itself_untold_and_never_with_another(tmp_path: Path) -> None:
    cells = [cell(knows=("place",)), cell(), cell(encoder="other"), cell(encoder="nano@random")]
    found = {(d.ours.asking.who, d.theirs.asking.who) for d in differences(tmp_path, gather(cells))}
    told, untold, other = "nano, told place, logistic", "nano, logistic", "other, logistic"
    random = "nano@random, logistic"
    assert found == {(told, untold), (told, random), (untold, random), (other, random)}


def test_a_table_says_what_an_interval_says(tmp_path: Path) -> None:
    draws = np.linspace(0.4, 0.6, 101)
    found = table(differences(tmp_path, gather(_two(tmp_path, "OA", draws + 0.1, draws))))
    assert found is not None
    assert found.rows == (("nano, logistic", "none, constant", "+0.100", "+0.100 to +0.100", "better"),)
    assert table([]) is None


def test_damaged_draws_are_named(tmp_path: Path) -> None:
    cells = _two(tmp_path, "OA", np.ones(3), np.ones(3))
    (tmp_path / str(cells[0].draws)).write_bytes(b"no array")
    with pytest.raises(SceneUnreadable, match=cells[0].question.id):
        list(differences(tmp_path, gather(cells)))
