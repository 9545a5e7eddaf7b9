import pytest
import rasterio

from armillary.earth.fleet import sensors
from armillary.earth.lexicon import guess_sensor, house_name, is_auxiliary, resolve
from armillary.errors import BandMismatch

S2 = sensors["s2-l1c"].band_names
FOREIGN = {
    "earth engine": ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"],
    "major tom": [b if b != "B8A" else "B8A" for b in S2],
    "padded b8a": [b if b != "B8A" else "B08A" for b in S2],
    "eopf": [b.lower() for b in S2],
    "stac 1.1": [
        "coastal",
        "blue",
        "green",
        "red",
        "rededge071",
        "rededge075",
        "rededge078",
        "nir",
        "nir08",
        "nir09",
        "cirrus",
        "swir16",
        "swir22",
    ],
    "earth-search": [
        "coastal",
        "blue",
        "green",
        "red",
        "rededge1",
        "rededge2",
        "rededge3",
        "nir",
        "nir08",
        "nir09",
        "cirrus",
        "swir16",
        "swir22",
    ],
    "old stac": [
        "coastal",
        "blue",
        "green",
        "red",
        "rededge",
        "rededge",
        "rededge",
        "nir",
        "nir08",
        "nir09",
        "cirrus",
        "swir16",
        "swir22",
    ],
    "cdse": [f"{b}_{r}m" for b, r in zip(S2, (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20), strict=True)],
    "gdal": [f"B{b[1:].lstrip('0')}, central wavelength 490 nm" for b in S2],
    "snap": [f"{b[0]}{b[1:].lstrip('0')} (490 nm)" for b in S2],
    "file names": [f"T33NZA_20220706T085611_{b}_10m.jp2" for b in S2],
    "cubes": [f"S2-L1C-{b}" for b in S2],
}


@pytest.mark.parametrize("dialect", FOREIGN)
def test_every_dialect_of_sentinel_2_resolves_in_file_order(dialect):
    assert resolve(sensors["s2-l1c"], FOREIGN[dialect]) == S2
    assert resolve(sensors["s2-l1c"], FOREIGN[dialect][::-1]) == S2[::-1] or dialect == "old stac"


@pytest.mark.parametrize(
    ("sensor", "names", "houses"),
    [
        ("s1-grd", ["VH", "vv"], ("VH", "VV")),
        ("s1-grd", ["Sigma0_VV_db", "Sigma0_VH_db"], ("VV", "VH")),
        ("s1-rtc", ["Gamma0_VH", "Gamma0_VV"], ("VH", "VV")),
        ("s1-grd", ["s1a-iw-grd-vv-20211223t051122-20211223t051147-041130-04e2fb-001.tiff"], ("VV",)),
        ("s3-olci", ["Oa01_radiance", "oa21_radiance", "Oa8"], ("Oa01", "Oa21", "Oa08")),
        ("s5p-no2", ["tropospheric_NO2_column_number_density"], ("NO2",)),
        ("s5p-no2", ["nitrogendioxide_tropospheric_column"], ("NO2",)),
        ("s5p-co", ["carbonmonoxide_total_column_corrected"], ("CO",)),
        ("s5p-o3", ["O3_column_number_density"], ("O3",)),
        ("s5p-so2", ["sulfurdioxide_total_vertical_column"], ("SO2",)),
        ("s5p-so2", ["Sentinel 5P Sulfur Dioxide"], ("SO2",)),
        ("dem", ["elevation"], ("DEM",)),
        ("dem", ["height"], ("DEM",)),
        ("dem", ["data"], ("DEM",)),
    ],
)
def test_foreign_names_of_the_other_sensors_resolve(sensor, names, houses):
    assert resolve(sensors[sensor], names) == houses


@pytest.mark.parametrize(
    "name", ["B02_std", "VV/VH", "VV-VH", "B8-B4", "MSK_DETFOO_B02", "Oa01_radiance_err", "band_2", "B13"]
)
def test_what_is_derived_from_a_band_is_no_band(name):
    assert house_name(name) is None


def test_total_no2_is_not_taken_for_the_tropospheric_column():
    with pytest.raises(BandMismatch, match="NO2_column_number_density"):
        resolve(sensors["s5p-no2"], ["NO2_column_number_density"])


def test_a_band_that_the_sensor_lacks_is_named():
    with pytest.raises(BandMismatch, match=r"s2-l2a has no band called 'cirrus'.*bands="):
        resolve(sensors["s2-l2a"], ["blue", "cirrus"])


def test_a_misspelt_band_gets_a_suggestion():
    with pytest.raises(BandMismatch, match="did you mean 'swir16'"):
        resolve(sensors["s2-l2a"], ["swirr16"])


def test_two_names_of_one_band_are_refused():
    with pytest.raises(BandMismatch, match="'blue', 'B2' all mean B02"):
        resolve(sensors["s2-l2a"], ["blue", "B2"])


def test_one_lonely_rededge_is_ambiguous_and_refused():
    with pytest.raises(BandMismatch, match="rededge"):
        resolve(sensors["s2-l2a"], ["red", "rededge"])


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        (FOREIGN["earth engine"], ["s2-l1c"]),
        (["B2", "B3", "QA60", "SCL"], ["s2-l1c", "s2-l2a"]),
        (["VV", "VH", "angle"], ["s1-grd", "s1-rtc"]),
        (["Oa01_radiance"], ["s3-olci"]),
        (["DEM"], ["dem"]),
        (["CO_column_number_density"], ["s5p-co"]),
        (["VV", "B2"], []),
        (["data"], []),
        (["band_1"], []),
        ([], []),
    ],
)
def test_names_are_answered_with_every_sensor_that_they_fit(names, fits):
    assert [s.name for s in guess_sensor(names)] == fits


def test_the_house_name_of_a_house_name_is_itself():
    for s in sensors.values():
        assert resolve(s, s.band_names) == s.band_names
        assert not any(map(is_auxiliary, s.band_names))


def test_descriptions_of_real_files_resolve(shared):
    path = sorted((shared / "data" / "sen1floods11" / "S2").glob("*.tif"))[0]
    with rasterio.open(path) as file:
        assert resolve(sensors["s2-l1c"], file.descriptions) == S2


@pytest.mark.parametrize(("name", "house"), [("B1_1", "B01"), ("B1_2", "B01"), ("B8A_11", "B8A"), ("VV_3", "VV")])
def test_the_number_of_a_time_step_is_no_part_of_a_band_name(name: str, house: str) -> None:
    assert house_name(name) == house
