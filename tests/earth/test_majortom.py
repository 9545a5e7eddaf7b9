import json
import math

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from armillary.earth.majortom import cell, cells_in, from_id
from armillary.errors import BadInput, OutOfRange


@pytest.fixture(scope="module")
def golden(shared):
    return json.loads((shared / "golden" / "copgen_golden.json").read_text())["grid_10km"]


def test_every_golden_point_has_its_closed_form_id(golden):
    assert [cell(g["lat"], g["lon"]).id for g in golden] == [g["closed_form_id"] for g in golden]


def test_every_golden_point_has_its_library_id(golden):
    assert [cell(g["lat"], g["lon"], naming="library").id for g in golden] == [g["library_id"] for g in golden]


def test_golden_corners_are_the_corners_of_the_library_cells(golden):
    for g in golden:
        if "sw" in g:
            id = g["closed_form_id"]
            lon, lat = from_id(id).southwest
            assert (lat, (lon + 180) % 360 - 180) == pytest.approx(tuple(g["sw"]), abs=1e-9)


def test_published_ids_of_known_places():
    places = {
        "466U_103R": (41.9, 12.5),
        "622U_20L": (55.95, -3.19),
        "573U_1L": (51.5, -0.12),
        "14U_1155R": (1.29, 103.85),
    }
    assert {cell(*p).id for p in places.values()} == set(places)


def test_the_two_namings_agree_on_random_points_but_near_the_dateline():
    rng = np.random.default_rng(7)
    points = sorted((rng.uniform(-84.9, 85), rng.uniform(-180, 180)) for _ in range(40_000))
    differ = [p for p in points if cell(*p).id != cell(*p, naming="library").id]
    assert len(differ) <= 8
    assert all(abs(lon) > 179 for _, lon in differ)


def test_a_cell_owns_its_south_and_west_edge_and_no_other():
    c = cell(38.937, 118.558)
    assert c.id == "433U_1027R"
    west, south, east, north = c.bounds
    assert cell(south, west).id == c.id
    assert cell(south, math.nextafter(west, -180)).id == "433U_1026R"
    assert cell(math.nextafter(south, -90), west).row == 432
    assert cell(north, west).row == 434
    assert cell(south, math.nextafter(east, 180)).id == "433U_1028R"


def test_a_point_on_lines_counts_below_and_left_in_the_library():
    assert (cell(0, 0).id, cell(0, 0, naming="library").id) == ("0U_0R", "1D_1L")


def test_a_random_point_lies_in_its_cell():
    rng = np.random.default_rng(3)
    for _ in range(2000):
        lat, lon = rng.uniform(-90, 90), rng.uniform(-180, 180)
        west, south, east, north = cell(lat, lon).bounds
        assert south <= lat <= north
        assert west <= lon < east or west <= lon + 360 < east


def test_id_to_cell_is_the_inverse_of_cell_to_id():
    rng = np.random.default_rng(4)
    for _ in range(2000):
        c = cell(rng.uniform(-90, 90), rng.uniform(-180, 180))
        assert from_id(c.id) == c
        lon, lat = c.center
        assert cell(lat, lon) == c


def test_both_names_of_one_cell_give_one_place():
    closed, library = cell(52.2119848, -179.95984354), cell(52.2119848, -179.95984354, naming="library")
    assert closed.id != library.id
    assert closed.bounds == library.bounds == from_id(library.id).bounds


@pytest.mark.parametrize("id", ["", "433U", "433X_1R", "433U_1027", "0D_0R", "0U_0L", "1003U_0R", "0U_2005R", "-1U_0R"])
def test_what_is_no_id_is_refused(id):
    with pytest.raises(BadInput):
        from_id(id)


@pytest.mark.parametrize("lat", [-86.0, 86.0, -84.98])
def test_the_library_naming_refuses_what_was_never_published(lat):
    assert cell(lat, 10).id
    with pytest.raises(OutOfRange, match="naming='closed'"):
        cell(lat, 10, naming="library")


@pytest.mark.parametrize("point", [(91, 0), (float("nan"), 0), (0, float("inf"))])
def test_what_is_no_point_is_refused(point):
    with pytest.raises(OutOfRange):
        cell(*point)


def test_the_poles_have_a_cell():
    assert cell(90, 0).row == 1001
    assert cell(-90, 0).row == -1002


def test_a_box_gives_the_cells_it_touches_and_no_other():
    box = (12.3, 41.7, 12.7, 42.0)
    ids = {c.id for c in cells_in(*box)}
    rng = np.random.default_rng(5)
    found = {cell(rng.uniform(box[1], box[3]), rng.uniform(box[0], box[2])).id for _ in range(4000)}
    assert ids == found


def test_a_box_across_the_dateline_gives_both_sides():
    ids = [c.id for c in cells_in(179.95, 0.01, -179.95, 0.02)]
    assert ids == ["0U_2003R", "0U_2004L"]


def test_a_ring_around_the_earth_gives_each_cell_once():
    ids = [c.id for c in cells_in(-180, 0.01, 180, 0.02)]
    assert len(ids) == len(set(ids)) == 4008


def test_the_count_of_published_latitudes_is_the_documented_one():
    rows = [from_id(f"{abs(i)}{'U' if i >= 0 else 'D'}_0R") for i in range(-946, 947)]
    total = sum(round(360 / (c.bounds[2] - c.bounds[0])) for c in rows)
    assert (len(rows), total) == (1893, 5_094_350)


@pytest.mark.parametrize(
    ("lat", "lon", "epsg"),
    [
        (41.9, 12.5, 32633),
        (-33.87, 151.21, 32756),
        (60.4, 5.3, 32632),
        (78.2, 15.6, 32633),
        (78.2, 8.0, 32631),
        (0.01, -179.9, 32601),
    ],
)
def test_the_utm_zone_is_that_of_the_corner_with_norway_and_svalbard(lat, lon, epsg):
    assert cell(lat, lon).epsg == epsg


def test_the_footprint_has_the_cell_in_its_middle():
    c = cell(41.9, 12.5)
    window = c.footprint
    assert window.shape == (1068, 1068)
    x, y = Transformer.from_crs("EPSG:4326", f"EPSG:{c.epsg}", always_xy=True).transform(*c.southwest)
    assert (window.affine.c, window.affine.f) == pytest.approx((x - 340, y + 10_340))


def test_the_footprint_is_that_of_a_published_product(shared):
    path = next((shared / "data" / "majortom_cell").glob("**/B04.tif"))
    with rasterio.open(path) as file:
        window = from_id("0U_199R").footprint
        assert tuple(file.transform)[:6] == pytest.approx(tuple(window.affine)[:6], abs=1e-3)
        assert (file.shape, file.crs.to_epsg()) == (window.shape, 32633)


@pytest.mark.parametrize("dist_km", [1, 3, 100, 320])
def test_other_spacings_obey_the_same_laws(dist_km):
    rng = np.random.default_rng(6)
    for _ in range(300):
        lat, lon = rng.uniform(-80, 80), rng.uniform(-179, 179)
        c = cell(lat, lon, dist_km=dist_km)
        assert c.id == cell(lat, lon, naming="library", dist_km=dist_km).id
        assert from_id(c.id, dist_km) == c


@pytest.mark.parametrize("id", ["433U_1027R", "378D_1396R", "0U_0R", "890D_149L"])
def test_the_newer_footprint_lies_on_the_lattice_of_60_m_about_the_middle(id):
    found = from_id(id)
    window = found.snapped_footprint
    assert window.shape == (1056, 1056)
    assert window.affine.c % 60 == 0
    assert window.affine.f % 60 == (0 if found.row >= 0 else 40)
    to_utm = Transformer.from_crs("EPSG:4326", str(window.crs), always_xy=True)
    x, y = window.affine @ (528, 528)
    assert np.hypot(*np.subtract(to_utm.transform(*found.center), (x, y))) < 43
