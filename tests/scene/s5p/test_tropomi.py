import shutil
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import rioxarray  # noqa: F401
from tests.scene.synthetic import tropomi

import armillary as arm
from armillary.earth.fleet import sensors
from armillary.errors import OutOfRange, SceneUnreadable, SensorUnknown
from armillary.scene.access.netcdf import opened
from armillary.scene.request import Request
from armillary.scene.s5p import tropomi as s5p

GASES = {"NO2": "s5p-no2", "CO": "s5p-co", "O3": "s5p-o3", "SO2": "s5p-so2"}


def value_at(scene, scanline: int, pixel: int) -> float:
    """The cell at a pixel's centre."""
    lat, lon = 45 + 0.05 * scanline, 10 + 0.06 * pixel
    array = scene.array()[0]
    return float(array.sel(x=lon + 1e-6, y=lat + 1e-6, method="nearest"))


@pytest.mark.parametrize(("gas", "sensor"), GASES.items())
def test_each_gas_opens_as_its_sensor_with_its_values(tmp_path, gas, sensor):
    scene = s5p.open_scene(tropomi.write(tmp_path / f"S5P_OFFL_L2__{gas}.nc", gas=gas), Request())
    assert scene.sensor is sensors[sensor]
    assert value_at(scene, 5, 2) == pytest.approx(6e-4)


@pytest.mark.parametrize(("gas", "kept"), [("NO2", {75, 76, 100}), ("SO2", {50, 51, 74, 75, 76, 100})])
def test_quality_is_compared_as_integers_and_the_threshold_itself_is_kept(tmp_path, gas, kept):
    scene = s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc", gas=gas), Request())
    for i, j in np.ndindex(2, 5):
        found = np.isfinite(value_at(scene, i, j))
        assert found == (int(tropomi.QA[i, j]) in kept), tropomi.QA[i, j]


def test_the_caller_may_move_the_threshold(tmp_path):
    path = tropomi.write(tmp_path / "S5P_.nc")
    assert np.isfinite(value_at(s5p.open_scene(path, Request(min_qa=0.5)), 0, 2))
    assert np.isfinite(value_at(s5p.open_scene(path, Request(min_qa=0.0)), 1, 3))
    assert np.isnan(value_at(s5p.open_scene(path, Request(min_qa=0.0)), 1, 2))  # 255 is no quality
    with pytest.raises(OutOfRange, match="0 to 1"):
        s5p.open_scene(path, Request(min_qa=75.0))


def test_negative_columns_stay_and_fill_goes(tmp_path):
    scene = s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc"), Request())
    assert value_at(scene, 3, 3) == pytest.approx(-2e-5)
    assert np.isnan(value_at(scene, 4, 4))


def test_both_layouts_of_delta_time_give_the_same_utc(tmp_path):
    times = [
        s5p.open_scene(tropomi.write(tmp_path / f"S5P_{gas}.nc", gas=gas), Request()).facts["stop"] for gas in GASES
    ]
    assert set(times) == {"2021-07-25T11:00:04.200000Z"}


def test_destriped_carbon_monoxide_is_preferred(tmp_path):
    scene = s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc", gas="CO", corrected=True), Request())
    assert value_at(scene, 5, 2) == pytest.approx(12e-4)
    assert scene.facts["column"] == "carbonmonoxide_total_column_corrected"


def test_cells_of_two_by_two_pixels_hold_their_plain_mean(tmp_path):
    qa, column = np.full((6, 5), 100, np.uint8), np.arange(30, dtype=np.float32).reshape(6, 5) * 1e-5
    path = tropomi.write(tmp_path / "S5P_.nc", qa=qa, column=column)
    fine = s5p.open_scene(path, Request(resolution=0.005)).array()[0]
    # 0.06 x 0.05 degree pixels: two by two of them are exactly 24 x 20 cells
    part = fine.sel(x=slice(9.97, 10.09), y=slice(45.075, 44.975))
    assert part.shape == (20, 24)
    assert float(part.mean()) == pytest.approx(column[:2, :2].mean(), rel=1e-4)


def test_the_grid_conserves_what_was_measured(tmp_path):
    scene = s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc"), Request())
    h, w = scene.window.shape
    total, area = scene.pixels.footprints.sums(scene.window, slice(0, h), slice(0, w))
    good = (tropomi.QA >= 75) & (tropomi.QA != 255) & (tropomi.values() < 1)
    footprint = 0.06 * 0.05 / 0.01**2
    assert area.sum() == pytest.approx(good.sum() * footprint, rel=1e-5)
    assert total.sum() == pytest.approx(tropomi.values()[good].sum() * footprint, rel=1e-5)


def test_without_bounds_footprints_come_from_the_midpoints(tmp_path):
    whole = s5p.open_scene(tropomi.write(tmp_path / "S5P_a.nc"), Request())
    cut = s5p.open_scene(tropomi.write(tmp_path / "S5P_b.nc", support=False), Request())
    assert cut.facts["footprint_from"].startswith("midpoints")
    np.testing.assert_allclose(cut.pixels.footprints.x, whole.pixels.footprints.x, atol=1e-4)
    assert value_at(cut, 5, 2) == value_at(whole, 5, 2)


def test_a_granule_across_the_antimeridian_has_one_grid(tmp_path):
    scene = s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc", west=179.9), Request())
    plain = s5p.open_scene(tropomi.write(tmp_path / "S5P_b.nc", west=10.9), Request())
    assert scene.window.shape == plain.window.shape
    np.testing.assert_allclose(scene.array().values, plain.array().values, rtol=2e-2)


def test_a_swath_round_the_earth_gets_every_longitude_and_no_smear(tmp_path):
    path = tropomi.write(tmp_path / "S5P_.nc", support=True, qa=np.full((6, 5), 100, np.uint8))
    lon = np.repeat(np.linspace(-180, 140, 5)[None] + 20, 6, axis=0)
    with tropomi.h5py.File(path, "a") as file:
        bounds = file["PRODUCT/SUPPORT_DATA/GEOLOCATIONS/longitude_bounds"]
        file["PRODUCT/longitude"][...] = lon[None]
        bounds[...] = (lon[None, ..., None] + [-25, 25, 25, -25] + 180) % 360 - 180
    scene = s5p.open_scene(path, Request(resolution=0.05))
    array = scene.array()[0]
    assert array.x[0] == pytest.approx(-179.975)
    assert array.x[-1] == pytest.approx(179.975)
    seen = np.isfinite(array.sel(y=45.05, method="nearest").values)
    assert seen.mean() == pytest.approx((5 * 50 - 10) / 360, abs=0.001)  # two of five meet at 180 degrees


def test_crs_and_resolution_may_be_chosen(tmp_path):
    scene = s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc"), Request(crs="EPSG:32632", resolution=2000.0))
    assert str(scene.window.crs) == "EPSG:32632"
    assert scene.window.affine.a == 2000
    assert np.nanmax(scene.array().values) == pytest.approx(6e-4, rel=1e-6)


def test_a_zip_reads_like_the_file(tmp_path):
    path = tropomi.write(tmp_path / "S5P_OFFL_L2__NO2____x.nc")
    with ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(path, f"folder/{path.name}")
    assert s5p.recognises(tmp_path / "p.zip")
    np.testing.assert_array_equal(
        s5p.open_scene(tmp_path / "p.zip", Request()).array().values, s5p.open_scene(path, Request()).array().values
    )


def test_a_gas_that_is_not_of_the_fleet_is_refused_by_its_name(tmp_path):
    with pytest.raises(SensorUnknown, match="aerosol_index_354_388"):
        s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc", gas="AER_AI"), Request())


def test_a_missing_group_is_named(tmp_path):
    path = tropomi.write(tmp_path / "S5P_.nc")
    with tropomi.h5py.File(path, "a") as file:
        del file["PRODUCT/qa_value"]
    with pytest.raises(SceneUnreadable, match="qa_value"):
        s5p.open_scene(path, Request())
    with tropomi.h5py.File(path, "a") as file:
        del file["PRODUCT"]
    with pytest.raises(SceneUnreadable, match="PRODUCT"):
        s5p.open_scene(path, Request())


def test_a_truncated_file_is_one_sentence(tmp_path):
    path = tropomi.write(tmp_path / "S5P_.nc")
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(SceneUnreadable, match="download"):
        s5p.open_scene(path, Request())


def test_another_sensor_is_refused(tmp_path):
    with pytest.raises(SensorUnknown, match="s5p-co"):
        s5p.open_scene(tropomi.write(tmp_path / "S5P_.nc"), Request(sensor=sensors["s5p-co"]))


def test_the_flattened_layout_reads_with_its_time_and_no_quality(tmp_path):
    path = tropomi.write_flat(tmp_path / "plume.nc")
    assert s5p.recognises(path)
    scene = s5p.open_scene(path, Request())
    assert value_at(scene, 1, 2) == pytest.approx(2e-4)
    assert scene.time == datetime(2021, 7, 25, 11, 44, 52, 595066, tzinfo=UTC)
    assert scene.facts["qa_rule"].startswith("none")


def test_a_level_3_grid_is_turned_north_up(tmp_path):
    path = tropomi.write_grid(tmp_path / "l3.nc")
    assert s5p.recognises(path)
    array = s5p.open_scene(path, Request()).array()
    np.testing.assert_allclose(array[0, :, 1], [4e-4, 3e-4, 2e-4, 1e-4], rtol=1e-6)
    assert np.isnan(array[0, 3, 0])
    np.testing.assert_allclose(array.y, [45.03, 45.02, 45.01, 45.0])
    assert array.attrs["time"] == "2021-01-02T00:00:00Z"


def test_a_level_3_grid_in_another_unit_is_refused(tmp_path):
    with pytest.raises(SceneUnreadable, match="DU"):
        s5p.open_scene(tropomi.write_grid(tmp_path / "l3.nc", unit="DU"), Request())


@pytest.mark.parametrize(("gas", "sensor"), GASES.items())
def test_real_subsets_over_delhi_hold_plausible_columns_at_their_time(shared, gas, sensor):
    path = next((shared / "data/s5p/delhi_raw_nc4").glob(f"S5P_OFFL_L2__{gas}_*"))
    assert s5p.recognises(path)
    scene = s5p.open_scene(path, Request())
    values = scene.array().values
    low, high = scene.sensor.plausible
    assert scene.sensor.name == sensor
    assert np.isfinite(values).any()
    assert low <= np.nanmin(values) <= np.nanmax(values) <= high
    lon, lat = scene.window.center
    assert (abs(lon - 77.1), abs(lat - 28.7)) < (0.5, 0.5)
    with opened(path) as nc:
        words = [w.decode() for w in nc.variable("PRODUCT/time_utc").raw().ravel() if w]
    if words:  # DLR's subsets leave it blank
        assert (scene.facts["start"], scene.facts["stop"]) == (words[0], words[-1])
    assert scene.time.strftime("%Y%m%d") == path.name[20:28]


def test_the_real_aerosol_index_is_refused(shared):
    path = next((shared / "data/s5p/delhi_raw_nc4").glob("*AER_AI*"))
    assert s5p.recognises(path)
    with pytest.raises(SensorUnknown, match="aerosol"):
        s5p.open_scene(path, Request())


def test_the_real_swath_at_matimba_shows_its_plume(shared):
    scene = s5p.open_scene(next((shared / "data/s5p").glob("Matimba_S5P*.nc")), Request())
    values = scene.array()[0]
    assert scene.sensor.name == "s5p-no2"
    assert float(values.max()) > 1e-4 > float(values.median())
    assert scene.time == datetime(2021, 7, 25, 11, 44, 52, 595066, tzinfo=UTC)


def test_other_netcdf_files_are_left_to_other_readers(shared, tmp_path):
    assert not s5p.recognises(next((shared / "data/s5p").glob("Matimba_ERA5-sl*.nc")))
    shutil.copy(Path(__file__), tmp_path / "x.nc")
    assert not s5p.recognises(tmp_path / "x.nc")


def test_arm_open_finds_the_reader(tmp_path):
    array = arm.open(tropomi.write(tmp_path / "S5P_OFFL_L2__SO2____x.nc", gas="SO2"), min_qa=0.5)
    assert (array.attrs["sensor"], array.attrs["unit"], array.shape[0]) == ("s5p-so2", "mol m-2", 1)
    assert array.attrs["qa_rule"] == "qa_value >= 0.5"
