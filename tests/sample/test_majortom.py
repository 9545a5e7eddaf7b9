import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.sample.synthetic import majortom as made
from tests.sample.synthetic.ranges import served

import armillary as arm
from armillary.earth.majortom import from_id
from armillary.errors import BadInput, BandMismatch, OutOfRange, SceneNotFound, SceneUnreadable
from armillary.sample.majortom import MajorTom, is_held_out, open_majortom
from armillary.sample.source import Source
from armillary.scene.majortom.embedded import footprint_of
from armillary.scene.majortom.parts import read_columns
from armillary.scene.majortom.select import Selection
from armillary.scene.majortom.thumbnail import optical

ALL = ("s2-l2a", "s2-l1c", "s1-rtc", "dem")
COMPANIES = [p for cell in made.CELLS for p in made.company(cell)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.archive(tmp_path_factory.mktemp("archive"), COMPANIES)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(source: MajorTom, cell: str, seed: int = 0):
    place = [source.key(i) for i in range(len(source))].index(cell)
    return source.draw(place, rng(seed))


def test_a_place_is_a_cell_with_one_sample_of_each_sensor(root):
    source = open_majortom(root)
    assert isinstance(source, Source)
    assert [source.key(i) for i in range(len(source))] == sorted(made.CELLS)
    assert tuple(source.draw(0, rng())) == ALL


@pytest.mark.parametrize("cell", made.CELLS)
def test_windows_are_the_published_footprint(root, cell):
    footprint = from_id(cell).footprint
    for sensor, sample in drawn(open_majortom(root), cell).items():
        side = 8 if sensor == "dem" else 24
        assert sample.window.shape == (side, side)
        assert sample.window.crs == footprint.crs
        assert tuple(sample.window.affine @ (0, 0)) == pytest.approx(tuple(footprint.affine @ (0, 0)))
        assert sample.window.affine.a * side == pytest.approx(10_680)


def test_the_newer_footprint_is_1056_pixels_on_whole_pixels_of_60_m(tmp_path):
    cell = "890D_149L"
    source = open_majortom(made.archive(tmp_path, made.company(cell), unit=8, snapped=True))
    window = source.draw(0, rng())["s2-l2a"].window
    assert window.affine.a * window.shape[1] == pytest.approx(10_560)
    assert (window.affine.c % 60, window.affine.f % 60) == (0, 10_000_000 % 60)


def test_a_geotiff_without_a_place_lies_on_the_footprint_that_its_size_tells(root):
    for side, name in (
        (1068, "footprint"),
        (534, "footprint"),
        (1056, "snapped_footprint"),
        (176, "snapped_footprint"),
    ):
        record = open_majortom(root).records(0)["Core-DEM"]
        window = footprint_of(record, (side, side))
        whole = getattr(from_id(record.cell), name)
        assert window.affine.c == whole.affine.c
        assert window.affine.a * side == pytest.approx(whole.affine.a * whole.shape[1])


def test_counts_become_reflectance_without_the_shift_of_their_baseline(root):
    sample = drawn(open_majortom(root), "433U_1027R")["s2-l2a"]
    product = made.level("Core-S2L2A", "433U_1027R")
    stored = made.stored(product, "B04", 24)
    assert np.allclose(sample.pixels[3], (stored.astype(np.float64) - 1000) / 1e4, atol=1e-6)


def test_bands_of_20_and_60_m_are_repeated(root):
    pixels = drawn(open_majortom(root), "433U_1027R")["s2-l1c"].pixels
    assert np.array_equal(pixels[4], pixels[4, ::2, ::2].repeat(2, 0).repeat(2, 1))
    assert np.array_equal(pixels[10], pixels[10, ::6, ::6].repeat(6, 0).repeat(6, 1))


def test_power_becomes_decibels_and_its_fill_nan(root):
    pixels = drawn(open_majortom(root), "433U_1027R")["s1-rtc"].pixels
    stored = made.stored(made.radar("433U_1027R"), "vv", 24)
    assert np.isnan(pixels[0, 0, 0])
    assert np.allclose(pixels[0, 1:], 10 * np.log10(stored[1:]), atol=1e-4)


def test_heights_below_the_sea_stay(root):
    pixels = drawn(open_majortom(root), "433U_1027R")["dem"].pixels
    assert np.array_equal(pixels[0], made.stored(made.heights("433U_1027R"), "DEM", 8))
    assert pixels.min() < 0


def test_crops_of_all_sensors_lie_on_one_ground(root):
    source = open_majortom(root, side_px=12)
    samples = source.draw(0, rng(3))
    corners = {tuple(np.round(s.window.affine @ (0, 0), 3)) for s in samples.values()}
    ends = {tuple(np.round(s.window.affine @ s.window.shape[::-1], 3)) for s in samples.values()}
    assert len(corners) == len(ends) == 1
    whole = open_majortom(root).draw(0, rng())["s2-l2a"]
    col, row = (round(v) for v in ~whole.window.affine @ (samples["s2-l2a"].window.affine @ (0, 0)))
    assert np.array_equal(samples["s2-l2a"].pixels, whole.pixels[:, row : row + 12, col : col + 12])


def test_on_one_grid_all_samples_share_one_window(root):
    samples = open_majortom(root, gsd_m=890.0).draw(0, rng())
    assert {s.window for s in samples.values()} == {samples["dem"].window}
    assert samples["dem"].pixels.shape == (1, 12, 12)
    assert np.isfinite(samples["dem"].pixels).all()


def test_equal_states_give_equal_draws_and_a_source_travels(root):
    source = open_majortom(root, side_px=12)
    other = pickle.loads(pickle.dumps(source))  # noqa: S301 (our own bytes)
    one, two = source.draw(1, rng(5)), other.draw(1, rng(5))
    assert all(np.array_equal(one[k].pixels, two[k].pixels, equal_nan=True) for k in one)
    assert source.checksum() == open_majortom(root, side_px=12).checksum()
    assert source.checksum() != open_majortom(root).checksum()


def test_a_place_that_is_none_and_a_crop_that_is_too_large_are_refused(root):
    with pytest.raises(OutOfRange, match="place 4"):
        open_majortom(root).draw(4, rng())
    with pytest.raises(OutOfRange, match="crop"):
        open_majortom(root, side_px=100_000).draw(0, rng())


def test_a_tree_of_files_gives_what_its_parts_give(root, tmp_path):
    tree = open_majortom(made.unpacked(tmp_path, made.company("433U_1027R")))
    one, two = tree.draw(0, rng()), drawn(open_majortom(root), "433U_1027R")
    assert all(np.array_equal(one[s].pixels, two[s].pixels, equal_nan=True) for s in ALL)
    assert one["s2-l2a"].time == two["s2-l2a"].time


def test_an_unpacked_tree_with_its_table_reads_the_files(tmp_path):
    products = made.company("433U_1027R")
    made.unpacked(tmp_path, products)
    for p in products:
        made.metadata(tmp_path / p.set / "metadata.parquet", [p, replace(p, cell="466U_103R")])
    source = open_majortom(tmp_path)
    assert [source.key(i) for i in range(len(source))] == ["433U_1027R"]
    assert tuple(source.draw(0, rng())) == ALL


def test_parts_without_a_table_are_read_by_what_they_say(root, tmp_path):
    part = made.part(tmp_path / "part_00007.parquet", [made.level("Core-S2L2A", c) for c in made.CELLS])
    source = MajorTom((str(part),))
    assert len(source) == 4
    assert np.array_equal(
        drawn(source, "0U_199R")["s2-l2a"].pixels, drawn(open_majortom(root), "0U_199R")["s2-l2a"].pixels
    )


@pytest.mark.parametrize("how", [{"reverse": True}, {"text": True}])
def test_the_order_of_columns_and_the_type_of_times_do_not_matter(root, tmp_path, how):
    source = open_majortom(made.archive(tmp_path, made.company("433U_1027R"), **how))
    one, two = source.draw(0, rng()), drawn(open_majortom(root), "433U_1027R")
    assert all(np.array_equal(one[s].pixels, two[s].pixels, equal_nan=True) for s in ALL)
    assert [one[s].time for s in ALL] == [two[s].time for s in ALL]


def test_a_part_without_a_band_gives_the_others(tmp_path):
    made.archive(tmp_path, [made.level("Core-S2L2A", "433U_1027R")])
    path = tmp_path / "Core-S2L2A" / "images" / "part_00001.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["B05", "thumbnail"]), path, row_group_size=1)
    assert open_majortom(tmp_path).draw(0, rng())["s2-l2a"].sensor.band_names[4] == "B06"
    with pytest.raises(BandMismatch, match="B05"):
        open_majortom(tmp_path, bands={"s2-l2a": ("B05",)}).draw(0, rng())


def test_repeated_rows_are_one_place(tmp_path):
    products = [made.level("Core-S2L2A", c) for c in ("433U_1027R", "433U_1027R", "466U_103R")]
    assert len(open_majortom(made.archive(tmp_path, products))) == 2


def test_a_row_that_is_of_another_product_is_found_where_it_is(tmp_path):
    products = [made.level("Core-S2L2A", c) for c in made.CELLS]
    made.archive(tmp_path, products)
    made.metadata(tmp_path / "Core-S2L2A" / "metadata.parquet", products[::-1])
    source = open_majortom(tmp_path)
    for product in products:
        b02 = made.stored(product, "B02", 24)
        got = drawn(source, product.cell)["s2-l2a"].pixels[1]
        assert np.allclose(got, (b02.astype(np.float64) - 1000) / 1e4, atol=1e-6)


def test_a_product_that_its_part_does_not_hold_is_named(tmp_path):
    product = made.level("Core-S2L2A", "433U_1027R")
    made.archive(tmp_path, [product])
    made.metadata(tmp_path / "Core-S2L2A" / "metadata.parquet", [made.level("Core-S2L2A", "466U_103R")])
    with pytest.raises(SceneUnreadable, match="466U_103R"):
        open_majortom(tmp_path).draw(0, rng())


def test_levels_of_different_overpasses_are_not_paired(tmp_path):
    made.archive(
        tmp_path,
        [
            made.level("Core-S2L2A", "433U_1027R", "20220706"),
            made.level("Core-S2L2A", "433U_1027R", "20220801"),
            made.level("Core-S2L1C", "433U_1027R", "20220706"),
            made.level("Core-S2L2A", "466U_103R", "20220706"),
            made.level("Core-S2L1C", "466U_103R", "20210101"),
        ],
    )
    source = open_majortom(tmp_path)
    assert [source.key(i) for i in range(len(source))] == ["433U_1027R"]
    assert {r.product[11:26] for r in source.records(0).values()} == {"20220706T085611"}
    loose = open_majortom(tmp_path, selection=Selection(need=()))
    assert set(drawn(loose, "466U_103R")) == {"s2-l2a"}
    latest = open_majortom(tmp_path, selection=Selection(match="latest"))
    assert [r.time.month for r in latest.records(0).values()] == [8, 7]


def test_radar_is_the_pass_nearest_to_the_optical_one(tmp_path):
    days = ("20220701", "20220708", "20230101")
    products = [made.radar("433U_1027R", d) for d in days] + [made.level("Core-S2L2A", "433U_1027R", "20220706")]
    assert open_majortom(made.archive(tmp_path, products)).records(0)["Core-S1RTC"].time.day == 8


def test_cells_are_filtered_by_cloud_time_and_place(tmp_path):
    cloudy = replace(made.level("Core-S2L2A", "433U_1027R"), cloud=35.0)
    made.archive(
        tmp_path, [cloudy, made.level("Core-S2L2A", "466U_103R"), made.level("Core-S2L2A", "0U_199R", "20160101")]
    )

    def cells(**how):
        source = open_majortom(tmp_path, selection=Selection(**how))
        return [source.key(i) for i in range(len(source))]

    assert cells(cloud=(0, 10)) == ["0U_199R", "466U_103R"]
    assert cells(box=(12, 41, 13, 42)) == ["466U_103R"]
    beta = open_majortom(tmp_path, selection=Selection.cop_gen_beta())
    assert [beta.key(i) for i in range(len(beta))] == ["466U_103R"]


def test_the_split_is_a_fact_of_the_cell_alone(root):
    source = open_majortom(root, share=0.5)
    sides = [open_majortom(root, share=0.5, split=s) for s in ("train", "held-out")]
    names = [{s.key(i) for i in range(len(s))} for s in sides]
    assert names[0] | names[1] == {source.key(i) for i in range(4)}
    assert names[1] == {c for c in made.CELLS if is_held_out(c, 0.5)}


def test_about_one_cell_in_twenty_is_held_out():
    held = sum(is_held_out(f"{row}U_{col}R") for row in range(60) for col in range(60))
    assert held / 3600 == pytest.approx(0.05, abs=0.012)


def test_cells_of_one_larger_cell_stay_on_one_side():
    near = {is_held_out(f"433U_{col}R", 0.5, 100) for col in range(1027, 1031)}
    assert len({is_held_out(f"433U_{col}R", 0.5) for col in range(1020, 1031)}) == 2
    assert len(near) == 1


def test_a_row_is_fetched_by_its_own_bytes(root):
    with served(root) as server:
        source = MajorTom((f"{server.url}/Core-S2L2A/metadata.parquet",), bands={"s2-l2a": ("B04",)})
        record = replace(source.records(0)["Core-S2L2A"], href=f"{server.url}/Core-S2L2A/images/part_00001.parquet")
        server.sent.clear()
        got = read_columns(record, ("B04",), home=server.url)
        asked = sum(n for name, n in server.sent if name.startswith("part"))
    product = next(p for p in COMPANIES if p.cell == record.cell and p.set == "Core-S2L2A")
    assert got["B04"] == made.content(product, "B04", 4)
    assert len(server.sent) <= 5
    assert asked < 0.75 * (root / "Core-S2L2A" / "images" / "part_00001.parquet").stat().st_size


def test_a_remote_set_gives_what_the_local_one_gives(root, tmp_path):
    products = [made.level("Core-S2L2A", c) for c in made.CELLS]
    made.part(tmp_path / "Core-S2L2A" / "images" / "part_00001.parquet", products)
    made.metadata(tmp_path / "Core-S2L2A" / "metadata.parquet", products, url="images/part_00001.parquet")
    with served(tmp_path) as server:
        source = MajorTom((f"{server.url}/Core-S2L2A",))
        got = drawn(source, "466U_103R")["s2-l2a"]
    want = drawn(open_majortom(root), "466U_103R")["s2-l2a"]
    assert np.array_equal(got.pixels, want.pixels)
    assert got.window == want.window


def test_a_set_that_is_not_on_the_server_is_named(tmp_path):
    with served(tmp_path) as server, pytest.raises(SceneNotFound, match="Core-DEM"):
        len(MajorTom((f"{server.url}/Core-DEM",)))


def test_a_part_that_is_cut_off_is_named(tmp_path):
    made.archive(tmp_path, [made.level("Core-S2L2A", "433U_1027R")])
    path = tmp_path / "Core-S2L2A" / "images" / "part_00001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SceneUnreadable, match="part_00001"):
        open_majortom(tmp_path).draw(0, rng())


def test_folders_that_hold_no_set_are_refused(tmp_path):
    with pytest.raises(SceneNotFound):
        open_majortom(tmp_path)
    (tmp_path / "Core-DEM").mkdir()
    with pytest.raises(SceneNotFound):
        len(open_majortom(tmp_path))
    with pytest.raises(BadInput):
        MajorTom(("x",), split="test")


def test_cloud_masks_and_other_columns_are_read_as_stored(root):
    source = open_majortom(root)
    stored, window = source.stored(0, "S2L2A", "cloud_mask")
    product = next(p for p in COMPANIES if p.cell == source.key(0) and p.set == "Core-S2L2A")
    assert np.array_equal(stored, made.stored(product, "cloud_mask", 24))
    assert window.shape == (24, 24)


def test_the_published_thumbnail_is_given_and_a_missing_one_made(root, tmp_path):
    source = open_majortom(root)
    assert source.thumbnail(0, "Core-S2L1C").shape == (24, 24, 3)
    tree = made.unpacked(tmp_path, made.company("433U_1027R"))
    for path in tree.rglob("thumbnail.png"):
        path.unlink()
    made_here = open_majortom(tree)
    for name in made.COLUMNS:
        assert made_here.thumbnail(0, name).dtype == np.uint8


def test_arm_open_opens_a_row_of_a_part(root):
    path = root / "Core-S2L1C" / "images" / "part_00001.parquet"
    opened = arm.open(path, step=2)
    cell = made.CELLS[2]
    assert np.array_equal(opened.values, drawn(open_majortom(root), cell)["s2-l1c"].pixels)
    assert (opened.attrs["sensor"], opened.attrs["time"]) == ("s2-l1c", "2022-07-06T08:56:11Z")
    assert cell in opened.attrs["step"]
    with pytest.raises(BadInput, match="rows 0 to 3"):
        arm.open(path, step=4)


def test_the_real_cell_is_read_as_arm_open_reads_it(shared):
    source = MajorTom((str(shared / "data" / "majortom_cell" / "S2L2A"),))
    sample = source.draw(0, rng())["s2-l2a"]
    opened = arm.open(source.records(0)["Core-S2L2A"].href)
    assert source.key(0) == "0U_199R"
    assert sample.window.shape == (1068, 1068)
    assert tuple(sample.window.affine) == pytest.approx(tuple(from_id("0U_199R").footprint.affine), abs=1e-6)
    assert np.array_equal(sample.pixels[:, 60:90, 7:50], opened[:, 60:90, 7:50].values)


def test_the_real_thumbnail_is_the_formula_but_for_its_compression(shared):
    source = MajorTom((str(shared / "data" / "majortom_cell" / "S2L2A"),))
    counts = np.stack([source.stored(0, "S2L2A", b)[0] for b in ("B04", "B03", "B02")])
    far = np.abs(optical(counts).astype(int) - source.thumbnail(0, "S2L2A"))
    assert far.mean() < 2.5
    assert source.patches(0)["Core-S2L2A"].shape == (16, 256, 256, 3)
