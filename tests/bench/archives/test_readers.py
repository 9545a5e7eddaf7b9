import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from armillary.bench import tasks
from armillary.bench.files import Folder
from armillary.bench.specimens.drawn import Spot, tif
from armillary.bench.task import Item, Items
from armillary.bench.variants import VARIANTS
from armillary.errors import SceneNotFound, SceneUnreadable
from armillary.probe.answer import IGNORE

UTM = Spot("EPSG:32632", Affine(10.0, 0.0, 400000.0, 0.0, -10.0, 5000000.0))
DEGREES = Spot("EPSG:4326", Affine(0.0027, 0.0, 12.0, 0.0, -0.0027, 47.0))
FINER = Spot("EPSG:4326", Affine(0.0009, 0.0, 12.0, 0.0, -0.0009, 47.0))
MERCATOR = Spot("EPSG:3857", Affine(10.0, 0.0, 1336000.0, 0.0, -10.0, 5942000.0))


def _put(root: Path, **parts: str) -> None:
    for name, text in parts.items():
        root.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _lists(root: Path, pattern: str, line: str, head: str = "") -> None:
    """The line in the training list; the other two are empty."""
    for part in ("train", "val", "test"):
        path = root / pattern.format(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + (f"{line}\n" if part == "train" else ""))


def _tif(root: Path, name: str, value: float | list[float], kind: type, spot: Spot, side: int = 4) -> None:
    bands = np.atleast_1d(np.array(value))
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tif(np.broadcast_to(bands[:, None, None], (len(bands), side, side)).astype(kind), spot))


def _only(root: Path, name: str) -> tuple[Items, Item]:
    items = (tasks.COPERNICUS | VARIANTS)[name].read(Folder(str(root)))
    assert items.parts == ("train",)
    return items, items.item(0)


def test_cloud_s2_takes_the_first_time_of_the_stem_and_all_facts_of_the_place(tmp_path: Path) -> None:
    stem = "ROI_00002__20200422T141729_20200422T142243_T19GDN"
    _lists(tmp_path, "{}.csv", stem)
    _tif(tmp_path, f"s2_toa/{stem}.tif", [1000.0 * k for k in range(1, 14)], np.uint16, UTM)
    _tif(tmp_path, f"cloud/{stem}.tif", 3, np.uint8, UTM)
    items, item = _only(tmp_path, "cloud-s2")
    (sample,) = item.samples
    assert (item.key, sample.time) == (stem, datetime(2020, 4, 22, 14, 17, 29, tzinfo=UTC))
    assert sample.pixels[:, 0, 0] == pytest.approx(np.arange(1, 14) / 10)
    assert (sample.window.crs.epsg, sample.window.affine) == (32632, UTM.affine)
    assert (item.truth.tolist(), item.grid) == ([[3] * 4] * 4, sample.window)
    assert items.files(0) == (f"s2_toa/{stem}.tif", f"cloud/{stem}.tif")


def test_cloud_s3_reads_full_file_names_and_either_kind_of_label(tmp_path: Path) -> None:
    name = "S3A_OL_1_EFR____20200703T154217_20200703T154517_20200704T201053_0179_060_111_2160_LN1_O_NT_002_01_01.tif"
    _lists(tmp_path, "{}.csv", name)
    _tif(tmp_path, f"s3_olci/{name}", [1000.0] * 21, np.float32, DEGREES)
    _tif(tmp_path, f"cloud_multi/{name}", 5, np.uint8, DEGREES)
    _tif(tmp_path, f"cloud_binary/{name}", 1, np.uint8, DEGREES)
    _, item = _only(tmp_path, "cloud-s3")
    assert item.samples[0].time == datetime(2020, 7, 3, 15, 42, 17, tzinfo=UTC)
    assert item.samples[0].pixels[0, 0, 0] == pytest.approx(13.9465)
    assert np.unique(item.truth).tolist() == [4]
    assert np.unique(_only(tmp_path, "cloud-s3-binary")[1].truth).tolist() == [0]


def test_eurosat_reads_jpg_names_as_tif_and_b8a_last(tmp_path: Path) -> None:
    _lists(tmp_path, "eurosat-{}.txt", "SeaLake_12.jpg")
    _tif(tmp_path, "all_imgs/SeaLake/SeaLake_12.tif", [100.0 * k for k in range(1, 14)], np.uint16, UTM)
    _, item = _only(tmp_path, "eurosat-s2")
    (sample,) = item.samples
    by_name = dict(zip(sample.sensor.band_names, sample.pixels[:, 0, 0], strict=True))
    assert by_name["B8A"] == pytest.approx(0.13)
    assert by_name["B09"] == pytest.approx(0.09)
    assert (int(item.truth), sample.time, sample.window.crs.epsg) == (9, None, 32632)


def test_eurosat_classes_do_not_depend_on_which_occur(tmp_path: Path) -> None:
    _lists(tmp_path, "eurosat-{}.txt", "River_1.jpg")
    assert int(tasks.EUROSAT_S1.read(Folder(str(tmp_path))).truth(0)) == 8
    _lists(tmp_path, "eurosat-{}.txt", "Desert_1.jpg")
    with pytest.raises(SceneUnreadable, match="Desert"):
        tasks.EUROSAT_S1.read(Folder(str(tmp_path)))


def test_bigearthnet_takes_each_sensors_own_path_and_date(tmp_path: Path) -> None:
    s1 = "S1A_IW_GRDH_1SDV_20180420T063852/S1A_IW_GRDH_1SDV_20180420T063852_29UPU_77_6"
    s2 = "S2B_MSIL2A_20180421T114349_N9999_R123_T29UPU/S2B_MSIL2A_20180421T114349_N9999_R123_T29UPU_77_06"
    paths = [f"{p}/{p.rpartition('/')[2]}_allbands.tif" for p in (s1, s2)]
    marks = [int(k in (0, 18)) for k in range(19)]
    _lists(tmp_path, "multilabel-{}.csv", ",".join([*paths, *map(str, marks)]), ",".join(map(str, range(21))) + "\n")
    _tif(tmp_path, f"BigEarthNet-S1-5%/{paths[0]}", [-9.5, -17.0], np.float32, UTM)
    _tif(tmp_path, f"BigEarthNet-S2-5%/{paths[1]}", [100.0 * k for k in range(1, 13)], np.uint16, UTM)
    _, radar = _only(tmp_path, "bigearthnet-s1")
    _, optical = _only(tmp_path, "bigearthnet-s2")
    assert radar.samples[0].time == datetime(2018, 4, 20, 6, 38, 52, tzinfo=UTC)
    assert optical.samples[0].time == datetime(2018, 4, 21, 11, 43, 49, tzinfo=UTC)
    assert radar.samples[0].pixels[:, 0, 0].tolist() == [-9.5, -17.0]
    assert optical.samples[0].pixels[:, 0, 0] == pytest.approx(np.arange(1, 13) / 100)
    assert optical.samples[0].sensor.band_names[7:] == ("B08", "B8A", "B09", "B11", "B12")
    assert radar.truth.astype(int).tolist() == optical.truth.astype(int).tolist() == marks


@pytest.fixture
def lc100(tmp_path: Path) -> Path:
    """Two places whose two lists do not share their order; the first has a later S3A and an earlier S3B."""
    pids = ("0200599_-70.25_-55.25", "0906994_128.50_67.25")
    late, early = "S3A_20190810T135736_20190810T135744.tif", "S3B_20190507T135525_20190507T135539.tif"
    marks = [",".join([pid, *("1" if k == n else "0" for k in range(23))]) for n, pid in enumerate(pids)]
    _lists(tmp_path, "multilabel-{}.csv", "\n".join(marks), "PID," + ",".join(f"c{k}" for k in range(23)) + "\n")
    _lists(tmp_path, "static_fnames-{}.csv", f"{pids[1]},{early}\n{pids[0]},{late}")
    for pid, name, value in ((pids[0], late, 2000.0), (pids[0], early, 1000.0), (pids[1], early, 3000.0)):
        _tif(tmp_path, f"s3_olci/{pid}/{name}", [value] * 21, np.float32, DEGREES, side=2)
    for pid, code in zip(pids, (126, 200), strict=True):
        _tif(tmp_path, f"lc100/{pid}.tif", code, np.uint8, FINER, side=6)
    return tmp_path


def test_lc100_joins_its_lists_by_place_and_not_by_row(lc100: Path) -> None:
    items = tasks.LC100CLS_S3.read(Folder(str(lc100)))
    for number, (key, count) in enumerate((("0200599_-70.25_-55.25", 2000), ("0906994_128.50_67.25", 3000))):
        item = items.item(number)
        assert (item.key, int(item.truth.argmax()), int(item.truth.sum())) == (key, number, 1)
        assert item.samples[0].pixels[0, 0, 0] == pytest.approx(count * 0.0139465)


def test_lc100_series_are_in_the_order_of_time_whatever_the_satellite(lc100: Path) -> None:
    item = VARIANTS["lc100cls-s3-series"].read(Folder(str(lc100))).item(0)
    assert [s.time.month for s in item.samples] == [5, 8]
    assert [round(float(s.pixels[0, 0, 0] / 0.0139465)) for s in item.samples] == [1000, 2000]


def test_lc100_maps_keep_their_own_grid(lc100: Path) -> None:
    items = tasks.LC100SEG_S3.read(Folder(str(lc100)))
    found = {items.keys[i]: items.item(i) for i in range(2)}
    item = found["0200599_-70.25_-55.25"]
    assert np.unique(item.truth).tolist() == [21]
    assert (item.truth.shape, item.grid.shape, item.samples[0].window.shape) == ((6, 6), (6, 6), (2, 2))
    assert item.grid.gsd_m == pytest.approx(item.samples[0].window.gsd_m / 3, rel=1e-3)


def test_a_place_without_a_chosen_file_is_named_and_the_other_is_read(lc100: Path) -> None:
    _lists(lc100, "static_fnames-{}.csv", "0906994_128.50_67.25,S3B_20190507T135525_20190507T135539.tif")
    items = tasks.LC100CLS_S3.read(Folder(str(lc100)))
    with pytest.raises(SceneNotFound, match=r"0200599_-70\.25_-55\.25"):
        items.item(0)
    assert items.item(1).truth[1]


def test_dfc2020_swaps_the_token_of_the_label_and_knows_no_place(tmp_path: Path) -> None:
    nowhere = Spot("EPSG:4326", Affine(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    _lists(tmp_path, "dfc-{}-new.csv", "ROIs0000_test_dfc_0_p609.tif")
    _tif(tmp_path, "dfc/ROIs0000_test_dfc_0_p609.tif", 10, np.int32, nowhere)
    _tif(tmp_path, "s1/ROIs0000_test_s1_0_p609.tif", [-8.0, -16.0], np.float64, nowhere)
    _tif(tmp_path, "s2/ROIs0000_test_s2_0_p609.tif", [900.0] * 13, np.uint16, nowhere)
    for name, value in (("dfc2020-s1", -8.0), ("dfc2020-s2", 0.09)):
        _, item = _only(tmp_path, name)
        assert np.unique(item.truth).tolist() == [7]
        assert item.samples[0].pixels[0, 0, 0] == pytest.approx(value)
        assert (item.samples[0].window.crs, item.samples[0].time, item.grid) == (None, None, None)


@pytest.fixture
def flood(tmp_path: Path) -> Path:
    tile = "1111013/01/e2eb30d2c5eb52669c5e6a9db8973835"
    for part in ("train", "val", "test"):
        record = {"e2eb": {"path": tile, "info": {"datasets": {}}}} if part == "train" else {}
        (tmp_path / f"grid_dict_{part}.json").write_text(json.dumps(record))
    for role, day, value in (("SL2", "20170410", 0.1), ("SL1", "20170422", 0.01), ("MS1", "20170504", 0.001)):
        for band, factor in (("IVV", 1), ("IVH", 0.1)):
            _tif(tmp_path, f"data/{tile}/{role}_{band}_1111013_01_{day}.tif", value * factor, np.float32, MERCATOR)
    _tif(tmp_path, f"data/{tile}/MK0_MLU_1111013_01_20170504.tif", 2, np.uint8, MERCATOR)
    return tmp_path


def test_flood_samples_are_before_and_after_in_decibels_with_a_date_each(flood: Path) -> None:
    _, item = _only(flood, "flood-s1")
    assert [s.pixels[:, 0, 0].round(3).tolist() for s in item.samples] == [[-20, -30], [-30, -40]]
    assert [s.time for s in item.samples] == [datetime(2017, 4, 22, tzinfo=UTC), datetime(2017, 5, 4, tzinfo=UTC)]
    assert np.unique(item.truth).tolist() == [2]
    _, three = _only(flood, "flood-s1-two-before")
    assert [round(float(s.pixels[0, 0, 0])) for s in three.samples] == [-10, -20, -30]


def test_a_flood_pixel_is_smaller_on_the_ground_than_in_web_mercator(flood: Path) -> None:
    window = _only(flood, "flood-s1")[1].samples[0].window
    assert window.crs.epsg == 3857
    assert window.gsd_m == pytest.approx(10 * np.cos(np.radians(window.center[1])), rel=5e-3)


def test_flood_pixels_that_are_not_valid_are_not_asked(flood: Path) -> None:
    folder = next((flood / "data").rglob("MK0_MLU*")).parent
    mask = np.ones((1, 4, 4), np.uint8)
    mask[0, 0] = 0
    (folder / "MK0_MNA_1111013_01_20170504.tif").write_bytes(tif(mask, MERCATOR))
    items, item = _only(flood, "flood-s1")
    assert np.unique(item.truth[0]).tolist() == [IGNORE]
    assert np.unique(item.truth[1:]).tolist() == [2]
    assert any("MK0_MNA" in name for name in items.files(0))


def test_an_absent_acquisition_is_named(flood: Path) -> None:
    next((flood / "data").rglob("SL1_IVH*")).unlink()
    with pytest.raises(SceneNotFound, match="SL1_IVH"):
        tasks.FLOOD_S1.read(Folder(str(flood))).item(0)


def test_biomass_keeps_its_own_grid_and_values(tmp_path: Path) -> None:
    pid = "S30E140_ESACCI-BIOMASS-L4-AGB-MERGED-100m-2020-fv4.0_02_11"
    name = "S3B_20200514T234457_20200514T234757.tif"
    _lists(tmp_path, "static_fnames-{}.csv", f"{pid},{name}")
    _tif(tmp_path, f"s3_olci/{pid}/{name}", [1000.0] * 21, np.float32, DEGREES, side=4)
    _tif(tmp_path, f"biomass/{pid}.tif", 321, np.uint16, FINER, side=11)
    _, item = _only(tmp_path, "biomass-s3")
    assert (item.truth.shape, item.truth.dtype, float(item.truth[0, 0])) == ((11, 11), np.float32, 321.0)
    assert item.samples[0].time == datetime(2020, 5, 14, 23, 44, 57, tzinfo=UTC)
    assert item.grid.affine == FINER.affine


def test_air_quality_reads_the_year_or_the_four_seasons(tmp_path: Path) -> None:
    pid = "EEA_1kmgrid_2021_o3_avg_34_13"
    spot = Spot("EPSG:3035", Affine(1113.2, 0.0, 3307317.2, 0.0, -1113.2, 3575598.4))
    _lists(tmp_path, "o3/{}.csv", pid)
    _tif(tmp_path, f"o3/s5p_annual/{pid}/2021-01-01_2021-12-31.tif", 0.14, np.float32, spot)
    spans = ("2021-10-01_2021-12-31", "2021-01-01_2021-04-01", "2021-07-01_2021-10-01", "2021-04-01_2021-07-01")
    for span in spans:
        _tif(tmp_path, f"o3/s5p_seasonal/{pid}/{span}.tif", float(span[5:7]) / 100, np.float32, spot)
    _tif(tmp_path, f"o3/label_annual/{pid}.tif", 4600, np.float32, spot)
    _, year = _only(tmp_path, "aq-o3-s5p")
    _, seasons = _only(tmp_path, "aq-o3-s5p-seasons")
    assert (year.samples[0].time, year.samples[0].window.crs.epsg) == (datetime(2021, 1, 1, tzinfo=UTC), 3035)
    assert [s.time.month for s in seasons.samples] == [1, 4, 7, 10]
    assert [round(float(s.pixels[0, 0, 0]) * 100) for s in seasons.samples] == [1, 4, 7, 10]
    assert float(year.truth[0, 0]) == 4600


def test_an_item_that_two_parts_share_keeps_two_keys(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        _put(tmp_path, **{f"eurosat-{part}.txt": "River_1.jpg\n"})
    assert tasks.EUROSAT_S1.read(Folder(str(tmp_path))).keys == ("River_1", "val/River_1", "test/River_1")
