import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr
import zarr as zarr_format
from tests.scene.synthetic.eopf import BASE, NATIVE, S2_ID, counts, write_s2, zip_zarr

import armillary as arm
from armillary.earth.fleet import sensors
from armillary.errors import BadInput, BandMismatch, SceneUnreadable, SensorUnknown
from armillary.scene.request import Request
from armillary.scene.scene import Scene
from armillary.scene.zarr import zarr

WHOLE = slice(0, 12), slice(0, 12)


def opened(path: Path, **facts: object) -> Scene:
    return zarr.open_scene(path, Request.of(None, facts))


def band(scene: Scene, name: str) -> np.ndarray:
    return scene.pixels.read(scene.sensor.index((name,)), *(slice(0, n) for n in scene.window.shape))[0]


def truth(name: str, offset: float = -0.1) -> np.ndarray:
    dn = counts(name).astype(float)
    return np.where(dn == 0, np.nan, dn * 1e-4 + offset).astype(np.float32)


@pytest.mark.parametrize("form", [2, 3])
def test_every_band_is_scaled_once(tmp_path, form):
    scene = opened(write_s2(tmp_path / "p.zarr", form=form))
    assert scene.sensor.name == "s2-l2a"
    assert scene.sensor.band_names == sensors["s2-l2a"].band_names
    for name, gsd in NATIVE.items():
        n = gsd // 10
        want = truth(name).repeat(n, 0).repeat(n, 1)
        np.testing.assert_allclose(band(scene, name.upper()), want, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("form", [2, 3])
def test_count_zero_is_nan_and_count_1000_is_zero(tmp_path, form):
    blue = band(opened(write_s2(tmp_path / "p.zarr", form=form)), "B02")
    assert np.isnan(blue[:, 0]).all()
    assert blue[1, 1] == 0.0
    assert blue[1, 2] == pytest.approx(-0.01, abs=1e-8)


def test_auto_decoding_by_xarray_gives_the_same_reflectance(tmp_path):
    path = write_s2(tmp_path / "p.zarr", form=2)
    decoded = xr.open_zarr(path / "measurements/reflectance/r10m", consolidated=False, mask_and_scale=True)
    for name in ("b02", "b03", "b04", "b08"):
        ours = band(opened(path), name.upper())
        np.testing.assert_allclose(ours, decoded[name].values, atol=1e-6)


def test_reflectance_that_was_decoded_before_is_not_scaled_again(tmp_path):
    path = write_s2(tmp_path / "p.zarr", form=3)
    root = zarr_format.open_group(path, mode="a")
    old = root["measurements/reflectance/r10m/b02"]
    attrs = {"_eopf_attrs": {"scale_factor": 1e-4, "add_offset": -0.1}}
    values = truth("b02")
    del root["measurements/reflectance/r10m/b02"]
    new = root.create_array(
        "measurements/reflectance/r10m/b02", shape=old.shape, dtype="f4", dimension_names=["y", "x"]
    )
    new[:] = values
    new.attrs.update(attrs)
    np.testing.assert_array_equal(band(opened(path), "B02"), values)


def test_an_offset_of_zero_is_read_not_replaced_by_the_rule(tmp_path):
    scene = opened(write_s2(tmp_path / "p.zarr", offset=0.0))
    np.testing.assert_allclose(band(scene, "B04"), truth("b04", 0.0), atol=1e-7)
    assert scene.sources["scaling"] == "read"


def test_counts_without_scaling_follow_the_baseline_with_a_warning(tmp_path):
    path = write_s2(tmp_path / "p.zarr", form=3, offset=None)
    with pytest.warns(UserWarning, match="no scale_factor"):
        scene = opened(path)
    assert scene.sources["scaling"] == "assumed"
    np.testing.assert_allclose(band(scene, "B04"), truth("b04"), atol=1e-7)


def test_the_callers_offset_wins(tmp_path):
    scene = opened(write_s2(tmp_path / "p.zarr"), offset=0)
    np.testing.assert_allclose(band(scene, "B04"), truth("b04", 0.0), atol=1e-7)
    assert scene.sources["scaling"] == "given"


@pytest.mark.parametrize(
    ("form", "place", "told"),
    [(2, "proj", "proj attributes"), (3, "stac", "stac_discovery"), (3, "tile", "tile 33TUH")],
)
def test_the_place_comes_from_wherever_it_is(tmp_path, form, place, told):
    scene = opened(write_s2(tmp_path / "p.zarr", form=form, place=place))
    assert str(scene.window.crs) == "EPSG:32633"
    assert tuple(scene.window.affine)[:6] == (10, 0, 300000, 0, -10, 4600020)
    assert scene.facts["crs_from"] == told


def test_a_null_datetime_falls_back_to_the_start(tmp_path):
    assert opened(write_s2(tmp_path / "p.zarr")).time == datetime(2025, 4, 30, 10, 15, 59, 24000, UTC)


def test_the_native_array_is_read_not_its_coarser_copies(tmp_path):
    for layout in ("groups", "levels"):
        scene = opened(write_s2(tmp_path / f"{layout}.zarr", form=3, layout=layout), bands="B02")
        assert scene.window.shape == (12, 12)
        assert band(scene, "B02")[5, 5] == pytest.approx(BASE["b02"] * 1e-4 - 0.1, abs=1e-7)


@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("form", [2, 3])
def test_a_zip_reads_like_its_folder(tmp_path, form, top):
    folder = write_s2(tmp_path / f"{S2_ID}.zarr", form=form)
    zipped = zip_zarr(folder, tmp_path / f"{S2_ID}.zarr.zip", top=top)
    assert zarr.recognises(zipped)
    a, b = opened(zipped), opened(folder)
    np.testing.assert_array_equal(a.pixels.read(range(12), *WHOLE), b.pixels.read(range(12), *WHOLE))
    assert a.window == b.window
    assert a.time == b.time


def test_any_crop_equals_the_same_part_of_the_whole(tmp_path):
    scene = opened(write_s2(tmp_path / "p.zarr", form=3))
    whole = scene.pixels.read(range(12), *WHOLE)
    for r0, r1, c0, c1 in ((0, 1, 0, 1), (5, 11, 1, 2), (3, 4, 7, 12), (11, 12, 0, 12), (1, 7, 5, 8)):
        crop = scene.pixels.read(range(12), slice(r0, r1), slice(c0, c1))
        np.testing.assert_array_equal(crop, whole[:, r0:r1, c0:c1])


def test_sixty_metres_average_valid_pixels(tmp_path):
    scene = opened(write_s2(tmp_path / "p.zarr"), resolution=60)
    want = np.nanmean(truth("b02").astype(float).reshape(2, 6, 2, 6), axis=(1, 3))
    np.testing.assert_allclose(band(scene, "B02"), want, rtol=1e-5)


def test_the_classification_is_nearest_and_whole(tmp_path):
    fine = zarr.classification(write_s2(tmp_path / "p.zarr", form=3), resolution=10.0)
    assert fine.dtype == np.uint8
    np.testing.assert_array_equal(fine, (np.arange(36).reshape(6, 6) % 12).repeat(2, 0).repeat(2, 1))


def test_a_missing_band_names_those_that_are_here(tmp_path):
    path = write_s2(tmp_path / "p.zarr", form=3)
    del zarr_format.open_group(path, mode="a")["measurements/reflectance/r20m/b11"]
    with pytest.raises(BandMismatch, match=r"B11 .*bands=B01,B02"):
        opened(path)


def test_a_wrong_sensor_and_a_given_unit_are_refused(tmp_path):
    path = write_s2(tmp_path / "p.zarr")
    with pytest.raises(SensorUnknown, match="dem"):
        zarr.open_scene(path, Request(sensor=sensors["dem"]))
    with pytest.raises(BadInput, match="unit"):
        opened(path, unit="count")


def test_a_cut_zip_and_a_damaged_chunk_are_one_sentence(tmp_path):
    folder = write_s2(tmp_path / "p.zarr", form=3)
    zipped = zip_zarr(folder, tmp_path / "p.zarr.zip")
    zipped.write_bytes(zipped.read_bytes()[:3000])
    with pytest.raises(SceneUnreadable, match="no whole Zarr"):
        opened(zipped)
    chunk = next(p for p in (folder / "measurements/reflectance/r10m/b02/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(SceneUnreadable, match="cut or damaged"):
        band(opened(folder), "B02")


def test_a_group_without_rasters_is_one_sentence(tmp_path):
    zarr_format.open_group(tmp_path / "e.zarr", mode="w")
    with pytest.raises(SceneUnreadable, match="no array"):
        opened(tmp_path / "e.zarr")


def test_arm_open_reads_the_product(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = arm.open(write_s2(tmp_path / "p.zarr", form=3), bands="B8A,B04")
    assert array.band.values.tolist() == ["B8A", "B04"]
    assert array.attrs["time"] == "2025-04-30T10:15:59.024000Z"
    assert array.rio.crs.to_epsg() == 32633


def ordinary(tmp_path: Path, form: int, data: xr.DataArray) -> Path:
    path = tmp_path / f"o{form}.zarr"
    data.to_dataset(name="pixels").to_zarr(path, zarr_format=form, consolidated=False)
    return path


def radar() -> xr.DataArray:
    values = np.linspace(-25, -5, 2 * 4 * 5).astype(np.float32).reshape(2, 4, 5)
    values[0, 0, 0] = np.nan
    coords = {"band": ["VV", "VH"], "y": 5200000 - 10 * np.arange(4) - 5.0, "x": 500000 + 10 * np.arange(5) + 5.0}
    attrs = {"sensor": "s1-grd", "unit": "dB", "time": "2022-07-06T08:56:11Z"}
    return xr.DataArray(values, coords, ("band", "y", "x"), attrs=attrs).rio.write_crs("EPSG:32632")


@pytest.mark.parametrize("form", [2, 3])
def test_what_xarray_wrote_comes_back(tmp_path, form):
    data = radar()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        back = arm.open(ordinary(tmp_path, form, data))
    np.testing.assert_array_equal(back.values, data.values)
    assert back.attrs["sensor"] == "s1-grd"
    assert back.attrs["time"] == "2022-07-06T08:56:11Z"
    assert back.rio.crs.to_epsg() == 32632
    assert tuple(back.rio.transform())[:6] == (10, 0, 500000, 0, -10, 5200000)
    assert {back.attrs[f"{k}_source"] for k in ("sensor", "bands", "crs", "time", "scaling")} == {"read"}


def test_an_opened_scene_written_to_zarr_opens_to_the_same(tmp_path):
    first = arm.open(write_s2(tmp_path / "p.zarr", form=3))
    first.to_dataset(name="s2").to_zarr(tmp_path / "again.zarr", zarr_format=3, consolidated=False)
    again = arm.open(tmp_path / "again.zarr")
    np.testing.assert_array_equal(again.values, first.values)
    assert again.attrs["sensor"] == "s2-l2a"
    assert tuple(again.rio.transform()) == tuple(first.rio.transform())


def test_one_variable_for_each_band_and_a_time_axis(tmp_path):
    times = np.array(["2021-06-01T10:00:00", "2021-06-11T10:00:00"], "datetime64[ns]")
    coords = {"time": times, "y": 100.0 - np.arange(3), "x": 7.0 + np.arange(4)}
    rng = np.random.default_rng(0)
    data = {b: (("time", "y", "x"), rng.uniform(0, 0.4, (2, 3, 4)).astype("f4")) for b in ("B02", "B03", "B04")}
    path = tmp_path / "t.zarr"
    xr.Dataset(data, coords).rio.write_crs("EPSG:32633").to_zarr(path, zarr_format=3, consolidated=False)
    later = arm.open(path, sensor="s2-l2a", time="2021-06-10", unit="reflectance")
    assert later.attrs["time"] == "2021-06-11T10:00:00Z"
    np.testing.assert_array_equal(later.sel(band="B03"), data["B03"][1][1])
    with pytest.raises(BadInput, match="steps 0 to 1"):
        arm.open(path, sensor="s2-l2a", step=2)


def test_other_paths_are_not_recognised(tmp_path):
    assert not zarr.recognises(tmp_path)
    assert not zarr.recognises(tmp_path / "absent")
