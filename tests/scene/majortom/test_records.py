from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from armillary.errors import SceneUnreadable, SensorUnknown
from armillary.scene.majortom.records import read_records
from armillary.scene.majortom.select import overpass
from armillary.scene.majortom.sets import SETS, column_of, find_set, set_of_columns


def records(**columns):
    base = {"grid_cell": ["433U_1027R"], "parquet_url": ["u"], "parquet_row": [3]}
    return read_records(pa.table(base | columns), SETS["Core-S2L2A"], "home", "table")


@pytest.mark.parametrize(
    "time",
    [
        datetime(2022, 7, 6, 8, 56, 11),
        datetime(2022, 7, 6, 8, 56, 11, tzinfo=UTC),
        "2022-07-06 08:56:11",
        "2022-07-06T08:56:11.024Z",
        "20220706T085611",
    ],
)
def test_a_time_is_read_whatever_its_type(time):
    found = records(timestamp=[time])[0].time
    assert found.replace(microsecond=0) == datetime(2022, 7, 6, 8, 56, 11, tzinfo=UTC)


def test_a_date_is_midnight_and_a_null_unknown():
    assert records(timestamp=[date(2022, 7, 6)])[0].time == datetime(2022, 7, 6, tzinfo=UTC)
    assert records(timestamp=pa.array([None], pa.timestamp("ns")))[0].time is None


def test_without_a_column_the_name_of_the_product_tells_the_time():
    name = "S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419"
    assert records(product_id=[name])[0].time == datetime(2022, 7, 6, 8, 56, 11, tzinfo=UTC)


def test_the_doubled_name_of_the_crs_is_understood():
    assert records(crs=["EPSG:EPSG:32633"])[0].crs == "EPSG:32633"
    assert records()[0].crs is None


def test_what_a_table_lacks_is_unknown():
    one = records()
    assert one[0].product == "id"
    assert np.isnan([one.cloud[0], one.nodata[0], one.days[0]]).all()
    assert (one.lon[0], one.lat[0]) == pytest.approx((118.558, 38.937), abs=1e-3)


def test_the_prefix_of_the_grid_is_dropped():
    assert records(grid_cell=["MT10_433U_1027R"])[0].cell == "433U_1027R"


def test_a_table_of_something_else_is_refused():
    with pytest.raises(SceneUnreadable, match="parquet_row"):
        read_records(pa.table({"grid_cell": ["a"]}), SETS["Core-DEM"], "home", "table")


def test_sets_are_known_by_name_and_by_columns():
    assert find_set("/data/Core-S2L1C").sensor == "s2-l1c"
    assert find_set("core-dem").name == "Core-DEM"
    assert set_of_columns(["b02", "B10", "x"]).name == "Core-S2L1C"
    assert set_of_columns(["VV", "VH"]).name == "Core-S1RTC"
    assert set_of_columns(["embedding"]) is None
    assert column_of("B02", ["B2", "B12"]) == "B2"
    with pytest.raises(SensorUnknown):
        find_set("Core-VIIRS-Nighttime-Light")


def test_an_overpass_is_the_same_for_both_levels_and_any_processing():
    ids = (
        "S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419",
        "S2A_MSIL1C_20220706T085611_N0500_R007_T33NZA_20230101T000000",
    )
    assert overpass(ids[0], 1.0) == overpass(ids[1], 2.0)
    assert overpass("a", 1.0) == overpass("b", 1.0) != overpass("b", 1.1)
