from pathlib import Path

import pyarrow.parquet as pq
import pytest

from armillary.errors import BadInput, SceneNotFound, SceneUnreadable
from armillary.sample.label_statistics import statistics_of
from armillary.sample.landcover import Cover
from armillary.sample.scene_labels import Labelled, gathered, read_labels, text_of, write_labels, write_shares

PUBLISHED = (
    '{"0000002": {"20200718T102559_20200718T103605_T31TFJ": [], "20201011T103031_20201011T103339_T31TFJ": [], '
    '"20210117T104259_20210117T104300_T31TFJ": ["0", "1", "2", "4", "5", "6", "8"], '
    '"20210402T104021_20210402T104258_T31TFJ": ["1", "2", "4", "5", "6", "8"]}, '
    '"0000003": {"20200403T100549_20200403T101937_T31PDQ": ["4", "5", "7"], '
    '"20200702T100559_20200702T101831_T31PDQ": ["4", "5", "7"], '
    '"20200930T100729_20200930T102207_T31PEQ": ["0", "1", "4", "5", "6", "7"], '
    '"20210103T101411_20210103T102025_T31PDQ": ["1", "4", "5", "7"]}}'
)
"""The example of the published file (README of zhu-xlab/softcon), as Python's json writes it."""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.json"
    path.write_text(PUBLISHED)
    return path


def test_published_labels_come_back_byte_for_byte(published: Path, tmp_path: Path) -> None:
    labels = read_labels(published)
    write_labels(labels, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == published.read_bytes()
    assert labels["0000003"]["20200930T100729_20200930T102207_T31PEQ"] == (0, 1, 4, 5, 6, 7)


def test_scenes_in_any_order_give_the_published_order(published: Path) -> None:
    labels = read_labels(published)
    scenes = [Labelled(p, k, classes) for p, found in labels.items() for k, classes in found.items()]
    assert text_of(gathered(scenes[::-1])) == PUBLISHED
    with pytest.raises(BadInput, match="labelled twice"):
        gathered(scenes + scenes[:1])


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": ["9"]}}',
        '{"a": {"b": [4]}}',
        '{"a": ["4"]}',
        "[]",
        "{",
        '{"a": {"b": ["x"]}}',
        '{"a": {"b": "12"}}',
        '{"a": {"b": {"1": 2}}}',
        '{"a": {"b": ["1", "1"]}}',
        '{"a": {"b": ["01"]}}',
        '{"a": {"b": ["\u0664"]}}',
        '{"a": {"b": ["²"]}}',
        '{"a": {"b": ["4", "1"]}}',
        '{"a": {"b": ["1"]}, "a": {"c": ["2"]}}',
        '{"a": {"b": ["1"], "b": ["2"]}}',
        "[" * 100_000,
    ],
)
def test_a_file_of_another_layout_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(SceneUnreadable, match="holds no labels"):
        read_labels(tmp_path / "x.json")


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound):
        read_labels(tmp_path / "x.json")


def test_statistics_count_scenes_places_classes_and_pairs(published: Path) -> None:
    found = statistics_of(read_labels(published))
    assert (found.locations, found.scenes, found.labelled_locations, found.labelled) == (2, 8, 2, 6)
    assert found.counts.tolist() == [2, 4, 2, 0, 6, 6, 3, 4, 2]
    assert found.classes_per_scene.tolist() == [2, 0, 0, 2, 1, 0, 2, 1, 0, 0]
    assert found.seasons == (0, 0, 1, 0, 1)
    assert found.changing == 1.0
    assert found.in_common == 1.0  # every scene here has crops: "any class in common" tells nothing apart
    assert found.together[0, 7] == 1
    assert found.together.trace() == found.counts.sum()


def test_pairs_without_a_class_in_common_are_counted() -> None:
    found = statistics_of({"a": {"x": (0,), "y": (0, 1)}, "b": {"x": (1,)}})
    assert found.in_common == pytest.approx(2 / 3)
    assert statistics_of({}).in_common == 0


def test_shares_of_the_ground_lie_in_a_table(tmp_path: Path) -> None:
    cover = Cover((0.25, 0, 0, 0, 0.75, 0, 0, 0, 0), 0.5)
    write_shares([Labelled("b", "x", ()), Labelled("a", "x", (0, 4), cover, "a.tif")], tmp_path / "s.parquet")
    rows = pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert [r["location"] for r in rows] == ["a", "b"]
    assert (rows[0]["water"], rows[0]["crops"], rows[0]["valid"], rows[0]["source"]) == (0.25, 0.75, 0.5, "a.tif")
    assert (rows[1]["water"], rows[1]["valid"]) == (None, 0.0)
