"""Clues: what names and sidecars say."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from armillary.scene.gridded.clues import clues_of, read_name, stamp_time

NAMES = [
    ("S2B_MSIL1C_20200823T054639_N0209_R048_T43RCP_20200823T074854", ("s2-l1c",), "2020-08-23T05:46:39", 2.09),
    ("T33UUP_20200101T101031_B04_10m", ("s2-l2a",), "2020-01-01T10:10:31", None),
    ("S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48_VV", ("s1-grd",), "2017-06-13T16:50:43", None),
    ("S3A_OL_1_EFR____20170313T110342_20170313T110642", ("s3-olci",), "2017-03-13T11:03:42", None),
    ("S5P_OFFL_L2__NO2____20201129T065430_20201129T083559", ("s5p-no2",), "2020-11-29T06:54:30", None),
    ("OPERA_L2_RTC-S1_T064-135518-IW1_20220501T015035Z_x_VV", ("s1-rtc",), "2022-05-01T01:50:35", None),
]


@pytest.mark.parametrize(("name", "sensors", "time", "baseline"), NAMES)
def test_a_product_name_tells_sensor_time_and_baseline(
    name: str, sensors: tuple[str, ...], time: str, baseline: float | None
) -> None:
    clues = read_name(name)
    assert clues.sensors == sensors
    assert clues.time == datetime.fromisoformat(time).replace(tzinfo=UTC)
    assert clues.time_source == "read"
    assert clues.baseline == baseline


def test_a_bare_date_is_only_assumed() -> None:
    clues = read_name("mosaic_2021-07-05_s2")
    assert (clues.time_source, clues.sensors) == ("assumed", ("s2-l1c", "s2-l2a"))


def test_a_name_without_facts_tells_nothing() -> None:
    assert read_name("patch_252161.tif") == read_name("")


def test_sixty_one_seconds_are_carried_and_a_dropped_zero_is_found() -> None:
    assert stamp_time("20180204T94161") == datetime(2018, 2, 4, 9, 42, 1, tzinfo=UTC)


def test_the_folder_narrows_what_the_file_leaves_open(tmp_path: Path) -> None:
    assert clues_of(tmp_path / "S2L2A" / "s2_patch.tif").sensors == ("s2-l2a",)


def test_a_stamp_in_a_folder_beats_a_bare_date_in_the_file(tmp_path: Path) -> None:
    home = tmp_path / "S2A_MSIL2A_20170613T101031_N0205_R022"
    clues = clues_of(home / "crop_20190101.tif")
    assert clues.time == datetime(2017, 6, 13, 10, 10, 31, tzinfo=UTC)


def test_a_sidecar_tells_time_and_baseline_but_not_the_level_of_its_source(tmp_path: Path) -> None:
    home = tmp_path / "patch"
    home.mkdir()
    facts = {"acquisition_date": "2017-06-13 10:10:31", "tile_source": "S2A_MSIL1C_20170613T101031_N0205_R022.SAFE"}
    (home / "patch_labels_metadata.json").write_text(json.dumps(facts))
    clues = clues_of(home)
    assert (clues.baseline, clues.sensors, clues.time_source) == (2.05, (), "read")


def test_a_broken_sidecar_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("{")
    assert clues_of(tmp_path / "x.tif").baseline is None
