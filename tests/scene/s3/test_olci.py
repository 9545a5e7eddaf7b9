import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rioxarray  # noqa: F401
from tests.scene.synthetic import sen3

import armillary as arm
from armillary.earth.fleet import sensors
from armillary.errors import BadInput, SceneUnreadable, SensorUnknown
from armillary.scene.access.archive import Archive
from armillary.scene.request import Request
from armillary.scene.s3 import olci
from armillary.scene.s3.radiance import irradiance_on
from armillary.scene.s3.sen3 import manifest_of

WHOLE = slice(0, sen3.ROWS), slice(0, sen3.COLUMNS)


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    return sen3.write(tmp_path_factory.mktemp("sen3"))


def swath_of(path, **given):
    """Values in swath geometry, before they are laid on a grid."""
    return olci.open_scene(path, Request(**given)).pixels.swath.values(range(21), *WHOLE)


def test_radiance_is_the_count_times_the_file_s_own_scale(product):
    values = swath_of(product)
    for b in (1, 4, 21):
        truth = sen3.counts(b) * sen3.SCALE[b - 1]
        truth[sen3.NO_COUNT] = truth[sen3.INVALID] = np.nan
        np.testing.assert_allclose(values[b - 1], truth, rtol=1e-12)


def test_the_count_65535_is_masked_before_it_is_scaled(product):
    assert np.isnan(swath_of(product)[(slice(None), *sen3.NO_COUNT)]).all()


def test_an_export_of_signed_integers_has_identical_radiance(product, tmp_path):
    np.testing.assert_array_equal(swath_of(sen3.write_export(tmp_path / "e.nc")), swath_of(product))


def test_bit_31_means_land_and_does_no_harm(product, tmp_path):
    for path in (product, sen3.write_export(tmp_path / "e.nc")):
        assert np.isfinite(swath_of(path)[(slice(None), *sen3.LAND)]).all()


def test_reflectance_uses_the_detector_s_irradiance_once_and_interpolated_sun_angles(product):
    values = swath_of(product, unit="reflectance")
    for b in (1, 21):
        truth = np.pi * sen3.counts(b) * sen3.SCALE[b - 1] / (sen3.irradiance(b) * np.cos(np.radians(sen3.sza())))
        truth[sen3.NO_COUNT] = truth[sen3.INVALID] = truth[sen3.NO_DETECTOR] = np.nan
        np.testing.assert_allclose(values[b - 1], truth, rtol=1e-6)


def test_an_export_gives_the_same_reflectance(product, tmp_path):
    found = swath_of(sen3.write_export(tmp_path / "e.nc"), unit="reflectance")
    truth = swath_of(product, unit="reflectance")
    found[(slice(None), *sen3.NO_DETECTOR)] = np.nan  # exports hold irradiance, not detectors
    np.testing.assert_allclose(found, truth, rtol=1e-4)


def test_every_swath_pixel_lies_at_its_place_on_the_grid(product):
    scene = olci.open_scene(product, Request(crs="EPSG:4326", resolution=0.0005))
    values = scene.array().sel(band="Oa03")
    for row, column in ((0, 0), (7, 128), (4, 64), (2, 90)):
        at = values.sel(x=10 + 0.004 * column, y=45 - 0.003 * row, method="nearest")
        assert float(at) == pytest.approx(sen3.counts(3)[row, column] * sen3.SCALE[2], rel=1e-6)


def test_duplicated_pixels_are_no_source_and_invalid_ones_stay_holes(product):
    values = olci.open_scene(product, Request(crs="EPSG:4326", resolution=0.0005)).array().sel(band="Oa01")

    def at(row, column):
        return float(values.sel(x=10 + 0.004 * column, y=45 - 0.003 * row, method="nearest"))

    assert np.isnan(at(*sen3.INVALID))
    row, column = sen3.DUPLICATED
    assert at(row, column) != pytest.approx(sen3.counts(1)[row, column] * sen3.SCALE[0], rel=1e-6)


def test_the_default_grid_has_300_m_in_the_utm_zone_of_the_scene(product):
    scene = olci.open_scene(product, Request())
    assert str(scene.window.crs) == "EPSG:32632"
    assert (scene.window.affine.a, scene.window.affine.e) == (300.0, -300.0)
    assert scene.sensor.band_names == sensors["s3-olci"].band_names
    assert scene.time == datetime(2021, 7, 23, 10, 0, 0, 250000, tzinfo=UTC)


def test_a_crop_equals_the_scene_cropped(product):
    scene = olci.open_scene(product, Request(bands=("Oa17", "Oa01")))
    whole = scene.array().values
    np.testing.assert_array_equal(scene.array()[:, 2:5, 30:61].values, whole[:, 2:5, 30:61])


def test_a_frame_across_the_antimeridian_has_one_grid(tmp_path):
    scene = olci.open_scene(sen3.write(tmp_path, west=179.8), Request(bands=("Oa01",)))
    assert max(scene.window.shape) < 200
    assert np.isfinite(scene.array().values).mean() > 0.7


@pytest.mark.parametrize("top", [True, False])
def test_a_zip_reads_like_its_folder(product, tmp_path, top):
    base = (product.parent, product.name) if top else (product, ".")
    path = type(tmp_path)(shutil.make_archive(str(tmp_path / "zipped"), "zip", *base))
    assert olci.recognises(path)
    request = Request(bands=("Oa02", "Oa21"), unit="reflectance")
    np.testing.assert_array_equal(
        olci.open_scene(path, request).array().values, olci.open_scene(product, request).array().values
    )


def test_reflectance_that_was_stored_becomes_radiance_and_says_so(tmp_path):
    path = sen3.write_export(tmp_path / "r.nc", reflectance=True)
    scene = olci.open_scene(path, Request())
    e0 = irradiance_on(datetime(2021, 7, 23, tzinfo=UTC))[4]
    truth = 0.05 * e0 * np.cos(np.radians(sen3.sza()[4, 60])) / np.pi
    assert float(scene.pixels.swath.values([4], *WHOLE)[0, 4, 60]) == pytest.approx(truth, rel=1e-4)
    assert scene.sources["scaling"] == "assumed"
    assert "nominal solar irradiance" in scene.facts["radiance"]


def test_missing_bands_are_listed(tmp_path):
    root = sen3.write(tmp_path)
    (root / "Oa07_radiance.nc").unlink()
    with pytest.raises(SceneUnreadable, match=r"Oa07_radiance\.nc"):
        olci.open_scene(root, Request())
    assert olci.open_scene(root, Request(bands=("Oa08",))).sensor.band_names == ("Oa08",)


def test_a_truncated_band_is_one_sentence(tmp_path):
    root = sen3.write(tmp_path)
    band = root / "Oa03_radiance.nc"
    band.write_bytes(band.read_bytes()[:900])
    with pytest.raises(SceneUnreadable, match=r"Oa03_radiance\.nc"):
        olci.open_scene(root, Request()).array().load()


def test_an_unknown_unit_is_refused(product):
    with pytest.raises(BadInput, match="radiance or reflectance"):
        olci.open_scene(product, Request(unit="dB"))


def test_another_sensor_is_refused(product):
    with pytest.raises(SensorUnknown, match="s2-l2a"):
        olci.open_scene(product, Request(sensor=sensors["s2-l2a"]))


@pytest.mark.parametrize("kind", ["OL_1_EFR", "OL_2_WFR", "OL_2_LFR"])
def test_real_manifests_tell_time_type_size_and_footprint(shared, kind):
    path = next((shared / "data/s3_manifests").glob(f"S3A_{kind}*"))
    manifest = manifest_of(Archive.open(path))
    assert manifest.kind == kind
    named = [datetime.strptime(path.name[k : k + 15] + "Z", "%Y%m%dT%H%M%S%z") for k in (16, 32)]
    assert abs(manifest.start - named[0]) < timedelta(seconds=1)  # names are rounded
    assert abs(manifest.stop - named[1]) < timedelta(seconds=1)
    assert manifest.shape is not None
    assert manifest.shape[1] == 4865
    assert len(manifest.footprint) > 10
    assert all(abs(lat) <= 90 and abs(lon) <= 180 for lon, lat in manifest.footprint)


def test_a_real_product_of_which_only_the_manifest_is_here_says_so(shared):
    path = next((shared / "data/s3_manifests").glob("S3A_OL_1_EFR*"))
    assert olci.recognises(path)
    with pytest.raises(SceneUnreadable, match="pixels are missing"):
        olci.open_scene(path, Request())


@pytest.mark.parametrize("kind", ["OL_2_WFR", "SL_1_RBT", "SY_2_SYN"])
def test_real_products_of_other_types_are_refused_by_type(shared, kind):
    with pytest.raises(SensorUnknown, match=kind):
        olci.open_scene(next((shared / "data/s3_manifests").glob(f"S3A_{kind}*")), Request())


REAL = {
    "S3A_OL_1_EFR": ("EPSG:4326", "2017-03-13T11:03:42.871103Z", "read"),
    "ppetest.nc": ("EPSG:32721", "2018-01-08T12:59:43.506412Z", "read"),
    "ppetest2.nc": ("EPSG:32721", "2018-01-08T12:59:36.640886Z", "read"),
    "O_L2_0001": ("EPSG:32631", "2017-04-14T10:27:29.454657Z", "assumed"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_exports_hold_plausible_radiance_at_their_place_and_time(shared, name):
    path = next((shared / "data/s3_olci").glob(f"{name}*"))
    assert olci.recognises(path)
    scene = olci.open_scene(path, Request())
    array = scene.array()
    crs, time, scaling = REAL[name]
    assert (str(scene.window.crs), array.attrs["time"], scene.sources["scaling"]) == (crs, time, scaling)
    low, high = scene.sensor.plausible
    assert array.shape[0] == 21
    assert np.isfinite(array.values).mean() > 0.5
    assert low <= float(array.min())
    assert float(array.max()) <= high


@pytest.mark.parametrize("name", REAL)
def test_real_reflectances_lie_between_dark_water_and_bright_cloud(shared, name):
    values = olci.open_scene(next((shared / "data/s3_olci").glob(f"{name}*")), Request(unit="reflectance")).array()
    assert 0 < float(values.median()) < 0.7
    assert float(values.min()) > -0.01
    assert float(values.max()) < 1.3


def test_the_real_slstr_file_is_refused(shared):
    path = next((shared / "data/s3_olci").glob("S3A_SL_1*"))
    assert olci.recognises(path)
    with pytest.raises(SensorUnknown, match="SLSTR"):
        olci.open_scene(path, Request())


def test_arm_open_finds_the_reader(product):
    array = arm.open(product, bands="Oa08,Oa04")
    assert array.attrs["sensor"] == "s3-olci"
    assert list(array.band.values) == ["Oa08", "Oa04"]


@pytest.mark.parametrize("fact", [{"offset": -1000.0}, {"min_qa": 0.5}, {"step": 1}])
def test_a_fact_that_changes_nothing_in_olci_is_refused(product, fact):
    with pytest.raises(BadInput, match="an OLCI product, where it changes nothing"):
        arm.open(product, **fact)
