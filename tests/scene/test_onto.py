from dataclasses import replace

import numpy as np
import pytest

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import PlaceUnknown
from armillary.scene.onto import onto
from armillary.scene.s5p.l3 import Held
from armillary.scene.scene import Scene


def scene(values: np.ndarray, window: Window) -> Scene:
    return Scene("made.tif", sensors["dem"], window, None, Held(values.astype(np.float32)), {})


UTM = Window.of((40, 50), (10.0, 0.0, 600000.0, 0.0, -10.0, 5300000.0), "EPSG:32632")
PLANE = np.add.outer(3.0 * np.arange(40), 2.0 * np.arange(50))


def test_an_aligned_grid_is_copied_with_nothing_beyond_the_edge():
    got = onto(scene(PLANE, UTM), UTM.crop(rows=slice(-2, 10), cols=slice(45, 55)))[0]
    assert np.isnan(got[:2]).all()
    assert np.isnan(got[:, 5:]).all()
    assert np.array_equal(got[2:, :5], PLANE[:10, 45:])


def test_a_finer_grid_of_a_plane_is_the_plane():
    fine = Window.of((40, 40), (5.0, 0.0, 600100.0, 0.0, -5.0, 5299900.0), "EPSG:32632")
    rows, cols = np.mgrid[0:40, 0:40]
    expected = 3 * (10 + (rows + 0.5) / 2 - 0.5) + 2 * (10 + (cols + 0.5) / 2 - 0.5)
    assert np.allclose(onto(scene(PLANE, UTM), fine)[0], expected, atol=1e-3)


def test_a_coarser_grid_holds_averages():
    got = onto(scene(PLANE, UTM), UTM.coarsen(10))[0]
    assert np.allclose(got, PLANE.reshape(4, 10, 5, 10).mean(axis=(1, 3)), atol=1e-3)


def test_another_projection_keeps_the_place():
    lon, lat = UTM.center
    step = 10 / 111_195
    box = Window.of((10, 10), (step, 0, lon - 5 * step, 0, -step, lat + 5 * step), "EPSG:4326")
    assert onto(scene(PLANE, UTM), box)[0].mean() == pytest.approx(PLANE.mean(), abs=2.0)


def test_a_grid_elsewhere_is_empty():
    far = Window.of((4, 4), (1.0, 0.0, 100.0, 0.0, -1.0, 0.0), "EPSG:4326")
    assert np.isnan(onto(scene(PLANE, UTM), far)).all()


def test_a_scene_without_a_place_is_refused():
    nowhere = replace(scene(PLANE, UTM), window=Window.of((40, 50), (1, 0, 0, 0, -1, 0), None))
    with pytest.raises(PlaceUnknown, match=r"made\.tif has no CRS"):
        onto(nowhere, UTM)
