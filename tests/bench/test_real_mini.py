import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio

from armillary.bench.archives.dealt import Dealt, split_rows
from armillary.bench.files import open_files
from armillary.bench.real_mini import ABSENT, OMBRIA_FOLDS, question, real_mini
from armillary.bench.task import Items, Task
from armillary.probe.answer import IGNORE, ClassMap, is_dense

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

QUESTIONS = {
    "eurosat-ms": 5,
    "s2-weak": 1,
    "ombria-change-s1": 6,
    "ombria-change-s2": 6,
    "ombria-post-s1": 6,
    "ombria-post-s2": 6,
    "sen1floods11": 3,
    "bigearthnet-s1-pairs": 1,
    "bigearthnet-s2-pairs": 1,
    "cropland-s1": 1,
    "cropland-s2": 1,
    "fuel-s1": 1,
    "fuel-s2": 1,
    "algae-s1": 1,
    "algae-s2": 1,
    "crops-season": 1,
    "no2-stations": 1,
    "elevation": 1,
    "forest-cover": 1,
    "night-lights": 1,
    "population": 1,
    "air-temperature": 1,
}
"""Question -> folds."""

FIRST = [next(t for n, t in real_mini().items() if question(n) == q) for q in QUESTIONS]


def _items(shared: Path, task: Task) -> Items:
    return task.read(open_files(shared / "data", task.archive))


def test_every_question_is_there_with_its_folds() -> None:
    assert Counter(map(question, real_mini())) == QUESTIONS


def test_the_weak_tiles_that_are_asked_are_those_held_out_of_pretraining() -> None:
    for row in split_rows("s2_l2a_weak"):
        share = int(hashlib.sha256(f"s2_l2a_weak/cluster-{row['group']}".encode()).hexdigest()[:8], 16) / 16**8
        assert (row["part"] == "test") == (share < 0.17)


@pytest.mark.parametrize("task", FIRST, ids=lambda t: t.name)
def test_real_items_say_what_belongs_together(shared: Path, task: Task) -> None:
    items = _items(shared, task)
    assert 1 < len(set(items.groups)) < len(items) == len(items.groups)


def test_each_group_of_ombria_is_left_out_once() -> None:
    assert {r["fold"] for r in split_rows("ombria")} == set(OMBRIA_FOLDS)
    assert all(r["fold"] == r["group"] for r in split_rows("ombria"))


@pytest.mark.parametrize("task", FIRST, ids=lambda t: t.name)
def test_real_items_are_what_the_task_says(shared: Path, task: Task) -> None:
    items = _items(shared, task)
    assert isinstance(items, Dealt)
    assert len(set(items.keys)) == len(items) == len(items.parts)
    assert {"train", "test"} <= set(items.parts)
    item = items.item(len(items) // 2)
    assert {s.sensor.band_names for s in item.samples} == {task.sensor.band_names}
    assert (len(item.samples) == 1) == (task.joined == "one")
    placed = all(s.window.crs is not None for s in item.samples)
    assert placed == ("place" in task.knows)
    if is_dense(task.answer):
        assert item.truth.shape == item.samples[-1].window.shape


@pytest.mark.parametrize("task", FIRST, ids=lambda t: t.name)
def test_real_pixels_are_in_the_unit_of_their_sensor(shared: Path, task: Task) -> None:
    items = _items(shared, task)
    low, high = task.sensor.plausible
    for number in (0, len(items) - 1):
        for sample in items.item(number).samples:
            seen = sample.pixels[np.isfinite(sample.pixels)]
            assert not len(seen) or low <= np.median(seen) <= high


def test_floods_have_both_classes_on_both_sides_of_every_split(shared: Path) -> None:
    for task in (t for t in real_mini().values() if question(t.name) == "sen1floods11"):
        items = _items(shared, task)
        assert task.answer == ClassMap(("dry", "water"))
        for part in ("train", "test"):
            held = np.concatenate([np.unique(items.truth(n)) for n in range(len(items)) if items.parts[n] == part])
            assert {0, 1} <= set(held.tolist()) <= {0, 1, IGNORE}


def test_the_cloud_mask_of_the_only_cell_has_one_class_so_it_is_not_asked(shared: Path) -> None:
    (path,) = (shared / "data" / "majortom_cell").rglob("cloud_mask.tif")
    with rasterio.open(path) as raster:
        assert np.unique(raster.read(1)).tolist() == [0]
    assert "majortom_cell" in ABSENT


def test_change_is_asked_of_before_then_after(shared: Path) -> None:
    task = real_mini()["ombria-change-s1.g1"]
    assert [n.rsplit("_", 1)[1] for n in _items(shared, task).files(0)] == ["pre.webp", "post.webp", "mask.webp"]


def test_the_page_names_every_question_and_every_set_that_is_not_asked() -> None:
    page = (Path(__file__).parents[2] / "docs" / "real-mini.md").read_text(encoding="utf-8")
    assert [q for q in QUESTIONS if q not in page] == []
    assert [f"| {name} | {why} |" for name, why in ABSENT.items() if f"| {name} | {why} |" not in page] == []
