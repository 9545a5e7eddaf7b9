import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from tests.sample.synthetic import tree as made

from armillary.errors import BadInput, OutOfRange, SceneNotFound, SceneUnreadable
from armillary.sample.source import Source
from armillary.sample.tree import CopernicusTree

ALL = {"s1-grd", "s2-l1c", "s3-olci", "s5p-co", "s5p-no2", "s5p-o3", "s5p-so2", "dem"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    made.fnames(folder / "fnames_union_310k.json.gz", made.tree(folder))
    return folder


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_cell_gives_one_sample_of_every_sensor(root):
    source = CopernicusTree(root)
    assert isinstance(source, Source)
    assert len(source) == 1
    assert source.key(0) == "0906994"
    assert set(source.draw(0, rng())) == ALL


def test_the_place_is_that_of_the_file_not_of_its_name(root):
    drawn = CopernicusTree(root).draw(0, rng())
    path = next(iter((root / "s3_olci_wgs").rglob("*.tif")))
    with rasterio.open(path) as file:
        assert drawn["s3-olci"].window.affine == file.transform
    assert drawn["s1-grd"].window.crs.epsg == 32652
    assert drawn["s1-grd"].pixels.shape == (2, 22, 21)


def test_optical_counts_become_reflectance(root):
    source = CopernicusTree(root)
    _, series, shot = next(x for x in source.contents(0).draw(rng(4)) if x[0] == "s2_toa")
    with rasterio.open(root / str(shot.at)) as file:
        expected = file.read() / 1e4
    assert np.allclose(source.sample("s2_toa", series, shot).pixels, expected)


def test_the_list_that_names_the_other_olci_folder_is_understood(root):
    shots = CopernicusTree(root).contents(0).layers["s3_olci"][0].shots
    assert all("s3_olci_utm" in str(s.at) for s in shots)


def test_a_walk_finds_what_the_list_says(root, tmp_path):
    made.tree(tmp_path)
    walked, listed = CopernicusTree(tmp_path).contents(0), CopernicusTree(root).contents(0)
    assert walked.cell == listed.cell
    days = [{k: {s.spot: [x.day for x in s.shots] for s in v} for k, v in c.layers.items()} for c in (walked, listed)]
    assert days[0] == days[1]


def test_missing_sensors_and_dates_are_no_reason_to_drop_a_cell(tmp_path):
    made.tree(tmp_path, days=made.DAYS[:1], months=1, skip=("s1_grd", "dem"))
    assert set(CopernicusTree(tmp_path).draw(0, rng())) == ALL - {"s1-grd", "dem"}


def test_every_patch_and_date_is_reached(root):
    contents = CopernicusTree(root).contents(0)
    seen = {(k, s.spot, x.day) for i in range(200) for k, s, x in contents.draw(rng(i))}
    counts = {key: sum(k == key for k, _, _ in seen) for key in made.FOLDERS}
    gases = {k: 3 for k in counts if k.startswith("s5p")}
    assert counts == {"s1_grd": 8, "s2_toa": 8, "s3_olci": 4, "dem": 1, **gases}


def test_a_patch_that_one_sensor_alone_has_is_drawn_without_the_other(tmp_path):
    entry = made.tree(tmp_path, locals=made.LOCALS[:1])
    made.tree(tmp_path, locals=made.LOCALS[1:], skip=tuple(k for k in made.FOLDERS if k != "s2_toa"))
    assert set(entry["s1_grd"]) == {made.LOCALS[0]}
    drawn = [{k: s.spot.name for k, s, _ in CopernicusTree(tmp_path).contents(0).draw(rng(i))} for i in range(30)]
    assert {d.get("s1_grd") for d in drawn} == {made.LOCALS[0], None}
    assert all(d.get("s1_grd") in (None, d["s2_toa"]) for d in drawn)


def test_radar_and_optical_that_lie_apart_are_named(tmp_path):
    made.tree(tmp_path, locals=made.LOCALS[:1])
    for path in (tmp_path / "s2_toa_mix").rglob("*.tif"):
        made.write(path, made.pixels("s2_toa", (22, 21), 0), *made.utm(made.LOCALS[0], (22, 21), east_m=400.0))
    with pytest.raises(SceneUnreadable, match=r"s1_grd_utm.* and .*s2_toa_mix.* lie \d+ m apart"):
        CopernicusTree(tmp_path).draw(0, rng())


def test_a_file_that_is_cut_off_stops_the_draw_with_its_name(tmp_path):
    made.tree(tmp_path, days=made.DAYS[:1], locals=made.LOCALS[:1])
    (path,) = (tmp_path / "s2_toa_mix").rglob("*.tif")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(SceneUnreadable, match=path.name):
        CopernicusTree(tmp_path).draw(0, rng())


def test_a_file_that_the_list_names_and_is_gone_is_named(tmp_path):
    made.fnames(tmp_path / "fnames_all_1m.json.gz", made.tree(tmp_path))
    (tmp_path / "dem_grid_wgs/images" / made.CELL / "dem.tif").unlink()
    with pytest.raises(SceneNotFound, match=r"dem\.tif"):
        CopernicusTree(tmp_path).draw(0, rng())


def test_a_file_of_other_bands_is_named(tmp_path):
    made.tree(tmp_path)
    path = tmp_path / "dem_grid_wgs/images" / made.CELL / "dem.tif"
    made.write(path, np.ones((3, 8, 8), np.float32), *made.box(made.CELL, (8, 8)))
    with pytest.raises(SceneUnreadable, match=r"dem\.tif is 3 x 8 x 8; dem has 1 bands"):
        CopernicusTree(tmp_path).draw(0, rng())


def test_several_lists_ask_for_a_choice(root, tmp_path):
    entry = made.tree(tmp_path)
    lists = [made.fnames(tmp_path / f"fnames_{n}.json.gz", entry) for n in ("joint_220k", "union_310k")]
    with pytest.raises(BadInput, match="say which list"):
        CopernicusTree(tmp_path)
    assert len(CopernicusTree(tmp_path, lists[0])) == 1


def test_a_list_that_is_none_and_a_folder_without_cells_are_named(tmp_path):
    (tmp_path / "fnames_x.json.gz").write_bytes(b"no gzip")
    with pytest.raises(SceneUnreadable, match=r"fnames_x\.json\.gz"):
        CopernicusTree(tmp_path)
    (tmp_path / "fnames_x.json.gz").unlink()
    with pytest.raises(SceneNotFound, match="holds no cell"):
        CopernicusTree(tmp_path)
    with pytest.raises(SceneNotFound, match="gone"):
        CopernicusTree(tmp_path / "gone")


def test_equal_generators_give_equal_draws_also_in_a_worker(root):
    source = CopernicusTree(root)
    there = pickle.loads(pickle.dumps(source))  # noqa: S301
    a, b = source.draw(0, rng(7)), there.draw(0, rng(7))
    assert all(np.array_equal(a[k].pixels, b[k].pixels) and a[k].time == b[k].time for k in ALL)
    assert source.checksum() == there.checksum()


def test_a_place_that_is_not_there_is_refused(root):
    with pytest.raises(OutOfRange, match="places 0 to 0"):
        CopernicusTree(root).draw(1, rng())
