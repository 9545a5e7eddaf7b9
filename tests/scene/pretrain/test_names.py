from datetime import UTC, datetime

import pytest

from armillary.earth.cells import Cell
from armillary.errors import BadInput
from armillary.scene.pretrain.names import (
    LAYERS,
    Label,
    Spot,
    count_shift,
    day_of,
    time_of,
    utm_of,
    window_of,
)

CELLS = ("0772176_-96.00_44.00", "0906994_128.50_67.25", "0200599_-70.25_-55.25")


@pytest.mark.parametrize("name", CELLS)
def test_the_published_cells_are_those_of_the_grid(name):
    assert Spot.of(Cell(int(name[:7]))).name == name
    assert Spot.parse(name) == Spot.of(Cell(int(name[:7])))


@pytest.mark.parametrize("name", ["", "772176_-96.00_44.00", "0772176_-96_44", "0772176_-96.00_44.00/x", "dem.tif"])
def test_what_is_no_place_is_refused(name):
    with pytest.raises(BadInput, match="names no place"):
        Spot.parse(name)


@pytest.mark.parametrize(
    "text",
    [
        "0772176_-96.00_44.00",
        "0772176_-96.00_44.00/20210127",
        "0772176_-96.00_44.00/0865831_-95.92_43.96/20221121",
    ],
)
def test_a_label_read_and_written_is_the_same(text):
    assert Label.parse(text).text == text


def test_a_label_of_too_many_parts_is_refused():
    with pytest.raises(BadInput, match="is no label"):
        Label.parse("0772176_-96.00_44.00/0865831_-95.92_43.96/0865831_-95.92_43.96/20221121")


@pytest.mark.parametrize(
    ("key", "name", "day"),
    [
        ("s2_toa", "20201002T221611_20201002T221610_T60HWB.tif", "20201002"),
        ("s1_grd", "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457.tif", "20200607"),
        ("s3_olci", "S3A_20210307T101010_20210307T101310.tif", "20210307"),
        ("s5p_no2", "2021-01-01_2021-02-01.tif", "20210101"),
        ("dem", "dem.tif", None),
    ],
)
def test_the_date_is_found_as_published(key, name, day):
    assert day_of(key, name) == day


def test_a_name_without_its_date_is_refused():
    with pytest.raises(BadInput, match="has no date"):
        day_of("s1_grd", "scene.tif")
    with pytest.raises(BadInput, match="is no date"):
        time_of("s1_grd", "20211399")


def test_every_height_model_has_one_date():
    assert time_of("dem", None) == datetime(2015, 1, 1, tzinfo=UTC)


def test_counts_are_shifted_by_date_but_not_in_the_polar_round():
    polar, city = Spot(1_200_001, 10.0, 80.0), Spot(300_000, 10.0, 50.0)
    assert [count_shift(city, d) for d in ("20220124", "20220125")] == [0.0, -1000.0]
    assert count_shift(polar, "20230301") == 0.0
    assert count_shift(city, None) == 0.0


def test_layers_are_the_eight_of_the_fleet():
    assert [x.sensor for x in LAYERS.values()] == [
        "s1-grd",
        "s2-l1c",
        "s3-olci",
        "s5p-co",
        "s5p-no2",
        "s5p-o3",
        "s5p-so2",
        "dem",
    ]
    assert [x.axes for x in LAYERS.values()] == [5, 5, 4, 4, 4, 4, 4, 2]


@pytest.mark.parametrize(("lon", "lat", "code"), [(0, 10, 32631), (-180, -1, 32701), (179.9, 60, 32660), (5, 85, 5041)])
def test_the_zone_is_that_of_the_point(lon, lat, code):
    assert utm_of(lon, lat) == f"EPSG:{code}"


@pytest.mark.parametrize("lat", [0.0, 60.0, 84.75, -80.25])
def test_the_window_of_a_name_has_the_name_in_its_middle(lat):
    for key, layer in LAYERS.items():
        window = window_of(key, Spot(1, 20.25, lat), (layer.side_px, layer.side_px))
        assert window.center == pytest.approx((20.25, lat), abs=1e-6)


def test_another_shape_keeps_the_size_of_a_pixel():
    for key, layer in LAYERS.items():
        whole = window_of(key, Spot(1, 20.0, 0.0), (layer.side_px, layer.side_px))
        part = window_of(key, Spot(1, 20.0, 0.0), (layer.side_px // 2, layer.side_px // 4))
        assert part.gsd_m == pytest.approx(whole.gsd_m, rel=1e-3)
