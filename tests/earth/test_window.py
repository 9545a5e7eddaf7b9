import math

import numpy as np
import pyproj
import pytest
import rasterio.crs
from affine import Affine
from pyproj import Geod

from armillary.earth.ellipsoid import belt_km2
from armillary.earth.window import Window, _to_lonlat
from armillary.errors import BadInput, OutOfRange, PlaceUnknown

UTM32 = (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0)
LOCAL = 'LOCAL_CS["a building site",UNIT["metre",1]]'
NAMELESS = (
    'PROJCS["nobody\'s own",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",10.5],PARAMETER["scale_factor",1],'
    'PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]'
)


@pytest.mark.parametrize(
    "crs", ["EPSG:32632", 32632, pyproj.CRS(32632), rasterio.crs.CRS.from_epsg(32632), pyproj.CRS(32632).to_wkt()]
)
def test_whatever_names_a_crs_gives_one_place(crs):
    assert Window.of((4, 6), UTM32, crs).center == pytest.approx(Window.of((4, 6), UTM32, "EPSG:32632").center)


def test_a_crs_without_a_code_has_its_place():
    lon, lat = Window.of((2, 2), (10.0, 0.0, -10.0, 0.0, -10.0, 10.0), NAMELESS).center
    assert (lon, lat) == pytest.approx((10.5, 0.0), abs=1e-9)


def test_the_middle_across_the_dateline_is_at_the_dateline():
    utm1 = Window.of((100, 100), (1000.0, 0.0, 166021.44 - 50_000, 0.0, -1000.0, 50_000.0), "EPSG:32601")
    assert abs(abs(utm1.center[0]) - 180) < 0.001
    degrees = Window.of((4, 4), (0.5, 0.0, 179.0, 0.0, -0.5, 1.0), "EPSG:4326")
    assert degrees.center == (-180.0, 0.0)
    assert degrees.lonlat(0, 4) == (-179.0, 1.0)


def test_a_grid_from_0_to_360_has_longitudes_within_180():
    w = Window.of((720, 1440), (0.25, 0.0, 0.0, 0.0, -0.25, 90.0), "EPSG:4326")
    assert w.lonlat(360, 1439.5) == (-0.125, 0.0)


@pytest.mark.parametrize(("epsg", "lat"), [(3413, 90.0), (3031, -90.0)])
def test_polar_stereographic_has_the_pole_in_its_middle(epsg, lat):
    w = Window.of((200, 200), (1000.0, 0.0, -100_000.0, 0.0, -1000.0, 100_000.0), f"EPSG:{epsg}")
    assert w.center[1] == pytest.approx(lat)
    scale = 0.9728 if epsg == 3031 else 0.97
    assert w.gsd_m == pytest.approx(1000 / scale, rel=0.01)


def test_a_rotated_window_keeps_its_area_and_its_middle():
    upright = Window.of((100, 100), UTM32, "EPSG:32632")
    turned = Affine(*UTM32) * Affine.rotation(30, pivot=(50, 50))
    rotated = Window.of((100, 100), turned, "EPSG:32632")
    assert (upright.is_upright, rotated.is_upright) == (True, False)
    assert rotated.center == pytest.approx(upright.center, abs=1e-12)
    assert rotated.pixel_km2 == pytest.approx(upright.pixel_km2, rel=1e-6)


def test_a_window_that_runs_upwards_and_leftwards_has_the_same_place():
    a = Window.of((10, 20), UTM32, "EPSG:32632")
    b = Window.of((10, 20), (-10.0, 0.0, 500200.0, 0.0, 10.0, 5199900.0), "EPSG:32632")
    assert b.is_upright
    assert b.center == pytest.approx(a.center, abs=1e-12)
    assert b.pixel_km2 == pytest.approx(a.pixel_km2, rel=1e-12)


@pytest.mark.parametrize("lat", [0.0, 45.0, 60.0, 85.0, 89.9])
def test_a_geographic_pixel_has_the_area_between_its_parallels(lat):
    w = Window.of((1, 1), (0.25, 0.0, 10.0, 0.0, -0.25, lat), "EPSG:4326")
    fine = np.linspace(10, 10.25, 2001)
    lons = np.concatenate([fine, fine[::-1]])
    lats = np.concatenate([np.full(2001, lat), np.full(2001, lat - 0.25)])
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)
    assert w.pixel_km2 == pytest.approx(abs(area) / 1e6, rel=1e-6)


def test_utm_on_its_meridian_is_the_scale_factor_squared():
    w = Window.of((2, 2), (10.0, 0.0, 499990.0, 0.0, -10.0, 5200010.0), "EPSG:32632")
    assert w.pixel_km2 == pytest.approx(1e-4 / 0.9996**2, rel=1e-6)
    assert w.gsd_m == pytest.approx(10 / 0.9996, rel=1e-6)


def test_a_grid_in_grads_or_reaching_past_a_pole_has_its_true_area():
    grads = Window.of((1, 1), (0.5, 0.0, 2.0, 0.0, -0.5, 50.0), "EPSG:4807")
    assert grads.pixel_km2 == pytest.approx(belt_km2(45.0, 44.55, 0.45), rel=1e-4)
    centred = Window.of((1, 1440), (0.25, 0.0, -180.125, 0.0, -0.25, 90.125), "EPSG:4326")
    assert centred.pixel_km2 == pytest.approx(belt_km2(89.875, 90, 0.25))


def test_the_earth_has_its_area():
    assert belt_km2(-90, 90, 360) == pytest.approx(510_065_621.724, rel=1e-9)


def test_without_a_crs_there_is_no_place_but_a_shape():
    w = Window.of((4, 6), UTM32, None)
    assert w.shape == (4, 6)
    assert math.isnan(w.pixel_km2)
    assert math.isnan(w.gsd_m)
    with pytest.raises(PlaceUnknown, match="crs="):
        _ = w.center


def test_a_local_system_has_no_place_on_earth():
    with pytest.raises(PlaceUnknown, match="no place on Earth"):
        _ = Window.of((4, 6), UTM32, LOCAL).center


@pytest.mark.parametrize("affine", [(10.0, 0.0, 1e9, 0.0, -10.0, 1e9), (1.0, 0.0, 0.0, 0.0, -1.0, 200.0)])
def test_a_point_outside_the_crs_is_refused(affine):
    crs = "EPSG:32632" if affine[0] == 10 else "EPSG:4326"
    with pytest.raises(OutOfRange, match="outside the domain"):
        _ = Window.of((4, 6), affine, crs).center


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((0, 3), UTM32),
        ((3, -1), UTM32),
        ((3, 3), (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)),
        ((3, 3), (math.nan, 0.0, 1.0, 0.0, 1.0, 1.0)),
    ],
)
def test_what_is_no_rectangle_is_refused(shape, affine):
    with pytest.raises(OutOfRange):
        Window.of(shape, affine, "EPSG:32632")


@pytest.mark.parametrize("crs", ["EPSG:1", "nonsense", "", -5])
def test_what_is_no_crs_is_refused(crs):
    with pytest.raises(BadInput, match="names no coordinate system"):
        Window.of((3, 3), UTM32, crs)


def test_open_ends_of_a_crop_are_the_edges():
    w = Window.of((4, 6), UTM32, "EPSG:32632")
    assert w.crop(rows=slice(None), cols=slice(None)) == w
    assert w.crop(rows=slice(1, None), cols=slice(None, 2)).shape == (3, 2)
    with pytest.raises(OutOfRange, match="stop > start"):
        w.crop(rows=slice(2, 2), cols=slice(0, 1))


def test_a_crop_may_reach_beyond_the_edge():
    w = Window.of((4, 6), UTM32, "EPSG:32632").crop(rows=slice(-2, 5), cols=slice(-3, 1))
    assert w.shape == (7, 4)
    assert (w.affine.c, w.affine.f) == (499970.0, 5200020.0)


@pytest.mark.parametrize("factor", [0, 5, -1])
def test_a_window_cannot_be_coarsened_to_nothing(factor):
    with pytest.raises(OutOfRange, match="coarsened"):
        Window.of((4, 6), UTM32, "EPSG:32632").coarsen(factor)


def test_flip_twice_is_the_identity_and_once_keeps_the_middle():
    w = Window.of((4, 6), UTM32, "EPSG:32632")
    assert w.flip().flip() == w
    assert w.flip().center == w.center


def test_one_transformer_serves_every_window_of_a_crs():
    a = Window.of((4, 6), UTM32, "EPSG:32632").crs
    b = Window.of((9, 9), UTM32, 32632).crs
    assert a is not None
    assert b is not None
    assert _to_lonlat(a) is _to_lonlat(b)
