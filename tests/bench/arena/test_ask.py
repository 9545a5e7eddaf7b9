from pathlib import Path

import numpy as np
import pytest
from tests.bench.invented import Chips, Memory, task

from armillary.bench.arena.ask import Setting, answered
from armillary.bench.arena.baselines import Constant
from armillary.bench.arena.cell import Cell, Question
from armillary.bench.arena.parts import parts_of
from armillary.bench.encoders.encoder import Look
from armillary.bench.encoders.plain import Nothing
from armillary.bench.features.frozen import Shot
from armillary.bench.features.known import read_known
from armillary.probe.asked import Seen

HALVES = tuple("ab"[n % 2] for n in range(60))


def _cell(run: Path, groups: tuple[str, ...] = (), draws: int = 200) -> Cell:
    """The most frequent class, asked of synthetic chips without a place."""
    one, files = task("one", placed=False), Memory()
    items = Chips(files, one.answer, placed=False)
    items.groups = groups
    known = read_known(one, files, items, run / "cache")
    parts = parts_of(known, one.answer, protocol="official", fraction=1.0, seed=0)
    shot = Shot(one, items, known, Nothing(), Look((), False, None, None))
    seen = Seen(np.zeros((60, 1), dtype=np.float32), ())
    question = Question("invented", "one", "none", (), "constant")
    return answered(Setting(question, shot, parts, Constant(), seen, draws=draws), run)


def _draws(run: Path, cell: Cell) -> np.ndarray:
    return np.asarray(np.load(run / str(cell.draws), allow_pickle=False))


def test_groups_of_a_task_are_drawn_as_a_whole(tmp_path: Path) -> None:
    cell = _cell(tmp_path, HALVES)
    assert len(np.unique(_draws(tmp_path, cell))) <= 3  # both, twice the one, twice the other


def test_groups_of_one_item_are_drawn_as_items_are(tmp_path: Path) -> None:
    alone = _cell(tmp_path / "alone", tuple(f"g{n:02d}" for n in range(60)))
    items = _cell(tmp_path / "items")
    assert np.array_equal(_draws(tmp_path / "alone", alone), _draws(tmp_path / "items", items))
    assert len(np.unique(_draws(tmp_path / "items", items))) > 3


def test_one_group_says_nothing_of_others(tmp_path: Path) -> None:
    cell = _cell(tmp_path, ("a",) * 60)
    assert np.isnan(cell.intervals["OA"]).all()
    assert np.isfinite(cell.score)


def test_an_interval_is_that_of_its_draws(tmp_path: Path) -> None:
    cell = _cell(tmp_path)
    assert np.quantile(_draws(tmp_path, cell), [0.025, 0.975]) == pytest.approx(cell.intervals["OA"], rel=1e-6)
