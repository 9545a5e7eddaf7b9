import shutil

import numpy as np
import pytest
import rioxarray  # noqa: F401
from pyproj import Transformer
from tests.scene.synthetic import grd

import armillary as arm
from armillary.earth.fleet import sensors
from armillary.errors import BadInput, SceneUnreadable, SensorUnknown
from armillary.scene.access.archive import Archive
from armillary.scene.request import Request
from armillary.scene.s1 import grd as s1
from armillary.scene.swath.geolocation import TieGrid

DEGREES = Request(crs="EPSG:4326", resolution=0.001)


def truth_at(lon, lat, dn, *, ascending=True, west=12.0, denoise=True, amplitude=grd.amplitude):
    """Bilinear linear power at places that lie between image pixels, by the closed form of the synthetic product."""
    pixel = (lon - west) / 0.001 if ascending else (west + 0.059 - lon) / 0.001
    line = (lat - 42.0) / 0.001 if ascending else (42.0 - lat) / 0.001
    i, j = np.meshgrid(np.arange(grd.LINES), np.arange(grd.PIXELS), indexing="ij")
    noise = grd.noise(i, j) if denoise else 0.0
    sigma = np.where(dn > 0, np.maximum(dn.astype(float) ** 2 - noise, 0) / amplitude(i, j) ** 2, np.nan)
    i0, j0 = np.clip(np.floor(line).astype(int), 0, 38), np.clip(np.floor(pixel).astype(int), 0, 58)
    s, t = line - i0, pixel - j0
    corners = sigma[i0, j0], sigma[i0, j0 + 1], sigma[i0 + 1, j0], sigma[i0 + 1, j0 + 1]
    weights = (1 - s) * (1 - t), (1 - s) * t, s * (1 - t), s * t
    return sum(v * w for v, w in zip(corners, weights, strict=True))


def inner(array, margin=3):
    """The part away from every edge and from the planted columns of zeros, which lie at one side."""
    return array[:, margin:-margin, margin + 2 : -margin - 2]


@pytest.mark.parametrize("style", ["new", "old"])
def test_values_are_the_closed_form_bilinear_sigma0_in_decibels(tmp_path, style):
    scene = s1.open_scene(grd.write(tmp_path, style=style), DEGREES)
    array = inner(scene.array())
    lon, lat = np.meshgrid(array.x, array.y)
    for k, band in enumerate(("VV", "VH")):
        truth = 10 * np.log10(truth_at(lon, lat, grd.counts(k)))
        np.testing.assert_allclose(array.sel(band=band).values, truth, atol=1e-4)


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("gcps", [True, False])
def test_a_bright_spot_lies_at_its_place_with_or_without_control_points(tmp_path, ascending, gcps):
    dn = np.full((grd.LINES, grd.PIXELS), 100, np.uint16)
    dn[10:13, 40:43] = 4000
    root = grd.write(tmp_path, pols=("vv",), ascending=ascending, gcps=gcps, counts=dn)
    scene = s1.open_scene(root, Request())
    assert str(scene.window.crs) == "EPSG:32633"
    values = scene.array()[0].values
    row, col = np.argwhere(values > np.nanmax(values) - 1).mean(axis=0)
    lon, lat = scene.window.lonlat(row + 0.5, col + 0.5)
    assert abs(lon - grd.longitude(41, ascending=ascending)) < 5e-4
    assert abs(lat - grd.latitude(11, ascending=ascending)) < 5e-4


def test_a_crop_equals_the_scene_cropped(tmp_path):
    scene = s1.open_scene(grd.write(tmp_path), Request())
    whole = scene.array().values
    np.testing.assert_array_equal(scene.array()[:, 7:19, 11:40].values, whole[:, 7:19, 11:40])
    tiles = scene.crop(rows=slice(9, 20), cols=slice(30, 35)).array().values
    np.testing.assert_array_equal(tiles, whole[:, 9:20, 30:35])


def test_internal_tiles_leave_no_trace(tmp_path, monkeypatch):
    scene = s1.open_scene(grd.write(tmp_path), Request())
    whole = scene.array().values
    monkeypatch.setattr(s1, "_TILE_PX", 16)
    np.testing.assert_array_equal(scene.array().values, whole)


def test_coarser_pixels_are_means_of_linear_power(tmp_path):
    root = grd.write(tmp_path, pols=("vv",), style=None)
    fine = s1.open_scene(root, Request(crs="EPSG:4326", resolution=0.001)).array()[0]
    coarse = s1.open_scene(root, Request(crs="EPSG:4326", resolution=0.004)).array()[0]
    at = coarse[4, 7]
    part = fine.sel(x=slice(at.x - 0.002, at.x + 0.002), y=slice(at.y + 0.002, at.y - 0.002))
    assert part.shape == (4, 4)
    assert float(at) == pytest.approx(10 * np.log10(np.mean(10 ** (part.values / 10))), abs=1e-4)


def test_noise_can_be_kept_and_gamma0_chosen(tmp_path):
    root = grd.write(tmp_path)
    scene = s1.open_scene(root, Request(crs="EPSG:4326", resolution=0.001, unit="gamma0+noise"))
    array = inner(scene.array())
    lon, lat = np.meshgrid(array.x, array.y)
    truth = truth_at(lon, lat, grd.counts(0), denoise=False, amplitude=lambda i, j: 1.1 * grd.amplitude(i, j))
    np.testing.assert_allclose(array[0].values, 10 * np.log10(truth), atol=1e-4)
    assert (scene.facts["thermal_noise"], scene.facts["quantity"]) == ("kept", "gamma0")


def test_noise_that_the_processor_removed_is_not_removed_twice(tmp_path):
    array = inner(s1.open_scene(grd.write(tmp_path, performed="true"), DEGREES).array())
    truth = truth_at(*np.meshgrid(array.x, array.y), grd.counts(0), denoise=False)
    np.testing.assert_allclose(array[0].values, 10 * np.log10(truth), atol=1e-4)


def test_border_zeros_are_nan(tmp_path):
    array = s1.open_scene(grd.write(tmp_path), DEGREES).array()
    assert np.isnan(array.sel(x=12.0, method="nearest").values).all()


def test_a_scene_across_the_antimeridian_has_one_grid(tmp_path):
    scene = s1.open_scene(grd.write(tmp_path, west=179.97), Request())
    assert max(scene.window.shape) < 100
    lon, _ = scene.window.center
    assert min(abs(lon - 179.9995), abs(lon + 180.0005)) < 1e-2
    assert np.isfinite(inner(scene.array(), 8).values).all()


@pytest.mark.parametrize("top", [True, False])
def test_a_zip_reads_like_its_folder(tmp_path, top):
    root = grd.write(tmp_path)
    name = shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path if top else root, grd.NAME if top else ".")
    path = type(tmp_path)(name)
    assert s1.recognises(path)
    np.testing.assert_array_equal(
        s1.open_scene(path, Request()).array().values, s1.open_scene(root, Request()).array().values
    )


def test_the_cog_variant_reads_the_same(tmp_path):
    one = s1.open_scene(grd.write(tmp_path / "a"), DEGREES).array()
    cog = s1.open_scene(grd.write(tmp_path / "b", cog=True), DEGREES).array()
    np.testing.assert_array_equal(one.values, cog.values)


def test_facts_come_from_the_annotation_and_manifest(tmp_path):
    scene = s1.open_scene(grd.write(tmp_path, ascending=False), Request())
    facts = scene.facts
    assert (facts["pass"], facts["orbit"], facts["relative_orbit"], facts["ipf"]) == (
        "descending",
        "32000",
        "117",
        "003.40",
    )
    assert facts["incidence_deg"] == "32.95"
    assert scene.array().attrs["time"] == "2020-04-05T17:15:00.123456Z"
    assert scene.sensor.band_names == ("VV", "VH")


def test_horizontal_polarisations_are_refused_by_name(tmp_path):
    with pytest.raises(SensorUnknown, match="HH and HV"):
        s1.open_scene(grd.write(tmp_path, pols=("hh", "hv")), Request())


def test_another_sensor_is_refused(tmp_path):
    with pytest.raises(SensorUnknown, match="s2-l1c"):
        s1.open_scene(grd.write(tmp_path), Request(sensor=sensors["s2-l1c"]))


def test_an_unknown_quantity_is_refused(tmp_path):
    with pytest.raises(BadInput, match="sigma0, gamma0, beta0"):
        s1.open_scene(grd.write(tmp_path), Request(unit="reflectance"))


@pytest.mark.parametrize("gone", ["measurement", "annotation/calibration"])
def test_a_missing_member_is_named(tmp_path, gone):
    root = grd.write(tmp_path)
    shutil.rmtree(root / gone)
    with pytest.raises(SceneUnreadable, match=gone.rpartition("/")[2]):
        s1.open_scene(root, Request())


def test_a_truncated_measurement_is_one_sentence(tmp_path):
    root = grd.write(tmp_path)
    tiff = next(root.glob("measurement/*vv*"))
    tiff.write_bytes(tiff.read_bytes()[:300])
    with pytest.raises(SceneUnreadable, match="download"):
        s1.open_scene(root, Request()).array().load()


def test_a_blank_measurement_is_said(tmp_path, caplog):
    root = grd.write(tmp_path, counts=np.zeros((grd.LINES, grd.PIXELS), np.uint16))
    assert "blank" in s1.open_scene(root, Request()).facts["measurement"]
    assert "blank" in caplog.text


@pytest.fixture(scope="session")
def rome(shared):
    return next((shared / "data/s1_rome_sarsen/tests/data").glob("S1B*.SAFE"))


def test_the_real_scene_of_rome_lies_over_rome_and_is_blank(rome):
    scene = s1.open_scene(rome, Request())
    assert scene.sensor.band_names == ("VV",)
    assert str(scene.window.crs) == "EPSG:32633"
    assert scene.array().attrs["time"] == "2021-12-23T05:11:22.594441Z"
    assert "blank" in scene.facts["measurement"]
    x, y = Transformer.from_crs(4326, 32633, always_xy=True).transform(12.4924, 41.8902)  # the Colosseum
    col, row = ~scene.window.affine * (x, y)
    line, pixel = scene.pixels.inverse.at(np.array([row - 0.5]), np.array([col - 0.5]))
    assert 0 < line[0, 0] < 16704
    assert 0 < pixel[0, 0] < 26101


def test_the_inverse_meets_every_point_of_the_real_tie_grid(rome):
    scene = s1.open_scene(rome, Request())
    archive = Archive.open(rome)
    tie = TieGrid.of(archive.xml(s1._annotations(archive)["VV"]))
    x, y = Transformer.from_crs(4326, 32633, always_xy=True).transform(tie.lon, tie.lat)
    col, row = ~scene.window.affine * (x, y)
    for i in range(0, len(tie.lines), 3):
        for j in range(0, len(tie.pixels), 5):
            line, pixel = scene.pixels.inverse.at(np.array([row[i, j] - 0.5]), np.array([col[i, j] - 0.5]))
            assert abs(line[0, 0] - tie.lines[i]) < 0.01
            assert abs(pixel[0, 0] - tie.pixels[j]) < 2.5  # kinks over mountains, between nodes 640 m apart


def test_the_real_calibration_gives_the_sanity_number_of_the_product_handbook(rome):
    scene = s1.open_scene(rome, Request())
    amplitude = scene.pixels.channels[0].amplitude.at(np.array([0.0]), np.array([0.0]))[0, 0]
    noise = scene.pixels.channels[0].noise
    assert 10 * np.log10(150**2 / amplitude**2) == pytest.approx(-13, abs=0.5)
    assert 1500 < noise.at(np.array([0.0]), np.array([0.0]))[0, 0] < 4000


def test_arm_open_finds_the_reader(tmp_path):
    array = arm.open(grd.write(tmp_path), sensor="s1-grd", bands="VH")
    assert (array.attrs["sensor"], array.attrs["unit"], list(array.band.values)) == ("s1-grd", "dB", ["VH"])
