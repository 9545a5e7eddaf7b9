"""A whole run on the exact denoiser: it stops, goes on, and tells the same. Synthetic."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.bench.generation.worlds import material, teller

from armillary.bench.generation.cell import Cell, Question, read_cell, read_cells
from armillary.bench.generation.pictures import read_pictures
from armillary.bench.generation.plan import GenerationPlan, read_plan
from armillary.bench.generation.run import Course, expected, run
from armillary.errors import BadInput
from armillary.train import checkpoint
from armillary.train.checkpoint import Checkpoint

PLAN = GenerationPlan(("exact",), ("s2-l2a",), sampled=2, samples=2, steps=2, crowd=8, rounds=2)


def describe():
    return lambda samples: (
        np.stack([s.pixels.mean(axis=(1, 2)).repeat(2) for s in samples])
        + np.random.default_rng(len(samples)).normal(size=(len(samples), 2), scale=1e-3)
    )


def course(folder, plan=PLAN):
    return Course(
        plan, folder, folder, open_teller=lambda name: teller(name, plan.steps), open_material=lambda _: material(16),
        describe=describe,
    )  # fmt: skip


def numbers(folder):
    return {c.question.id: json.dumps(dict(c.numbers), sort_keys=True) for c in read_cells(folder)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, list(run(course(folder)))


def test_every_question_that_can_be_answered_is_a_cell(finished):
    folder, cells = finished
    assert [c.error for c in cells] == [None] * len(cells)
    assert {c.question.kind for c in cells} == {"told", "sampled", "drift", "crowd"}
    assert len(cells) == len(list(read_cells(folder))) == len(expected(course(folder)))
    facts = cells[0].facts
    assert {"config", "data", "weights", "seed", "environment", "seconds", "when"} <= set(facts)


def test_a_run_that_was_stopped_ends_with_the_same_numbers(finished, tmp_path):
    begun = run(course(tmp_path))
    for _ in range(9):
        next(begun)
    begun.close()
    with pytest.raises(BadInput, match="--resume"):
        next(run(course(tmp_path)))
    assert len(list(run(course(tmp_path), resume=True))) == len(finished[1])
    assert numbers(tmp_path) == numbers(finished[0])


def test_a_cell_that_was_changed_is_refused_and_asked_again(finished, tmp_path):
    path = finished[1][0].write(tmp_path)
    moved = path.rename(path.with_stem("0" * 20))
    with pytest.raises(BadInput, match="its name is not its own"):
        read_cell(moved)


def test_a_folder_holds_one_set_of_settings(finished):
    folder, _ = finished
    with pytest.raises(BadInput, match="samples=2, and samples=3"):
        next(run(course(folder, replace(PLAN, samples=3)), resume=True))
    assert read_plan(folder) == PLAN


def test_a_folder_holds_answers_on_one_set_of_data_and_from_one_set_of_weights(finished, tmp_path):
    folder, cells = finished
    for change, what in ((lambda m: replace(m, checksum="other"), "data"), (lambda m: m, "weights")):
        digest = "exact" if what == "data" else "trained on"
        again = replace(
            course(folder), open_material=lambda _, change=change: change(material(16)),
            open_teller=lambda name, digest=digest: replace(teller(name, PLAN.steps), digest=digest),
        )  # fmt: skip
        with pytest.raises(BadInput, match=f"with other {what} than"):
            next(run(again, resume=True))
    assert len(list(read_cells(folder))) == len(cells)


def test_where_nothing_can_be_asked_nothing_is_written(tmp_path):
    with pytest.raises(BadInput, match="drift, s1-rtc no held-out item"):
        next(run(course(tmp_path / "new", replace(PLAN, tasks=("drift", "s1-rtc")))))
    assert not (tmp_path / "new").exists()


def test_a_model_that_is_named_twice_is_asked_once(tmp_path):
    once, twice = (expected(course(tmp_path, replace(PLAN, models=("exact",) * n))) for n in (1, 2))
    assert once == twice


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.update(numbers={}),
        lambda found: found.update(numbers=[]),
        lambda found: found.update(facts=[]),
        lambda found: found.update(error=5),
        lambda found: found["items"].pop(),
        lambda found: found["numbers"]["fidelity"]["expected"]["s2-l2a"].update(mae=[1.0]),
        lambda found: found["numbers"]["fidelity"]["mean"].update({"s2-l2a": {"mae": "none"}}),
    ],
)
def test_a_cell_that_holds_less_than_an_answer_is_no_cell(finished, tmp_path, change):
    path = next(c for c in finished[1] if c.question.kind == "told").write(tmp_path)
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(BadInput, match="ask it again with --resume"):
        read_cell(path)


def test_what_lies_among_the_cells_and_cannot_be_read_is_no_cell(tmp_path):
    (tmp_path / "odd.json").mkdir()
    with pytest.raises(BadInput, match="no cell"):
        read_cell(tmp_path / "odd.json")


def test_a_plan_counts_in_whole_numbers(finished, tmp_path):
    plan = json.loads((finished[0] / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(plan | {"draws": 2.5}))
    with pytest.raises(BadInput, match="no plan on generation"):
        read_plan(tmp_path)


def test_pictures_of_samples_stand_beside_the_truth(finished):
    folder, cells = finished
    cell = next(c for c in cells if c.question.kind == "sampled")
    rows = read_pictures(folder / cell.pictures)
    assert all({"synthetic, expected", "synthetic, sample 1", "true"} <= set(row) for row in rows.values())


def test_what_goes_wrong_is_told_in_its_cell(tmp_path):
    broken = replace(course(tmp_path, replace(PLAN, tasks=("crowd", "s2-l2a"))), describe=lambda: lambda samples: 1 / 0)
    cells = list(run(broken))
    assert all("division by zero" in c.error for c in cells)
    assert next(run(course(tmp_path, replace(PLAN, tasks=("crowd", "s2-l2a"))), resume=True)).error is None


def test_targets_and_kinds_can_be_chosen(tmp_path):
    asked = expected(course(tmp_path, replace(PLAN, tasks=("told", "s1-rtc"))))
    assert {(q.kind, q.target) for q in asked} == {("told", "s1-rtc")}
    with pytest.raises(BadInput, match="s9"):
        expected(course(tmp_path, replace(PLAN, tasks=("s9",))))


def test_models_of_two_bases_are_refused():
    with pytest.raises(BadInput, match="one model"):
        GenerationPlan(("cop-gen-nano", "cop-gen-thumb"))


def test_nan_is_null_on_disk(tmp_path):
    cell = Cell(Question("told", "exact", "s1-rtc"), numbers={"x": float("nan"), "y": np.float32(0.1)})
    found = json.loads(cell.write(tmp_path).read_text())["numbers"]
    assert found == {"x": None, "y": 0.1}


def test_a_run_is_not_asked_about_a_group_that_it_learned_from(tmp_path):
    values = {"model": {"model.places": torch.zeros(1)}, "ema": {}, "optim": {}}
    checkpoint.save(tmp_path / "checkpoints", Checkpoint(1, values, {"held_out_groups": ["g2"]}), keep=1)
    plan = replace(PLAN, models=(f"exact@{tmp_path}",))
    with pytest.raises(BadInput, match="learned from that group; it held out g2"):
        expected(course(tmp_path / "o", replace(plan, held_out="g3")))
    assert expected(course(tmp_path / "o", replace(plan, held_out="g2")))
