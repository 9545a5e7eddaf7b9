import numpy as np
import pytest
import torch

from armillary.earth.card import find_sensor
from armillary.earth.legend import find_legend
from armillary.earth.window import Window
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw
from armillary.train.labels import LabelSource, ones_of

TABLE = ones_of({"a": (0, 4), "b@1-0": (8,), "b": (1,), "nothing": ()})


def draw_of(keys: tuple[str, ...], maps: dict[int, list[list[float]]] | None = None) -> Draw:
    """Items with these keys, some with a map of two by two pixels."""
    window = Window.of((2, 2), (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0), "EPSG:32632")
    found = maps or {}
    samples = tuple(Sample(np.array([m], np.float32), find_sensor("land-cover"), window) for m in found.values())
    rows = {"land-cover": tuple(found)} if found else {}
    return Draw(0, keys, {"land-cover": samples} if found else {}, rows, tuple(range(len(keys))))


def test_a_table_knows_an_item_by_its_key_and_else_by_its_place() -> None:
    found = LabelSource(TABLE).of(draw_of(("a", "a@0-1*2", "b@1-0", "b@0-0", "nothing", "elsewhere")))
    assert [row.nonzero().flatten().tolist() for row in found[:4]] == [[0, 4], [0, 4], [8], [1]]
    assert bool(torch.isnan(found[4:]).all())


def test_a_map_in_the_draw_tells_the_shares_of_what_was_cut() -> None:
    nan = float("nan")
    source = LabelSource(TABLE, find_legend("worldcover"))
    found = source.of(draw_of(("a", "a", "c"), {0: [[80, 80], [80, 10]], 1: [[nan, nan], [nan, 10]]}))
    assert found[0].tolist() == pytest.approx([0.75, 0.25, 0, 0, 0, 0, 0, 0, 0])
    assert found[1].nonzero().flatten().tolist() == [0, 4]  # three quarters unknown: the table is asked
    assert bool(torch.isnan(found[2]).all())


def test_without_a_legend_maps_are_not_looked_at() -> None:
    found = LabelSource(TABLE).of(draw_of(("a",), {0: [[80, 80], [80, 10]]}))
    assert found[0].nonzero().flatten().tolist() == [0, 4]
    assert not LabelSource()
    assert LabelSource(TABLE)
    assert LabelSource(legend=find_legend("worldcover"))


def test_other_labels_or_another_legend_are_another_checksum() -> None:
    sources = (
        LabelSource(TABLE),
        LabelSource({**TABLE, "a": TABLE["b"]}),
        LabelSource(TABLE, find_legend("worldcover")),
        LabelSource(TABLE, find_legend("esri")),
    )
    assert len({source.checksum() for source in sources}) == 4
    assert LabelSource(dict(reversed(TABLE.items()))).checksum() == LabelSource(TABLE).checksum()
