from dataclasses import replace

import numpy as np
import pytest
import rasterio
import xarray as xr
import yaml

from armillary.earth.bands import Named, Spectral
from armillary.earth.card import CARDS, card_text, find_sensor, parse_card, read_card, write_card
from armillary.earth.fleet import sensors
from armillary.earth.lexicon import resolve
from armillary.earth.sensors import Counts, Sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, OutputRefused, SceneNotFound, SensorUnknown
from armillary.sample.array import from_array, sensor_of, window_of
from armillary.scene.scene import Scene

MINE = Sensor(
    name="my-camera",
    title="My camera",
    band_names=("green", "depth"),
    bands=(Spectral(560, 35), Named("Water depth", tuple(np.linspace(-1, 1, 2048).tolist()))),
    unit="reflectance",
    gsd_m=3.0,
    band_gsd_m=(3.0, 6.0),
    patch_px=16,
    chip_px=224,
    plausible=(0.0, 2.0),
    counts=Counts((1e-4, 0.5), shift=-3.0, nodata=0.0),
    note="a sensor made up for this test",
)


@pytest.mark.parametrize("sensor", [*sensors.values(), MINE], ids=lambda s: s.name)
def test_sensor_to_card_to_sensor_is_equal(sensor, tmp_path):
    path = write_card(sensor, tmp_path / "ünï.yaml")
    back = parse_card(path.read_text(encoding="utf-8"))
    assert back == sensor
    assert card_text(back) == card_text(sensor)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["ombria-s1", "ombria-s2"])
def test_a_shipped_card_is_found_by_name_and_by_path(name):
    sensor = find_sensor(name)
    assert sensor.name == name
    assert find_sensor(CARDS / f"{name}.yaml") == sensor == find_sensor(str(CARDS / f"{name}.yaml"))
    assert sensor.statistic("ombria-train").unit == sensor.unit == "8-bit display"


def test_the_fleet_and_a_sensor_itself_are_found():
    assert find_sensor("dem") is sensors["dem"]
    assert find_sensor(MINE) is MINE


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(SensorUnknown, match="did you mean s2-l2a"):
        find_sensor("S2_L2A")


def test_a_card_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(SceneNotFound, match="is not there"):
        find_sensor(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"gsd": 3}, "unknown key 'gsd'"),
        ({"bands": [{"name": "a", "centre_nm": 5}]}, r"unknown key 'bands\.0\.centre_nm'"),
        ({"bands": [{"name": "a"}]}, "center_nm and width_nm, or text"),
        ({"bands": [{"name": "a", "text": "x"}, {"name": "a", "text": "y"}]}, "names a band twice"),
        ({"patch_px": "many"}, "key 'patch_px'"),
        ({"patch_px": 0}, "patch_px must be more than none"),
        ({"plausible": [2, 1]}, "smallest value, then the largest"),
        ({"statistics": [{"name": "s", "mean": [1], "std": [1], "unit": "m", "source": "x"}]}, "one entry per band"),
        ({"name": "dem"}, "the fleet has already"),
    ],
)
def test_a_wrong_card_is_refused_with_the_key_that_is_wrong(change, complaint, tmp_path):
    data = yaml.safe_load(card_text(MINE)) | change
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(BadInput, match=complaint):
        read_card(path)


def test_a_missing_key_is_named(tmp_path):
    data = yaml.safe_load(card_text(MINE))
    del data["unit"]
    with pytest.raises(BadInput, match="key 'unit' is missing"):
        parse_card(yaml.safe_dump(data))


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "", "!!python/object/apply:os.system [ls]"])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(BadInput):
        parse_card(text)


def test_a_card_for_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OutputRefused):
        write_card(MINE, tmp_path / "no" / "card.yaml")


def test_one_scale_and_one_nodata_serve_every_band():
    text = card_text(replace(MINE, counts=None)) + "\nnodata: -1\ncounts: {scale: 2, dtype: int16}\n"
    assert parse_card(text).counts == Counts((2.0, 2.0), 0.0, -1.0, "int16")


def test_a_users_band_names_resolve_in_any_case():
    assert resolve(find_sensor("ombria-s2"), ["nir", "Red", "swir"]) == ("NIR", "RED", "SWIR")


class _Ones:
    def read(self, bands, rows, cols):
        return np.ones((len(bands), rows.stop - rows.start, cols.stop - cols.start), np.float32)


def _array(sensor: Sensor) -> xr.DataArray:
    window = Window.of((4, 6), (3.0, 0.0, 500000.0, 0.0, -3.0, 5200000.0), "EPSG:32632")
    return Scene("here", sensor, window, None, _Ones(), {"sensor": "given"}).array()


def test_a_users_sensor_travels_with_its_array():
    array = _array(MINE)
    assert sensor_of(array) == MINE
    assert sensor_of(array.sel(band=["depth"])) == MINE.select(("depth",))
    assert from_array(array.isel(x=slice(2, 4))).sensor == MINE


def test_a_sensor_of_the_fleet_travels_by_name():
    array = _array(sensors["s1-grd"])
    assert "sensor_card" not in array.attrs
    assert sensor_of(array) is not None


def test_a_slice_of_a_turned_array_keeps_its_place():
    window = Window.of((40, 60), (8.0, 6.0, 500000.0, 6.0, -8.0, 5200000.0), "EPSG:32632")
    array = Scene("here", sensors["dem"], window, None, _Ones(), {}).array()
    cut = window.crop(rows=slice(5, 9), cols=slice(10, 20))
    assert window_of(array.isel(y=slice(5, 9), x=slice(10, 20))) == cut
    assert window_of(array.isel(y=slice(5, 9), x=slice(10, 20)).isel(y=[2], x=[3])).center == cut.lonlat(2.5, 3.5)


def test_statistics_of_ombria_are_those_of_its_training_pixels(shared):
    """A tenth of the sites lies within a tenth of a standard deviation of the card."""
    for name, kind in (("ombria-s1", "s1"), ("ombria-s2", "s2")):
        sensor = find_sensor(name)
        files = sorted((shared / "data" / "ombria" / "train").glob(f"*_{kind}_*.webp"))[::9]
        values = []
        for path in files:
            with rasterio.open(path) as file:
                values.append(file.read(list(range(1, len(sensor.bands) + 1))).reshape(len(sensor.bands), -1)[:, ::7])
        pixels = np.concatenate(values, axis=1)
        pixels = pixels[:, (pixels > 0).any(axis=0)]
        known = sensor.statistic("ombria-train")
        assert np.all(np.abs(pixels.mean(axis=1) - known.mean) < 0.1 * np.asarray(known.std))
        assert np.all(np.abs(pixels.std(axis=1) / known.std - 1) < 0.1)
