import pickle
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset
from tests.sample.synthetic import pretrain as made

from armillary.earth.fleet import sensors
from armillary.errors import OutOfRange, SceneNotFound, SceneUnreadable
from armillary.sample.shards import CopernicusShards, Rule, resampled
from armillary.sample.source import Source
from armillary.sample.stream import Stream

ALL = {"s1-grd", "s2-l1c", "s3-olci", "s5p-co", "s5p-no2", "s5p-o3", "s5p-so2", "dem"}


def draws(source: CopernicusShards, count: int, place: int = 0):
    return [source.draw(place, np.random.default_rng(i)) for i in range(count)]


def drawn(source: CopernicusShards, count: int):
    """What is drawn, without reading it."""
    contents = source.contents(0)
    return [contents.draw(np.random.default_rng(i)) for i in range(count)]


def first_month(source: CopernicusShards) -> float:
    days = [shot.day for shots in drawn(source, 200) for key, _, shot in shots if key == "s3_olci"]
    return float(np.mean([day == "20210101" for day in days]))


@pytest.fixture
def one(tmp_path: Path) -> CopernicusShards:
    return CopernicusShards([made.shard(tmp_path / "example-000000.tar", made.grid())])


def test_a_grid_gives_one_sample_of_every_sensor(one):
    assert isinstance(one, Source)
    assert len(one) == 1
    assert one.key(0) == "0772176"
    assert set(one.draw(0, np.random.default_rng(0))) == ALL


def test_reflectance_is_the_count_over_ten_thousand(one):
    drawn = one.draw(0, np.random.default_rng(3))["s2-l1c"]
    stored = made.numbers(made.grid(), "s2_toa").reshape(-1, 13, 24, 24)
    match = [np.allclose(drawn.pixels, s / 1e4, atol=1e-7) for s in stored]
    assert sum(match) == 1


def test_radiance_is_the_count_times_the_scale_of_its_band(one):
    drawn = one.draw(0, np.random.default_rng(3))["s3-olci"]
    scale = np.array(sensors["s3-olci"].counts.scale)[:, None, None]
    match = [np.allclose(drawn.pixels, s * scale, rtol=1e-5) for s in made.numbers(made.grid(), "s3_olci")]
    assert sum(match) == 1


@pytest.mark.parametrize("key", ["s1_grd", "s5p_no2", "dem"])
def test_other_sensors_come_as_they_are(one, key):
    name = {"s1_grd": "s1-grd", "s5p_no2": "s5p-no2", "dem": "dem"}[key]
    drawn = one.draw(0, np.random.default_rng(5))[name]
    stored = made.numbers(made.grid(), key)
    candidates = stored.reshape(-1, *drawn.pixels.shape)
    assert any(np.array_equal(drawn.pixels, s) for s in candidates)


def test_counts_above_32767_survive_the_cast_to_int16(tmp_path):
    grid = made.grid()
    grid["tensors"]["s2_toa"][:] = torch.from_numpy(np.array([40000], np.uint16).view(np.int16))
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    assert np.allclose(source.draw(0, np.random.default_rng(0))["s2-l1c"].pixels, 4.0)


def test_a_count_of_zero_is_no_measurement(tmp_path):
    grid = made.grid()
    grid["tensors"]["s2_toa"][..., 0, 0] = 0
    drawn = CopernicusShards([made.shard(tmp_path / "a.tar", grid)]).draw(0, np.random.default_rng(0))["s2-l1c"]
    assert not drawn.valid[0, 0]
    assert drawn.valid[1:, 1:].all()


def test_the_offset_of_baseline_4_is_taken_off_by_date(tmp_path):
    grid = made.grid()
    late = [f"{made.CELL}/{made.LOCALS[0]}/{d}" for d in ("20220124", "20220125", "20220601", "20220602")]
    grid["labels"]["s2_toa"] = [late, [x.replace(made.LOCALS[0], made.LOCALS[1]) for x in late]]
    grid["tensors"]["s2_toa"][:] = 3000
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    found = {d["s2-l1c"].time.strftime("%Y%m%d"): float(d["s2-l1c"].pixels[0, 0, 0]) for d in draws(source, 16)}
    assert found == pytest.approx({"20220124": 0.3, "20220125": 0.2, "20220601": 0.2, "20220602": 0.2})


def test_radar_and_optical_come_from_one_patch_paired_by_id(tmp_path):
    grid = made.grid()
    grid["labels"]["s2_toa"] = grid["labels"]["s2_toa"][::-1]
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    for pair in draws(source, 6):
        assert pair["s1-grd"].window.center == pytest.approx(pair["s2-l1c"].window.center)


def test_every_patch_and_date_is_reached(one):
    seen = {(key, series.spot, shot.day) for shots in drawn(one, 200) for key, series, shot in shots}
    counts = {key: sum(k == key for k, _, _ in seen) for key in made.SIDES}
    assert counts == {"s1_grd": 8, "s2_toa": 8, **made.STEPS, "dem": 1}


def test_dates_of_two_sensors_are_drawn_apart(one):
    days = [{key: shot.day for key, _, shot in shots} for shots in drawn(one, 200)]
    assert len({(d["s1_grd"], d["s2_toa"]) for d in days}) == 16


def test_repeats_that_fill_a_series_are_not_drawn_more_often(tmp_path):
    grid = made.padded(made.grid(), "s3_olci", [0, 1, 0, 0, 0, 0, 0, 0])
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    assert first_month(source) == pytest.approx(0.5, abs=0.1)
    assert first_month(CopernicusShards([tmp_path / "a.tar"], rule=Rule(padding=True))) == pytest.approx(7 / 8, abs=0.1)


def test_a_json_without_the_extra_level_gives_the_same(tmp_path):
    two = [
        CopernicusShards([made.shard(tmp_path / f"{n}.tar", made.grid(), extra_level=n)]).draw(
            0, np.random.default_rng(1)
        )
        for n in (True, False)
    ]
    assert all(np.array_equal(two[0][k].pixels, two[1][k].pixels) and two[0][k].time == two[1][k].time for k in ALL)


def test_a_shard_that_webdataset_wrote_is_read(tmp_path):
    grid = made.grid()
    sample = {"__key__": grid["key"], **{f"{k}.pth": t for k, t in grid["tensors"].items()}}
    with webdataset.ShardWriter(str(tmp_path / "example-%06d.tar"), maxcount=100, verbose=0) as sink:
        sink.write({**sample, "json": {k: made.wrapped(v) for k, v in grid["labels"].items()}})
    theirs = CopernicusShards.of(tmp_path).draw(0, np.random.default_rng(1))
    ours = CopernicusShards([made.shard(tmp_path / "own/a.tar", grid)]).draw(0, np.random.default_rng(1))
    assert all(np.array_equal(theirs[k].pixels, ours[k].pixels) for k in ALL)


def test_a_sensor_that_is_not_there_is_an_absent_key(tmp_path):
    grid = made.without(made.grid(), "s1_grd", "dem", "s5p_o3")
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    assert set(source.draw(0, np.random.default_rng(0))) == ALL - {"s1-grd", "dem", "s5p-o3"}


def test_what_a_cell_inherited_from_the_one_before_it_is_left_out(tmp_path):
    """The published union shards: tensors, labels and even the name come from the cell before where a layer lacks."""
    first, second = made.grid(), made.without(made.grid(made.NEXT, ("0900000_128.40_67.20",), seed=1), "dem", "s3_olci")
    for key in ("dem", "s3_olci"):
        second["tensors"][key], second["labels"][key] = first["tensors"][key], first["labels"][key]
    second["key"] = first["key"]
    source = CopernicusShards([made.shard(tmp_path / "a.tar", first, second)])
    assert [source.key(i) for i in range(len(source))] == ["0772176", "0906994"]
    assert set(source.draw(0, np.random.default_rng(0))) == ALL
    assert set(source.draw(1, np.random.default_rng(0))) == ALL - {"dem", "s3-olci"}


def test_the_published_rule_keeps_complete_grids_only(tmp_path):
    part = made.without(made.grid(made.NEXT), "dem")
    path = made.shard(tmp_path / "a.tar", made.grid(), part)
    assert len(CopernicusShards([path])) == 2
    complete = CopernicusShards([path], rule=Rule.published())
    assert [complete.key(i) for i in range(len(complete))] == ["0772176"]
    assert set(complete.draw(0, np.random.default_rng(0))) == ALL


def test_the_published_pairing_goes_by_position(tmp_path):
    grid = made.grid()
    grid["labels"]["s2_toa"] = grid["labels"]["s2_toa"][::-1]
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)], rule=Rule.published())
    drawn = source.draw(0, np.random.default_rng(0))
    assert drawn["s1-grd"].window.center != pytest.approx(drawn["s2-l1c"].window.center)


def test_the_published_order_draws_places_with_replacement():
    order = resampled(3, np.random.default_rng(0))
    rounds = [{next(order) for _ in range(3)} for _ in range(200)]
    assert np.mean([len(r) == 3 for r in rounds]) == pytest.approx(6 / 27, abs=0.08)  # 3! of 3^3 miss no place


def test_a_local_patch_lies_round_its_named_centre_in_utm(one):
    window = one.draw(0, np.random.default_rng(0))["s1-grd"].window
    assert window.crs.epsg == 32615
    assert window.affine.a == 10.0
    names = [tuple(float(x) for x in local.split("_")[1:]) for local in made.LOCALS]
    assert any(window.center == pytest.approx(n, abs=1e-9) for n in names)


def test_a_cell_wide_tensor_spans_28_km_round_the_cell(tmp_path):
    source = CopernicusShards([made.shard(tmp_path / "a.tar", made.grid(sides=made.NOMINAL, locals=made.LOCALS[:1]))])
    drawn = source.draw(0, np.random.default_rng(0))
    for name in ("s3-olci", "s5p-co", "dem"):
        window = drawn[name].window
        assert window.center == pytest.approx((-96.0, 44.0))
        assert window.shape[0] * -window.affine.e * 111.195 == pytest.approx(28.0)
    assert drawn["s1-grd"].pixels.shape == (2, 264, 264)


def test_the_height_model_has_the_date_that_the_data_set_gives_it(one):
    assert one.draw(0, np.random.default_rng(0))["dem"].time.isoformat() == "2015-01-01T00:00:00+00:00"


def test_equal_generators_give_equal_draws(one):
    a, b = one.draw(0, np.random.default_rng(7)), one.draw(0, np.random.default_rng(7))
    assert all(np.array_equal(a[k].pixels, b[k].pixels) for k in ALL)


def test_a_source_travels_to_a_worker(one):
    there = pickle.loads(pickle.dumps(one))  # noqa: S301
    a, b = one.draw(0, np.random.default_rng(2)), there.draw(0, np.random.default_rng(2))
    assert all(np.array_equal(a[k].pixels, b[k].pixels) for k in ALL)
    assert one.checksum() == there.checksum()


def test_another_pixel_gives_another_checksum(tmp_path):
    grid = made.grid()
    one = CopernicusShards([made.shard(tmp_path / "a.tar", grid)]).checksum()
    grid["tensors"]["dem"][0, 0] += 1
    assert CopernicusShards([made.shard(tmp_path / "b.tar", grid)]).checksum() != one


def test_a_place_that_is_not_there_is_refused(one):
    with pytest.raises(OutOfRange, match="places 0 to 0"):
        one.draw(1, np.random.default_rng(0))


def test_an_absent_shard_is_named(tmp_path):
    with pytest.raises(SceneNotFound, match=r"gone\.tar"):
        CopernicusShards([tmp_path / "gone.tar"])


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.9999])
def test_a_shard_that_was_cut_off_is_named(tmp_path, keep):
    path = made.shard(tmp_path / "example-000003.tar", made.grid())
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(SceneUnreadable, match=r"example-000003\.tar"):
        CopernicusShards([path])


def test_an_empty_file_and_an_empty_tar_are_named(tmp_path):
    (tmp_path / "zero.tar").touch()
    with pytest.raises(SceneUnreadable, match=r"zero\.tar is an empty file"):
        CopernicusShards([tmp_path / "zero.tar"])
    with pytest.raises(SceneUnreadable, match=r"none\.tar holds no cell"):
        CopernicusShards([made.write(tmp_path / "none.tar", {})])


def test_a_member_that_was_cut_off_is_named_with_its_shard(tmp_path):
    content = made.members(made.grid())
    name = "0772176.s2_toa.pth"
    content[name] = content[name][:-5000]
    with pytest.raises(SceneUnreadable, match=r"0772176\.s2_toa\.pth in the shard .*a\.tar"):
        CopernicusShards([made.write(tmp_path / "a.tar", content)])


def test_a_member_that_is_no_tensor_is_named_with_its_shard(tmp_path):
    content = made.members(made.grid())
    content["0772176.dem.pth"] = b"nothing that torch wrote"
    source = CopernicusShards([made.write(tmp_path / "a.tar", content)])
    with pytest.raises(SceneUnreadable, match=r"0772176\.dem\.pth in the shard .*a\.tar"):
        source.draw(0, np.random.default_rng(0))


def test_a_member_that_pickles_code_is_refused(tmp_path):
    content = made.members(made.grid())
    content["0772176.dem.pth"] = made.saved(Path("x"))
    source = CopernicusShards([made.write(tmp_path / "a.tar", content)])
    with pytest.raises(SceneUnreadable, match=r"0772176\.dem\.pth"):
        source.draw(0, np.random.default_rng(0))


def test_a_tensor_of_another_type_is_read_and_one_of_no_numbers_refused(tmp_path):
    grid = made.grid()
    grid["tensors"]["s3_olci"] = grid["tensors"]["s3_olci"].to(torch.float64)
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    assert source.draw(0, np.random.default_rng(0))["s3-olci"].pixels.dtype == np.float32
    grid["tensors"]["s3_olci"] = grid["tensors"]["s3_olci"] > 0
    wrong = CopernicusShards([made.shard(tmp_path / "b.tar", grid)])
    with pytest.raises(SceneUnreadable, match=r"s3_olci\.pth in the shard .*b\.tar holds bool"):
        wrong.draw(0, np.random.default_rng(0))


def test_a_tensor_of_other_bands_is_named(tmp_path):
    grid = made.grid()
    grid["tensors"]["s1_grd"] = grid["tensors"]["s1_grd"][:, :, :1].clone()
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    with pytest.raises(SceneUnreadable, match=r"s1_grd\.pth in the shard .* is 1 x 24 x 24; s1_grd has 2 bands"):
        source.draw(0, np.random.default_rng(0))


def test_a_tensor_of_other_axes_is_named(tmp_path):
    grid = made.grid()
    grid["tensors"]["dem"] = grid["tensors"]["dem"][0].clone()
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    with pytest.raises(SceneUnreadable, match=r"dem\.pth in the shard .* has 1 axes, dem has 2"):
        source.draw(0, np.random.default_rng(0))


def test_only_what_was_drawn_is_read(one, monkeypatch):
    one.draw(0, np.random.default_rng(0))  # the kinds of tensors are known from here on
    counts, plain = [], np.fromfile
    monkeypatch.setattr(np, "fromfile", lambda *a, **k: counts.append(a[2]) or plain(*a, **k))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a tensor was loaded whole"))
    drawn = one.draw(0, np.random.default_rng(1))
    assert sum(counts) == sum(s.pixels.size for s in drawn.values())


def test_labels_that_name_more_dates_than_the_tensor_has_are_named(tmp_path):
    grid = made.grid()
    grid["tensors"]["s3_olci"] = grid["tensors"]["s3_olci"][:1].clone()
    source = CopernicusShards([made.shard(tmp_path / "a.tar", grid)])
    with pytest.raises(SceneUnreadable, match="its labels name the position"):
        draws(source, 20)


def test_a_grid_without_labels_is_named(tmp_path):
    content = made.members(made.grid())
    del content["0772176.json"]
    with pytest.raises(SceneUnreadable, match=r"0772176 in the shard .* has no JSON"):
        CopernicusShards([made.write(tmp_path / "a.tar", content)])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_a_stream_over_shards_is_the_same_for_any_number_of_workers(tmp_path):
    grids = (made.grid(), made.without(made.grid(made.NEXT, ("0900000_128.40_67.20",), seed=1), "s1_grd", "dem"))
    source = CopernicusShards([made.shard(tmp_path / "a.tar", *grids)])
    alone, shared = (list(islice(Stream(source, 2, seed=5, workers=n), 3)) for n in (0, 2))
    for a, b in zip(alone, shared, strict=True):
        assert (a.keys, a.rows) == (b.keys, b.rows)
        assert len(a.samples["s2-l1c"]) == 2
        assert len(a.samples["s1-grd"]) == 1
        pairs = [(x, y) for s in a.samples for x, y in zip(a.samples[s], b.samples[s], strict=True)]
        assert all(np.array_equal(x.pixels, y.pixels) and x.window == y.window for x, y in pairs)
