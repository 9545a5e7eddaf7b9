from pathlib import Path

import numpy as np
import pytest
from tests.sample.synthetic import pretrain, tree

from armillary.errors import SceneNotFound, SceneUnreadable
from armillary.sample.indexing import index_shards, index_tree
from armillary.sample.shards import CopernicusShards
from armillary.scene.pretrain.index import read_rows
from armillary.scene.pretrain.verify import verify


def faults(folder: Path) -> list[str]:
    return [f for one in verify(folder) for f in one.faults]


@pytest.fixture(params=[True, False], ids=["indexed", "as downloaded"])
def shards(request, tmp_path) -> Path:
    pretrain.shard(tmp_path / "example-000000.tar", pretrain.grid())
    pretrain.shard(tmp_path / "example-000001.tar", pretrain.grid(pretrain.NEXT, ("0900000_128.40_67.20",), seed=1))
    if request.param:
        index_shards(tmp_path)
    return tmp_path


def test_whole_shards_have_no_fault(shards):
    assert [one.file.name for one in verify(shards)] == ["example-000000.tar", "example-000001.tar"]
    assert faults(shards) == []


@pytest.mark.parametrize("keep", [0.3, 0.999])
def test_a_shard_that_was_cut_off_is_found(shards, keep):
    path = shards / "example-000001.tar"
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: int(len(content) * keep)])
    found = faults(shards)
    assert found
    assert all("example-000001.tar" in f for f in found)


def test_one_wrong_bit_among_the_pixels_is_found(shards):
    path = shards / "example-000000.tar"
    found = CopernicusShards([path]).catalogue
    content = bytearray(path.read_bytes())
    content[int(found.entries["data"][1]) + 1000] ^= 1
    path.write_bytes(content)
    (fault,) = faults(shards)
    assert "s2_toa" in fault
    assert "example-000000.tar" in fault


def test_a_shard_without_its_end_is_found(shards):
    path = shards / "example-000000.tar"
    entries = CopernicusShards([path]).catalogue.entries
    end = -(-int((entries["offset"] + entries["size"]).max()) // 512) * 512
    path.write_bytes(path.read_bytes()[:end])
    assert any("cut off" in f for f in faults(shards))


def test_a_shard_that_is_gone_or_new_is_found(tmp_path):
    pretrain.shard(tmp_path / "example-000000.tar", pretrain.grid())
    index_shards(tmp_path)
    (tmp_path / "example-000000.tar").rename(tmp_path / "example-000007.tar")
    gone, new = faults(tmp_path)
    assert "is in the index and is not there" in gone
    assert "is not in the index" in new


@pytest.mark.parametrize("indexed", [True, False])
def test_a_cut_geotiff_is_found(tmp_path, indexed):
    tree.tree(tmp_path)
    if indexed:
        index_tree(tmp_path)
    assert faults(tmp_path) == []
    path = next((tmp_path / "dem_grid_wgs").rglob("*.tif"))
    path.write_bytes(path.read_bytes()[:2000])
    (fault,) = faults(tmp_path)
    assert "dem.tif" in fault


def test_a_folder_of_something_else_is_named(tmp_path):
    with pytest.raises(SceneNotFound, match="neither shards"):
        faults(tmp_path)
    with pytest.raises(SceneNotFound, match="gone"):
        faults(tmp_path / "gone")


def test_the_index_says_place_sensors_and_counts(tmp_path):
    grid = pretrain.padded(pretrain.without(pretrain.grid(), "dem"), "s3_olci", [0, 1, 0, 0, 1, 0, 0, 0])
    pretrain.shard(tmp_path / "example-000000.tar", grid)
    (row,) = read_rows(index_shards(tmp_path))
    assert (row["grid_id"], row["cell"], row["lon"], row["lat"]) == (772176, pretrain.CELL, -96.0, 44.0)
    assert row["sensors"] == ["s1-grd", "s2-l1c", "s3-olci", "s5p-co", "s5p-no2", "s5p-o3", "s5p-so2"]
    assert (row["s1_grd_patches"], row["s1_grd_dates"], row["s3_olci_dates"], row["dem_patches"]) == (2, 8, 2, 0)
    assert {f["file"] for f in row["files"]} == {"example-000000.tar"}
    assert (row["files"][0]["rows"], row["files"][0]["cols"]) == (24, 24)


def test_a_source_from_its_index_draws_the_same(tmp_path):
    paths = [
        pretrain.shard(tmp_path / f"example-00000{i}.tar", pretrain.grid(cell, seed=i))
        for i, cell in enumerate((pretrain.NEXT, pretrain.CELL))
    ]
    index = index_shards(tmp_path)
    for some in (paths, paths[1:]):
        walked, read = CopernicusShards(some), CopernicusShards(some, index=index)
        assert walked.checksum() == read.checksum()
        assert [walked.key(i) for i in range(len(walked))] == [read.key(i) for i in range(len(read))]
        a, b = (s.draw(len(some) - 1, np.random.default_rng(0)) for s in (walked, read))
        assert all(np.array_equal(a[k].pixels, b[k].pixels) for k in a)


def test_an_index_of_other_shards_is_refused(tmp_path):
    path = pretrain.shard(tmp_path / "example-000000.tar", pretrain.grid())
    index = index_shards(tmp_path)
    other = pretrain.shard(tmp_path / "other/b.tar", pretrain.grid())
    with pytest.raises(SceneUnreadable, match=r"does not know b\.tar"):
        CopernicusShards([other], index=index)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(SceneUnreadable, match="cut off"):
        CopernicusShards([path], index=index)
    (tmp_path / "none.parquet").write_bytes(b"no")
    with pytest.raises(SceneUnreadable, match=r"none\.parquet"):
        CopernicusShards([other], index=tmp_path / "none.parquet")
