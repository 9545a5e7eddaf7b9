from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pytest
from tests.bench.invented import Memory, renamed, task

from armillary.bench.archives.dealt import PARTS, Dealt, Row, block_name, folds, of_groups, sides, split_rows
from armillary.bench.features.known import content_digest, data_digest
from armillary.errors import BadInput, SceneNotFound

TABLES = sorted(p.name.removesuffix(".csv") for p in (files("armillary.bench") / "data").iterdir())
FOLDED = ("eurosat_ms", "ombria", "sen1floods11")


def _splits(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [sides(rows, f) for f in folds(rows)] if "fold" in rows[0] else [sides(rows)]


@pytest.mark.parametrize("name", TABLES)
def test_no_group_is_on_two_sides(name: str) -> None:
    rows = split_rows(name)
    for parts in _splits(rows):
        side: dict[str, set[str]] = {}
        for row, part in zip(rows, parts, strict=True):
            side.setdefault(row["group"], set()).add(part)
        assert {len(s) for s in side.values()} == {1}


@pytest.mark.parametrize("name", TABLES)
def test_every_split_has_items_to_learn_from_and_to_ask(name: str) -> None:
    for parts in _splits(split_rows(name)):
        assert {"train", "test"} <= set(parts) <= set(PARTS)


@pytest.mark.parametrize("name", FOLDED)
def test_every_item_is_asked_in_exactly_one_fold(name: str) -> None:
    rows = split_rows(name)
    asked = np.array([[p == "test" for p in sides(rows, f)] for f in folds(rows)])
    assert (asked.sum(axis=0) == 1).all()


def test_keys_are_unique() -> None:
    for name in (*FOLDED, "s2_l2a_weak", "bigearthnet_pairs"):
        keys = [r["key"] for r in split_rows(name)]
        assert len(set(keys)) == len(keys)


def test_blocks_of_ten_degrees_cover_the_earth_once() -> None:
    groups = [r["group"] for r in split_rows("blocks_10deg")]
    every = {block_name(lon, lat, 10.0) for lon in np.arange(-179.9, 180, 5) for lat in np.arange(-89.9, 90, 5)}
    assert sorted(groups) == sorted(every)


def test_with_no_fold_to_choose_all_others_teach() -> None:
    rows = [{"fold": f} for f in "abc"]
    assert sides(rows, "b", chooses=False) == ("train", "test", "train")


def test_an_unknown_fold_and_an_unknown_group_and_an_unknown_table_are_named() -> None:
    with pytest.raises(BadInput, match="'z'"):
        sides([{"fold": "a"}], "z")
    with pytest.raises(BadInput, match="'nowhere'"):
        of_groups(["nowhere"], [{"group": "here", "part": "test"}], "toys")
    with pytest.raises(SceneNotFound, match=r"nothing\.csv"):
        split_rows("nothing")


def test_folds_of_one_question_share_what_is_kept_and_differ_in_their_split() -> None:
    files = Memory()
    rows = [{"fold": f} for f in "1212"]
    found = []
    for fold in "12":
        items = Dealt(tuple("abcd"), sides(rows, fold), tuple("abcd"), (("x",),) * 4, lambda _: (), np.array)
        one = renamed(task(), f"toy.{fold}")
        found.append((content_digest(one, files, items), data_digest(one, files, items)))
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]
    assert content_digest(renamed(task(), "other.1"), files, items) != found[0][0]
