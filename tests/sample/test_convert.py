import json
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset
from tests.sample.synthetic import pretrain, tree

from armillary.sample.convert import nominal, write_shards, write_tree
from armillary.sample.pth import load
from armillary.sample.shards import CopernicusShards
from armillary.sample.tree import CopernicusTree
from armillary.scene.pretrain.catalogue import KEYS


def all_of(steps) -> list:
    return list(steps)


def values(source: CopernicusShards | CopernicusTree) -> dict[tuple, np.ndarray]:
    """(cell, layer, local id, day) -> values, of every shot."""
    found = {}
    for place in range(len(source)):
        for key, many in source.contents(place).layers.items():
            for series in many:
                for shot in series.shots:
                    at = (place, key) if isinstance(source, CopernicusShards) else (key,)
                    sample = source.sample(*at, series, shot)
                    found[source.key(place), key, series.spot.id, shot.day] = sample.pixels
    return found


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    part = pretrain.without(pretrain.grid(pretrain.NEXT, ("0900000_128.40_67.20",), seed=1), "s1_grd", "s5p_so2")
    full = pretrain.padded(pretrain.grid(), "s2_toa", [2, 0, 2, 0])
    sides = dict(pretrain.SIDES, s3_olci=96, dem=960, **dict.fromkeys(("s5p_co", "s5p_no2", "s5p_o3", "s5p_so2"), 28))
    full["tensors"] |= {k: v for k, v in pretrain.grid(sides=sides)["tensors"].items() if k not in ("s1_grd", "s2_toa")}
    part["tensors"] |= {
        k: v for k, v in pretrain.grid(sides=sides, seed=3)["tensors"].items() if k in part["tensors"] and k != "s2_toa"
    }
    return pretrain.shard(folder / "example-000000.tar", full, part)


def test_shards_to_geotiffs_and_back_keep_values_dates_and_ids(shard, tmp_path):
    before = CopernicusShards([shard])
    all_of(write_tree(before, tmp_path / "tree"))
    between = CopernicusTree(tmp_path / "tree")
    all_of(write_shards(between, tmp_path / "shards"))
    after = CopernicusShards(sorted((tmp_path / "shards").glob("*.tar")))
    one, two, three = values(before), values(between), values(after)
    assert one.keys() == two.keys() == three.keys()
    assert len(one) == 2 * 4 + 2 * 2 + 8 + 4 * 12 + 1 + 4 + 8 + 3 * 12 + 1
    for k in one:
        assert np.array_equal(one[k], two[k], equal_nan=True), k
        assert np.array_equal(one[k], three[k], equal_nan=True), k


def test_geotiffs_keep_the_place_that_the_shard_gives(shard, tmp_path):
    before = CopernicusShards([shard])
    all_of(write_tree(before, tmp_path))
    a, b = before.draw(0, np.random.default_rng(1)), CopernicusTree(tmp_path).draw(0, np.random.default_rng(1))
    for name in a:
        assert b[name].window.center == pytest.approx(a[name].window.center)
        assert b[name].window.gsd_m == pytest.approx(a[name].window.gsd_m)


def test_a_raw_tree_becomes_a_shard_of_the_published_shapes(tmp_path):
    tree.tree(tmp_path / "tree", shapes=tree.TRUE_SHAPES, days=tree.DAYS[:2], locals=tree.LOCALS, months=2)
    all_of(write_shards(CopernicusTree(tmp_path / "tree"), tmp_path / "shards"))
    source = CopernicusShards([tmp_path / "shards/example-000000.tar"])
    tensors = {KEYS[e["layer"]]: load(source.catalogue, e) for e in source.catalogue.of(0)}
    gases = {k: (12, 1, 28, 28) for k in tensors if k.startswith("s5p")}
    assert {k: tuple(v.shape) for k, v in tensors.items()} == {
        "s1_grd": (2, 4, 2, 264, 264),
        "s2_toa": (2, 4, 13, 264, 264),
        "s3_olci": (8, 21, 96, 96),
        "dem": (960, 960),
        **gases,
    }
    assert tensors["s2_toa"].dtype == torch.int16
    assert {t.dtype for k, t in tensors.items() if k != "s2_toa"} == {torch.float32}
    assert [len(s.shots) for s in source.contents(0).layers["s1_grd"]] == [2, 2]


def test_webdataset_reads_what_is_written(tmp_path):
    tree.tree(tmp_path / "tree", days=tree.DAYS[:1], months=1)
    all_of(write_shards(CopernicusTree(tmp_path / "tree"), tmp_path / "shards"))
    (grid,) = webdataset.WebDataset(str(tmp_path / "shards/example-000000.tar"), shardshuffle=False)
    assert grid["__key__"] == "0906994"
    assert {k for k in grid if not k.startswith("__")} == {"json", *(f"{k}.pth" for k in tree.FOLDERS)}
    labels = json.loads(grid["json"])
    assert labels["dem"] == [[tree.CELL]]
    assert labels["s3_olci"] == [[f"{tree.CELL}/20201002"]] * 8
    assert labels["s1_grd"][0] == [[f"{tree.CELL}/{min(tree.LOCALS)}/20201002"]] * 4


def test_a_cell_without_some_sensor_inherits_nothing(tmp_path):
    tree.tree(tmp_path / "tree", cell=pretrain.CELL, locals=pretrain.LOCALS)
    tree.tree(tmp_path / "tree", skip=("dem", "s3_olci"))
    all_of(write_shards(CopernicusTree(tmp_path / "tree"), tmp_path / "shards"))
    source = CopernicusShards([tmp_path / "shards/example-000000.tar"])
    assert "dem" in source.contents(0).layers
    assert not {"dem", "s3_olci"} & set(source.contents(1).layers)


def test_resizing_keeps_a_plane_a_plane():
    rows, cols = np.mgrid[0:26, 0:66].astype(np.float32)
    out = nominal(np.stack([3 * rows + 2 * cols]), 28)
    assert out.shape == (1, 28, 28)
    assert np.allclose(np.diff(out[0], axis=1), np.diff(out[0], axis=1)[0, 0], atol=1e-3)
    assert np.allclose(np.diff(out[0], axis=0), 3 * 25 / 27, atol=1e-3)


def test_a_nominal_size_is_left_alone():
    pixels = np.random.default_rng(0).random((2, 28, 28)).astype(np.float32)
    assert np.array_equal(nominal(pixels, 28), pixels)


def test_a_stopped_conversion_goes_on_and_gives_the_same_bytes(tmp_path):
    for cell, local in ((tree.CELL, tree.LOCALS), (pretrain.CELL, pretrain.LOCALS), ("0772177_-95.75_44.00", ())):
        tree.tree(tmp_path / "tree", cell=cell, locals=tuple(local), days=tree.DAYS[:1], months=1)
    source = CopernicusTree(tmp_path / "tree")
    whole = all_of(write_shards(source, tmp_path / "whole", per_shard=1))
    assert [s.done for s in whole] == [1, 2, 3]
    steps = write_shards(source, tmp_path / "parts", per_shard=1)
    next(steps)
    steps.close()
    assert [p.name for p in (tmp_path / "parts").iterdir()] == ["example-000000.tar"]
    rest = all_of(write_shards(source, tmp_path / "parts", per_shard=1))
    assert [s.path is None for s in rest] == [True, False, False]
    for name in ("example-000000.tar", "example-000001.tar", "example-000002.tar"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_a_shard_that_cannot_be_finished_leaves_nothing(tmp_path):
    tree.tree(tmp_path / "tree")
    path = next((tmp_path / "tree/s3_olci_wgs").rglob("*.tif"))
    path.write_bytes(b"II*\0")
    with pytest.raises(OSError, match=path.name):
        all_of(write_shards(CopernicusTree(tmp_path / "tree"), tmp_path / "shards"))
    assert list((tmp_path / "shards").iterdir()) == []
