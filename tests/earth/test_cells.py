import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.earth.cells import COLS, ROWS, Cell, cells_in
from armillary.errors import OutOfRange


@pytest.mark.parametrize(
    ("id", "lon", "lat"), [(772176, -96.0, 44.0), (906994, 128.5, 67.25), (200599, -70.25, -55.25)]
)
def test_ids_are_the_published_ones(id, lon, lat):
    assert Cell.at(lon, lat).id == id
    assert Cell(id).lonlat == (lon, lat)


def test_folder_names_are_the_published_ones():
    assert Cell(906994).folder == "0906994_128.50_67.25"
    assert Cell(200599).folder == "0200599_-70.25_-55.25"


@given(st.integers(0, ROWS * COLS - 1))
def test_id_to_lonlat_to_id_is_the_identity(id):
    assert Cell.at(*Cell(id).lonlat) == Cell(id)


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_a_point_lies_in_its_cell(lon, lat):
    west, south, east, north = Cell.at(lon, lat).bounds
    assert south <= lat <= north
    assert west <= lon <= east or west <= lon - 360 <= east


def test_a_cell_owns_its_south_and_west_edge_and_no_other():
    c = Cell(772176)
    west, south, east, north = c.bounds
    assert Cell.at(west, south) == c
    assert Cell.at(east, 44) == Cell(c.id + 1)
    assert Cell.at(-96, north) == Cell(c.id + COLS)


@pytest.mark.parametrize("lon", [180.0, -180.0, 179.9, -179.9, 540.0])
def test_the_column_at_the_dateline_is_one(lon):
    assert Cell.at(lon, 0).col == 0


def test_neighbours_wrap_the_dateline():
    keys = [n.lonlat for n in Cell.at(-180, 10).neighbours]
    assert len(keys) == 8
    assert (179.75, 10.0) in keys
    assert (-179.75, 10.25) in keys


def test_neighbourhood_is_mutual_and_smaller_at_the_poles():
    pole = Cell.at(0, 90)
    assert len(pole.neighbours) == len(Cell(0).neighbours) == 5
    assert all(pole in n.neighbours for n in pole.neighbours)


def test_areas_of_all_cells_sum_to_the_earth():
    total = sum(Cell(row * COLS).area_km2 for row in range(ROWS)) * COLS
    assert total == pytest.approx(510_065_621.724, rel=1e-9)


def test_a_box_gives_the_cells_it_touches():
    assert [c.lonlat for c in cells_in(9.9, 45.0, 10.2, 45.2)] == [(x, y) for y in (45.0, 45.25) for x in (10.0, 10.25)]


def test_a_box_across_the_dateline_gives_both_sides():
    assert [c.lonlat[0] for c in cells_in(179.7, 0, -179.7, 0)] == [179.75, -180.0, -179.75]


def test_the_box_of_a_cell_gives_the_cell():
    rng = np.random.default_rng(1)
    for id in [int(rng.integers(COLS, (ROWS - 1) * COLS)) for _ in range(200)]:
        assert list(cells_in(*Cell(id).bounds)) == [Cell(id)]


def test_the_whole_earth_gives_every_cell_once():
    ids = [c.id for c in cells_in(-180, -90, 180, -89)]
    assert len(ids) == len(set(ids)) == 5 * COLS


@pytest.mark.parametrize(
    "call", [lambda: Cell(-1), lambda: Cell(ROWS * COLS), lambda: Cell.at(0, 91), lambda: Cell.at(float("nan"), 0)]
)
def test_what_is_outside_the_grid_is_refused(call):
    with pytest.raises(OutOfRange):
        call()
