import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.sample.ssl4eo_tree import L1C, L2A, SIDE, write_tree
from torch.testing import assert_close

from armillary.earth.fleet import SSL4EO, sensors
from armillary.errors import BadInput, OutOfRange, SceneNotFound
from armillary.sample.scene_labels import SceneLabels
from armillary.sample.source import Source
from armillary.sample.ssl4eo import SSL4EOS12, Scenes, scenes_in
from armillary.sample.stream import Stream, hold_out

LABELS: SceneLabels = {
    "0000001": {L1C[0]: (0, 4), L1C[1]: (4,)},
    "0000002": {L1C[0]: (1,)},
    "0000003": {L1C[0]: (), L1C[1]: (8,)},
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("ssl4eo"))


def test_void_locations_are_no_places(tree: Path) -> None:
    source = SSL4EOS12(tree, LABELS)
    assert isinstance(source, Source)
    assert [source.key(i) for i in range(len(source))] == ["0000001", "0000003"]
    with pytest.raises(OutOfRange):
        source.key(2)


def test_seasons_of_sensors_are_matched_by_position_and_not_by_date(tree: Path) -> None:
    for season, reflectance, backscatter in ((0, 0.1, -10.0), (1, 0.2, -20.0)):
        found = SSL4EOS12(tree).read("0000001", season)
        assert set(found) == {"s1-grd", "s2-l1c", "s2-l2a"}
        assert len({s.time for s in found.values()}) == 3
        assert np.allclose(found["s2-l1c"].pixels, reflectance)
        assert np.allclose(found["s2-l2a"].pixels, reflectance)
        assert np.allclose(found["s1-grd"].pixels, backscatter)  # S1B before S1A, which names would turn round


def test_hidden_folders_are_no_locations_and_no_seasons(tmp_path: Path) -> None:
    write_tree(tmp_path)
    for folder in (tmp_path / "s2c", tmp_path / "s2c" / "0000001", tmp_path / "s2c" / "0000001" / L1C[0]):
        (folder / ".ipynb_checkpoints").mkdir()
    source = SSL4EOS12(tmp_path, LABELS)
    assert [source.key(i) for i in range(len(source))] == ["0000001", "0000003"]
    assert Scenes(tmp_path / "s2c").products("0000001") == L1C
    assert source.classes("0000001", 0) == (0, 4)
    assert source.read("0000001", 0)["s2-l1c"].pixels.shape == (13, SIDE, SIDE)


def test_seasons_and_locations_that_are_not_there_are_refused(tree: Path) -> None:
    source = SSL4EOS12(tree, LABELS)
    for season in (-1, 2):
        with pytest.raises(OutOfRange, match=f"season {season} of 0000001 was asked for; it has 0 to 1 in"):
            source.read("0000001", season)
        assert source.classes("0000001", season) is None
    with pytest.raises(SceneNotFound, match="the location unknown was asked of"):
        source.read("unknown", 0)
    make = f"from armillary.sample.ssl4eo import SSL4EOS12; SSL4EOS12({str(tree)!r}, per='foo')"
    made = subprocess.run([sys.executable, "-c", make], capture_output=True, text=True, check=False)  # without beartype
    assert "BadInput: places per 'foo' were asked of SSL4EO-S12; per= is location or season" in made.stderr


def test_a_season_that_one_sensor_lacks_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tree(tmp_path)
    len(SSL4EOS12(tmp_path))
    assert not caplog.records
    shutil.rmtree(tmp_path / "s2a" / "0000003" / L2A[0])
    source = SSL4EOS12(tmp_path)
    len(source)
    len(source)
    (record,) = caplog.records
    assert "more than 45 days apart, in 1 season(s), season 0 of 0000003 first" in record.getMessage()


def test_labels_are_of_the_season_and_not_of_the_place(tree: Path) -> None:
    source = SSL4EOS12(tree, LABELS)
    assert source.classes("0000001", 0) == (0, 4)
    assert source.classes("0000001", 1) == (4,)
    assert source.classes("0000003", 0) == ()
    assert source.classes("0000009", 0) is None
    assert SSL4EOS12(tree).classes("0000001", 0) is None


def test_what_was_drawn_knows_its_label(tree: Path) -> None:
    source = SSL4EOS12(tree, LABELS)
    seen = set()
    for i in range(8):
        samples = source.draw(0, np.random.default_rng(i))
        seen.add(source.classes_of(0, samples))
        assert source.classes_of(0, samples) == ((0, 4) if samples["s2-l1c"].pixels.max() < 0.15 else (4,))
    assert seen == {(0, 4), (4,)}
    with pytest.raises(BadInput, match="not drawn at"):
        source.classes_of(0, {})


def test_labels_that_change_are_told_by_sensor_and_time(tree: Path) -> None:
    found = SSL4EOS12(tree, LABELS).changing_labels()
    assert {key: sorted(set(classes.values())) for key, classes in found.items()} == {
        "0000001": [(0, 4), (4,)],
        "0000003": [(), (8,)],
    }
    samples = SSL4EOS12(tree).read("0000001", 1)
    assert {found["0000001"][sensor, s.time] for sensor, s in samples.items() if s.time is not None} == {(4,)}
    assert SSL4EOS12(tree, LABELS, per="season").changing_labels() == {}
    assert SSL4EOS12(tree, {"0000001": {L1C[0]: (2,), L1C[1]: (2,)}}).changing_labels() == {}


def test_a_name_without_a_time_is_refused_where_labels_change(tree: Path, tmp_path: Path) -> None:
    for season in ("spring", "summer"):
        (tmp_path / "s2c" / "0000001" / season).mkdir(parents=True)
    labels: SceneLabels = {"0000001": {"spring": (1,), "summer": (2,)}}
    with pytest.raises(BadInput, match="tells no time by which to find its own"):
        SSL4EOS12(tmp_path, labels).changing_labels()


def test_seasons_as_places_keep_a_location_on_one_side_of_a_split(tree: Path) -> None:
    source = SSL4EOS12(tree, LABELS, per="season")
    assert [source.key(i) for i in range(len(source))] == ["0000001@0", "0000001@1", "0000003@0", "0000003@1"]
    assert source.label_table() == {"0000001@0": (0, 4), "0000001@1": (4,), "0000003@1": (8,)}
    train, held = hold_out(source, 0.5)
    assert {source.key(i).partition("@")[0] for i in train}.isdisjoint(source.key(i).partition("@")[0] for i in held)


def test_void_labels_are_left_out_where_asked(tree: Path) -> None:
    assert len(SSL4EOS12(tree, LABELS, per="season", only_labelled=True)) == 3
    places = SSL4EOS12(tree, LABELS, only_labelled=True)
    assert places.label_table() == {"0000001": (0, 4), "0000003": (8,)}
    assert all(places.classes_of(1, places.draw(1, np.random.default_rng(i))) == (8,) for i in range(4))
    with pytest.raises(BadInput, match="give labels="):
        SSL4EOS12(tree, only_labelled=True)


def test_labels_without_the_folder_of_level_1c_are_matched_by_position(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "s1").symlink_to(tree / "s1")
    source = SSL4EOS12(tmp_path, LABELS, ("s1-grd",))
    assert [source.classes("0000001", i) for i in range(3)] == [(0, 4), (4,), None]


def test_streams_draw_from_it(tree: Path) -> None:
    draw = next(iter(Stream(SSL4EOS12(tree, LABELS), 4, repeats=2)))
    assert draw.keys[0] == draw.keys[1]
    assert draw.samples["s2-l1c"][0].pixels.shape == (13, SIDE, SIDE)


def test_another_label_is_another_checksum(tree: Path) -> None:
    one, other = (SSL4EOS12(tree, labels).checksum() for labels in (LABELS, {**LABELS, "0000001": {L1C[0]: (1,)}}))
    assert one != other
    assert one == SSL4EOS12(tree, dict(LABELS)).checksum()


def test_a_folder_without_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="holds none of s2c, s2a, s1"):
        len(SSL4EOS12(tmp_path))
    with pytest.raises(SceneNotFound, match="holds none of s2c, s2a, s1"):
        scenes_in(tmp_path)
    with pytest.raises(BadInput, match="SSL4EO-S12 has no dem"):
        SSL4EOS12(tmp_path, sensors=("dem",))


def test_the_real_site_gives_both_seasons_of_three_sensors(shared: Path) -> None:
    root = shared / "data/ssl4eo_s12_site"
    products = Scenes(root / "s2c").products("0000200")
    source = SSL4EOS12(root, {"0000200": {products[0]: (4,), products[1]: (2, 4)}}, per="season")
    found = source.read("0000200", 1)
    assert {k: s.pixels.shape for k, s in found.items()} == {
        "s2-l1c": (13, 264, 264), "s2-l2a": (12, 264, 264), "s1-grd": (2, 264, 264),
    }  # fmt: skip
    assert source.label_table() == {"0000200@0": (4,), "0000200@1": (2, 4)}


def test_real_pixels_obey_the_identity_of_clipped_ranges_and_z_scores(shared: Path) -> None:
    for name, sample in SSL4EOS12(shared / "data/ssl4eo_s12_site").read("0000200", 0).items():
        sensor = sensors[name]
        statistics = sensor.statistic(SSL4EO)
        per_count = 1.0 if sensor.counts is None else 1e4
        x = torch.from_numpy(sample.pixels).double() * per_count
        mean, std = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (statistics.mean, statistics.std))
        known = torch.isfinite(x)
        assert float(known.double().mean()) > 0.99
        x = torch.where(known, x, mean)
        z = (x - mean) / std
        u = ((x - (mean - 2 * std)) / (4 * std)).clamp(0, 1)
        assert_close(u, (z / 4 + 0.5).clamp(0, 1), atol=1e-12, rtol=0)
        eight = (u * 255).floor()
        assert float((u - eight / 255).abs().max()) < 1 / 255
        assert float(((u > 0) & (u < 1)).double().mean()) > 0.5
