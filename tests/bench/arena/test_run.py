import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bench.invented import KINDS, Memory, task

from armillary.bench.arena.cell import Cell, read_cell, read_cells
from armillary.bench.arena.plan import Plan, fitting, read_plan
from armillary.bench.arena.run import Arena, contenders, expected, run
from armillary.bench.arena.verify import find_cell, verify
from armillary.bench.encoders.encoder import Encoder
from armillary.bench.encoders.zoo import ZooEncoder
from armillary.bench.report.board import board, failures
from armillary.errors import BadInput, OutputRefused, SceneNotFound
from armillary.models.copernicus_fm import CopernicusFMConfig, random_model
from armillary.probe.answer import ClassMap, OneOf

CONFIG = CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4)
SUITE = {kind: task(kind) for kind in ("one", "any", "map", "value", "values")}
PLAN = Plan("invented", ("tiny",), seeds=(0,), protocols=("official",), draws=20, baselines=False, told=(False,))


def opener(name: str) -> Encoder:
    if name.partition("@")[0] != "tiny":
        raise BadInput(f"no model is called {name}")
    return ZooEncoder.of(name, random_model(CONFIG, seed=1 if name.endswith("@random") else 0))


def arena(run_folder: Path, plan: Plan = PLAN, files: Memory | None = None) -> Arena:
    held = files or Memory()
    return Arena(plan, SUITE, Path(), run_folder, open_encoder=opener, open_files=lambda root, one: held)


def _numbers(cells: list[Cell]) -> Mapping[str, tuple[object, ...]]:
    return {c.question.id: (c.measures, c.intervals, c.confusion, c.items) for c in cells}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    return list(run(arena(tmp_path_factory.mktemp("whole"))))


@pytest.fixture(scope="module")
def asked_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cell]:
    folder = tmp_path_factory.mktemp("once")
    (cell,) = run(arena(folder, replace(PLAN, tasks=("one",))))
    return folder, cell


def test_every_kind_of_answer_gets_a_score(whole: list[Cell]) -> None:
    cells = whole
    assert [c.question.task for c in cells] == list(SUITE)
    assert [c.error for c in cells] == [None] * 5
    assert all(math.isfinite(c.score) for c in cells)
    assert {c.main for c in cells} == {"OA", "mAP", "mIoU", "RMSE"}


def test_a_model_that_sees_brightness_tells_brightness(tmp_path: Path) -> None:
    (cell,) = run(arena(tmp_path, replace(PLAN, tasks=("one",))))
    assert cell.score > 0.8
    assert cell.items == {"train": 30, "val": 12, "test": 18}
    assert np.sum(cell.confusion) == 18


@pytest.mark.parametrize("size", [1, 4, 60])
def test_the_score_does_not_depend_on_the_batch(tmp_path: Path, whole: list[Cell], size: int) -> None:
    assert PLAN.batch_size == 16
    other = list(run(arena(tmp_path, replace(PLAN, batch_size=size))))
    for a, b in zip(whole, other, strict=True):
        assert b.score == pytest.approx(a.score, abs=1e-5)


def test_a_damaged_file_is_named_and_the_other_tasks_stand(tmp_path: Path) -> None:
    broken = {"any": Memory(("chip07.tif",))}
    held = replace(arena(tmp_path), open_files=lambda root, one: broken.get(one.name, Memory()))
    cells = list(run(held))
    assert [c.question.task for c in cells if c.error] == ["any"]
    assert "chip07.tif" in failures(cells)["any"]
    rows = board(cells, list(SUITE.values()))
    assert len(rows) == 6
    assert rows[2][2] == "failed"


def test_an_archive_that_is_not_there_is_told_and_the_other_tasks_stand(tmp_path: Path) -> None:
    def absent(root: Path, one: object) -> Memory:
        if one is SUITE["map"]:
            raise SceneNotFound("map.zip was looked for and is not there")
        return Memory()

    cells = list(run(replace(arena(tmp_path), open_files=absent)))
    assert failures(cells) == {"map": "map.zip was looked for and is not there"}


def test_a_run_that_was_stopped_goes_on_to_the_same_cells(tmp_path: Path, whole: list[Cell]) -> None:
    steps = run(arena(tmp_path / "cut"))
    next(steps), next(steps)
    steps.close()
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "cut" / "cells").iterdir()}
    again = list(run(arena(tmp_path / "cut"), resume=True))
    assert _numbers(again) == _numbers(whole)
    assert all(p.stat().st_mtime_ns == t for p, t in stamps.items())


def test_a_folder_with_cells_is_not_run_again_unasked(tmp_path: Path) -> None:
    list(run(arena(tmp_path, replace(PLAN, tasks=("one",)))))
    with pytest.raises(BadInput, match="--resume"):
        list(run(arena(tmp_path)))


def test_a_cell_that_failed_is_asked_again(tmp_path: Path) -> None:
    plan = replace(PLAN, tasks=("one",))
    list(run(arena(tmp_path, plan, Memory(("chip07.tif",)))))
    (cell,) = run(arena(tmp_path, plan), resume=True)
    assert cell.error is None
    assert next(iter(read_cells(tmp_path))).error is None


def test_a_cell_that_is_damaged_is_asked_again(tmp_path: Path) -> None:
    plan = replace(PLAN, tasks=("one",))
    (cell,) = run(arena(tmp_path, plan))
    (path,) = (tmp_path / "cells").glob("*.json")
    path.write_text("{half")
    assert _numbers(list(run(arena(tmp_path, plan), resume=True))) == _numbers([cell])
    assert read_cell(path).score == cell.score


def test_two_runs_at_once_do_not_write_into_one_folder(tmp_path: Path) -> None:
    first = run(arena(tmp_path))
    next(first)
    with pytest.raises(OutputRefused, match="another run"):
        next(run(arena(tmp_path), resume=True))
    first.close()
    next(run(arena(tmp_path), resume=True))


def test_cells_of_one_folder_share_their_settings(tmp_path: Path) -> None:
    list(run(arena(tmp_path, replace(PLAN, tasks=("one",)))))
    with pytest.raises(BadInput, match="side_px=64"):
        list(run(arena(tmp_path, replace(PLAN, side_px=64)), resume=True))
    assert read_plan(tmp_path).tasks == ("one",)


def test_baselines_and_metadata_stand_in_rows_of_their_own(tmp_path: Path) -> None:
    plan = replace(PLAN, tasks=("one",), told=(True, False), baselines=True)
    rows = [(c.encoder, bool(c.knows), c.probe) for c in contenders(arena(tmp_path, plan), SUITE["one"])]
    assert rows == [
        ("tiny", True, "logistic"),
        ("tiny", False, "logistic"),
        ("tiny@random", False, "logistic"),
        ("none", False, "constant"),
        ("pixels", False, "boosting"),
        ("place-time", True, "boosting"),
    ]
    cells = list(run(arena(tmp_path, plan)))
    assert len(cells) == expected(arena(tmp_path, plan)) == 6
    assert [c.error for c in cells] == [None] * 6


def test_shares_seeds_and_blocks_are_cells_of_their_own(tmp_path: Path) -> None:
    plan = replace(PLAN, tasks=("one",), fractions=(0.1, 1.0), seeds=(0, 1), protocols=("official", "blocks"))
    cells = list(run(arena(tmp_path, plan)))
    assert len({c.question.id for c in cells}) == 8
    few = [c.items["train"] for c in cells if c.question.fraction == 0.1 and c.question.protocol == "official"]
    assert all(n <= 4 for n in few)


def test_a_model_that_nobody_knows_stops_the_run_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no model is called other"):
        list(run(arena(tmp_path, replace(PLAN, encoders=("other",)))))


def test_the_usual_probe_fits_the_answer() -> None:
    assert fitting("auto", ClassMap(KINDS)) == ("logistic",)
    assert fitting("auto", ClassMap(KINDS), official=True) == ("upernet",)
    assert fitting("ridge", OneOf(KINDS)) == ()


def test_what_is_told_of_a_cell_names_everything_that_decided_it(tmp_path: Path) -> None:
    (cell,) = run(arena(tmp_path, replace(PLAN, tasks=("one",))))
    assert set(cell.facts) == {"config", "data", "weights", "environment", "seconds", "when", "version", "git"}
    assert all(cell.facts[k] for k in ("config", "data", "weights", "version"))
    assert json.dumps(cell.facts)


def test_examples_lie_beside_the_cells(tmp_path: Path) -> None:
    cells = list(run(arena(tmp_path, replace(PLAN, tasks=("map", "one")))))
    for cell in cells:
        with np.load(tmp_path / str(cell.examples), allow_pickle=False) as held:
            assert held["pixels"].shape == (6, 32, 32, 3)
            assert len(held["keys"]) == len(held["truths"]) == len(held["predictions"]) == 6


def test_a_question_asked_again_agrees(tmp_path: Path) -> None:
    (cell,) = run(arena(tmp_path, replace(PLAN, tasks=("value",))))
    verdict = verify(arena(tmp_path), find_cell(tmp_path, cell.question.id[:6]))
    assert verdict.agrees
    assert not verdict.other
    assert "agrees" in str(verdict)


def test_a_score_that_was_changed_by_hand_does_not_agree(tmp_path: Path) -> None:
    (cell,) = run(arena(tmp_path, replace(PLAN, tasks=("one",))))
    forged = replace(cell, measures={**cell.measures, "OA": 0.123}, facts={**cell.facts, "data": "other"})
    verdict = verify(arena(tmp_path), forged)
    assert not verdict.agrees
    assert list(verdict.differences) == ["OA"]
    assert "data" in str(verdict)


@pytest.mark.parametrize(
    "forged",
    [
        {"measures": {}},
        {"main": "macro F1"},
        {"official_score": 0.9},
        {"intervals": {"OA": (0.99, 1.0)}},
        {"items": {"train": 1, "val": 2, "test": 3}},
        {"confusion": [[1]]},
        {"worst_region": {"score": 0.9}},
    ],
)
def test_no_number_of_a_cell_can_be_changed_by_hand_unseen(
    asked_once: tuple[Path, Cell], forged: dict[str, Any]
) -> None:
    folder, cell = asked_once
    assert not verify(arena(folder), replace(cell, **forged)).agrees


@pytest.mark.parametrize(
    "odd",
    [{"fractions": (0.0,)}, {"fractions": (2.0,)}, {"fractions": (math.nan,)}, {"fractions": ()}, {"epochs": 0},
     {"side_px": -5}, {"draws": 0}, {"seeds": ()}, {"batch_size": 0}],
)  # fmt: skip
def test_a_plan_that_cannot_be_asked_is_refused_at_once(odd: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        replace(PLAN, **odd)


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(BadInput, match=r"plan\.json"):
        read_plan(tmp_path)
