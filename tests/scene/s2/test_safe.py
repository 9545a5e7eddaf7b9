import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.scene.synthetic.safe import BASE, SIZE, Variant, counts, write_safe, zip_safe

import armillary as arm
from armillary.earth.fleet import sensors
from armillary.errors import BadInput, BandMismatch, MissingExtra, OutOfRange, SceneUnreadable, SensorUnknown
from armillary.scene.access import handles
from armillary.scene.gridded.radiometry import twice_corrected
from armillary.scene.request import Request
from armillary.scene.s2 import safe
from armillary.scene.scene import Scene

WHOLE = slice(0, 60), slice(0, 60)
OLD = Variant("L1C", "03.01", listed=False)
NEW = Variant("L2A", "04.00")
REDONE = Variant("L1C", "05.11")
FOREIGN = Variant("L2A", "99.99", listed=False)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> dict[Variant, Path]:
    folder = tmp_path_factory.mktemp("safe")
    return {v: write_safe(folder, v) for v in (OLD, NEW, REDONE, FOREIGN)}


def opened(path: Path, **facts: object) -> Scene:
    return safe.open_scene(path, Request.of(None, facts))


def band(scene: Scene, name: str) -> np.ndarray:
    return scene.pixels.read(scene.sensor.index((name,)), *(slice(0, n) for n in scene.window.shape))[0]


def test_every_band_of_level_1c_keeps_its_own_numbers(products):
    scene = opened(products[OLD])
    assert scene.sensor.band_names == sensors["s2-l1c"].band_names
    for name in scene.sensor.band_names:
        assert np.unique(band(scene, name)[20:50, 6:])[0] == np.float32(BASE[name] * 1e-4), name


def test_level_2a_has_twelve_bands_and_no_cirrus(products):
    scene = opened(products[NEW])
    assert scene.sensor.name == "s2-l2a"
    assert scene.sensor.band_names == sensors["s2-l2a"].band_names


@pytest.mark.parametrize("variant", [OLD, NEW, REDONE])
def test_count_zero_is_nan_and_never_a_reflectance(products, variant):
    values = opened(products[variant]).pixels.read([0, 1, 4], *WHOLE)
    assert np.isnan(values[0, :, :6]).all()
    assert np.isnan(values[1, :, 0]).all()
    assert np.isfinite(values[1, :, 1:]).all()


@pytest.mark.parametrize(
    ("variant", "thousand", "nine_hundred"), [(OLD, 0.1, 0.09), (NEW, 0.0, -0.01), (REDONE, 0.0, -0.01)]
)
def test_count_1000_is_zero_when_the_product_lists_the_offset_and_a_tenth_before(
    products, variant, thousand, nine_hundred
):
    blue = band(opened(products[variant]), "B02")
    assert blue[1, 2] == np.float32(thousand)
    assert blue[1, 3] == pytest.approx(nine_hundred, abs=1e-8)


def test_the_date_does_not_decide_the_offset(products):
    scene = opened(products[REDONE])
    assert scene.time is not None
    assert scene.time.year == 2017
    assert scene.sources["scaling"] == "read"
    assert scene.facts["offset"].startswith("-1000")


def test_a_run_of_a_third_party_without_offsets_warns_and_is_judged_by_its_counts(tmp_path):
    root = write_safe(tmp_path, FOREIGN)
    with pytest.warns(UserWarning, match="offset"):
        scene = opened(root)
    assert scene.sources["scaling"] in ("assumed", "unknown")
    assert band(scene, "B02")[1, 2] == np.float32(0.1)


def test_a_missing_list_at_baseline_4_is_assumed_shifted_with_a_warning(tmp_path):
    root = write_safe(tmp_path, Variant("L1C", "04.00", listed=False))
    with pytest.warns(UserWarning, match=r"-1000|offset=0"):
        scene = opened(root)
    assert scene.sources["scaling"] == "assumed"
    assert band(scene, "B02")[1, 2] == 0.0


def test_a_listed_offset_is_used_whatever_the_baseline(tmp_path):
    scene = opened(write_safe(tmp_path, Variant("L1C", "02.04", listed=True)))
    assert band(scene, "B02")[1, 2] == 0.0


def test_the_offset_of_b8a_is_the_one_of_id_8(tmp_path):
    root = write_safe(tmp_path, NEW)
    xml = root / "MTD_MSIL2A.xml"
    xml.write_text(xml.read_text().replace('band_id="8">-1000', 'band_id="8">-500'))
    scene = opened(root)
    assert band(scene, "B8A")[20, 20] == np.float32((BASE["B8A"] - 500) * 1e-4)
    assert band(scene, "B09")[20, 20] == np.float32((BASE["B09"] - 1000) * 1e-4)
    assert band(scene, "B08")[20, 20] == np.float32((BASE["B08"] - 1000) * 1e-4)


def test_the_callers_offset_wins(products):
    scene = opened(products[NEW], offset=0)
    assert band(scene, "B03")[20, 20] == np.float32(BASE["B03"] * 1e-4)
    assert scene.sources["scaling"] == "given"


def test_double_correction_is_noticed():
    assert twice_corrected(-1000.0, {"B04": 220.0, "B03": 1100.0}) is not None
    assert twice_corrected(-1000.0, {"B04": 1010.0}) is None
    assert twice_corrected(0.0, {"B04": 220.0}) is None


def test_a_given_shift_on_unshifted_counts_warns(tmp_path):
    root = write_safe(tmp_path, OLD)
    for file in root.rglob("*_B04.jp2"):
        dn = counts("B04")
        dn[30:] = 150
        from_synthetic_water(file, dn)
    with pytest.warns(UserWarning, match="offset=0"):
        opened(root, offset=-1000)


def from_synthetic_water(file: Path, dn: np.ndarray) -> None:
    with handles.rasterio.open(file) as old:
        profile = old.profile
    file.unlink()
    with handles.rasterio.open(file, "w", QUALITY=100, REVERSIBLE="YES", YCBCR420="NO", **profile) as new:
        new.write(dn, 1)


def test_time_and_place_are_the_tiles(products):
    scene = opened(products[NEW])
    assert scene.time == datetime(2017, 8, 15, 10, 2, 5, 120000, UTC)
    assert str(scene.window.crs) == "EPSG:32633"
    assert tuple(scene.window.affine)[:6] == (10, 0, 300000, 0, -10, 4600020)
    assert dict(scene.sources) == dict.fromkeys(("sensor", "bands", "crs", "time", "scaling"), "read")


def test_without_tile_metadata_the_jp2_tells_the_place_and_the_product_the_time(tmp_path):
    root = write_safe(tmp_path, REDONE)
    next(root.rglob("MTD_TL.xml")).unlink()
    scene = opened(root)
    assert str(scene.window.crs) == "EPSG:32633"
    assert tuple(scene.window.affine)[:6] == (10, 0, 300000, 0, -10, 4600020)
    assert scene.time == datetime(2017, 8, 15, 10, 0, 31, 26000, UTC)


def test_the_facts_name_satellite_baseline_tile_and_cloud(products):
    facts = opened(products[NEW]).facts
    assert facts["satellite"] == "Sentinel-2A"
    assert facts["baseline"] == "04.00"
    assert facts["tile"] == "33TUH"
    assert facts["cloud_percent"] == "12.5"


@pytest.mark.parametrize("top", [True, False])
def test_a_zip_reads_like_its_folder(products, tmp_path, top):
    zipped = zip_safe(products[NEW], tmp_path / "S2.zip", top=top)
    assert safe.recognises(zipped)
    a, b = opened(zipped), opened(products[NEW])
    np.testing.assert_array_equal(a.pixels.read(range(12), *WHOLE), b.pixels.read(range(12), *WHOLE))
    assert a.time == b.time
    assert a.window == b.window


def test_any_crop_equals_the_same_part_of_the_whole(products):
    scene = opened(products[REDONE])
    whole = scene.pixels.read(range(13), *WHOLE)
    rng = np.random.default_rng(0)
    for _ in range(12):
        r, c = np.sort(rng.integers(0, 61, (2, 2)), axis=1)
        rows, cols = slice(int(r[0]), int(max(r[1], r[0] + 1))), slice(int(c[0]), int(max(c[1], c[0] + 1)))
        if rows.stop > 60 or cols.stop > 60:
            continue
        np.testing.assert_array_equal(scene.pixels.read(range(13), rows, cols), whole[:, rows, cols])


def test_a_coarse_band_is_repeated_on_the_exact_grid(products):
    aerosol = band(opened(products[OLD]), "B01")
    coarse = np.where(counts("B01") == 0, np.nan, counts("B01") * 1e-4).astype(np.float32)
    np.testing.assert_array_equal(aerosol, coarse.repeat(6, 0).repeat(6, 1))


def test_the_grid_is_that_of_the_finest_band_asked(products):
    scene = opened(products[NEW], bands="B11,B01")
    assert scene.sensor.band_names == ("B11", "B01")
    assert scene.window.shape == (30, 30)
    assert scene.window.affine.a == 20


def test_a_coarser_resolution_averages_valid_pixels_in_reflectance(products):
    scene = opened(products[OLD], resolution=60)
    fine = np.where(counts("B02") == 0, np.nan, counts("B02") * 1e-4)
    assert scene.window.shape == (10, 10)
    want = np.nanmean(fine.reshape(10, 6, 10, 6), axis=(1, 3))
    np.testing.assert_allclose(band(scene, "B02"), want, rtol=1e-6)


def test_an_odd_resolution_is_refused(products):
    with pytest.raises(OutOfRange, match="10, 20 or 60"):
        opened(products[OLD], resolution=15)


def test_the_native_file_is_read_not_the_resampled_copy(products):
    assert band(opened(products[NEW], bands="B02", resolution=20), "B02")[10, 10] == np.float32(0.11)


def test_the_classification_stays_in_its_classes_at_every_resolution(products):
    fine, native, coarse = (safe.classification(products[NEW], resolution=r) for r in (10.0, 20.0, 60.0))
    assert native.dtype == np.uint8
    assert [fine.shape, native.shape, coarse.shape] == [(60, 60), (30, 30), (10, 10)]
    np.testing.assert_array_equal(fine, native.values.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(coarse, native.values[1::3, 1::3])
    assert set(np.unique(fine)) <= set(range(12))
    assert fine.rio.crs.to_epsg() == 32633


def test_level_1c_has_no_classification(products):
    with pytest.raises(BandMismatch, match="SCL"):
        safe.classification(products[OLD])


def test_a_missing_band_names_those_that_are_here(tmp_path):
    root = write_safe(tmp_path, REDONE, without=("B05", "B10"))
    with pytest.raises(BandMismatch, match=r"B05, B10.*bands=B01,B02"):
        opened(root)
    assert opened(root, bands="red,nir").sensor.band_names == ("B04", "B08")


def test_cirrus_is_no_band_of_level_2a(products):
    with pytest.raises(BandMismatch, match="B10"):
        opened(products[NEW], bands="B10")


def test_missing_metadata_is_one_sentence(tmp_path):
    root = write_safe(tmp_path, REDONE)
    (root / "MTD_MSIL1C.xml").unlink()
    assert safe.recognises(root)
    with pytest.raises(SceneUnreadable, match="MTD_MSIL1C"):
        opened(root)


def test_cut_xml_is_one_sentence(tmp_path):
    root = write_safe(tmp_path, REDONE)
    xml = root / "MTD_MSIL1C.xml"
    xml.write_text(xml.read_text()[:700])
    with pytest.raises(SceneUnreadable, match="not whole XML"):
        opened(root)


@pytest.mark.parametrize("kept", [0, 20, 150, -40])
def test_a_cut_jp2_is_one_sentence(tmp_path, kept):
    root = write_safe(tmp_path, REDONE)
    file = next(root.rglob("*_B04.jp2"))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(SceneUnreadable, match="cut off or damaged"):
        band(opened(root), "B04")


def test_a_cut_zip_is_one_sentence(products, tmp_path):
    zipped = zip_safe(products[NEW], tmp_path / f"{NEW.name}.zip", top=True)
    zipped.write_bytes(zipped.read_bytes()[:5000])
    assert safe.recognises(zipped)
    with pytest.raises(SceneUnreadable, match="not a whole one"):
        opened(zipped)


def test_a_band_of_another_size_than_promised_is_refused(tmp_path):
    root = write_safe(tmp_path, REDONE)
    file = next(root.rglob("*_B04.jp2"))
    file.write_bytes(next(root.rglob("*_B05.jp2")).read_bytes())
    with pytest.raises(SceneUnreadable, match="30 x 30"):
        band(opened(root), "B04")


def test_the_format_before_december_2016_is_refused_in_words(tmp_path):
    root = tmp_path / "S2A_OPER_PRD_MSIL1C_PDMC_20160101T000000_R022_V20160101T100000_20160101T100000.SAFE"
    root.mkdir()
    (root / "S2A_OPER_MTD_SAFL1C_PDMC_20160101T000000_R022.xml").write_text("<a/>")
    assert safe.recognises(root)
    with pytest.raises(SceneUnreadable, match="before December 2016"):
        opened(root)


def test_a_wrong_sensor_is_refused(products):
    with pytest.raises(SensorUnknown, match="s1-grd"):
        safe.open_scene(products[NEW], Request(sensor=sensors["s1-grd"]))


def test_a_unit_other_than_counts_is_refused(products):
    with pytest.raises(BadInput, match="stores counts"):
        opened(products[NEW], unit="reflectance")


def test_a_gdal_without_jpeg_2000_is_told_apart(products, monkeypatch):
    monkeypatch.setattr(handles.Env, "drivers", lambda self: {"GTiff": "rw"})
    with pytest.raises(MissingExtra, match="JP2OpenJPEG"):
        opened(products[NEW])


def test_arm_open_finds_the_reader_and_warns_of_nothing(products):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = arm.open(products[NEW])
    assert array.dims == ("band", "y", "x")
    assert array.attrs["sensor"] == "s2-l2a"
    assert array.attrs["time"] == "2017-08-15T10:02:05.120000Z"
    assert array.rio.crs.to_epsg() == 32633
    assert float(array.sel(band="B04")[20, 20]) == pytest.approx((BASE["B04"] - 1000) * 1e-4)
    assert array.shape == (12, SIZE[10], SIZE[10])


@pytest.mark.parametrize("name", ["MTD_MSIL2A.xml", "manifest.safe"])
def test_a_manifest_stands_for_its_folder(products, name):
    assert safe.recognises(products[NEW] / name)
    assert opened(products[NEW] / name).sensor.name == "s2-l2a"


def test_other_paths_are_not_recognised(tmp_path):
    text = tmp_path / "note.zip"
    text.write_text("no zip")
    assert not safe.recognises(text)
    assert not safe.recognises(tmp_path)
    assert not safe.recognises(tmp_path / "absent")
