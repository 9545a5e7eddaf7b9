from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.earth.when import as_utc, find_time, from_days, parse_time, to_days
from armillary.errors import BadInput, OutOfRange

MORNING = datetime(2022, 7, 6, 8, 56, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2022-07-06T08:56:11Z",
        "2022-07-06T08:56:11",
        "2022-07-06 08:56:11",
        "2022-07-06T10:56:11+02:00",
        "20220706T085611",
        "UTC=2022-07-06T08:56:11",
        "S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419.SAFE",
        "GS2A_20220706T085611_036762_N04.00",
        "20220706T085611_20220706T090011_T33NZA",
        "s1a-iw-grd-vv-20220706t085611-20220706t085636-041130-04e2fb-001.tiff",
        "S3A_OL_1_EFR____20220706T085611_20220706T085911_20220707T120000_0179_087_107_2340_PS1_O_NT_003.SEN3",
        "S5P_RPRO_L2__NO2____20220706T085611_20220706T103741_24500_03_020400_20230101T000000.nc",
        "2022-07-06T08:56:11.0000004Z",
    ],
)
def test_every_way_of_writing_one_moment_is_read_alike(text):
    assert parse_time(text) == MORNING
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2021-01-01", "20210101", "s5p/images/2021-01-01_2021-02-01.tif", "dem_20210101.tif"])
def test_a_date_alone_is_its_midnight(text):
    assert parse_time(text) == datetime(2021, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "dem.tif", "99999999", "20211301", "0772176_-96.00_44.00", "2021-02-30"])
def test_what_holds_no_date_is_refused(text):
    assert find_time(text) is None
    with pytest.raises(BadInput, match="no date"):
        parse_time(text)


def test_fractions_of_a_second_are_kept():
    assert parse_time("2022-07-06T08:56:11.024Z").microsecond == 24_000


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_days_and_back_is_the_identity_to_ten_microseconds(time):
    assert abs(from_days(to_days(time)) - time) < timedelta(microseconds=10)


def test_a_naive_time_is_utc_and_another_zone_is_converted():
    assert as_utc(datetime(2022, 7, 6, 8, 56, 11)) == MORNING
    assert as_utc(datetime(2022, 7, 6, 10, 56, 11, tzinfo=timezone(timedelta(hours=2)))).hour == 8


def test_days_that_are_no_date_are_refused():
    for days in (float("nan"), float("inf"), 1e12):
        with pytest.raises(OutOfRange):
            from_days(days)
