"""Layers: every pixel of the grid takes the value of the ground under its centre."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from tests.scene.synthetic.rasters import RGB, counts, quiet, write

from armillary.errors import SceneUnreadable


def ground(path: Path, size: int, n: int, shift: int) -> Path:
    """A band whose count is its metres east of 595 km, on pixels of `size` metres that begin `shift` metres earlier."""
    affine = Affine(size, 0, 600000 - shift, 0, -size, 5300000 + shift)
    x = affine.c + size * (np.arange(n) + 0.5) - 595000
    return write(path, np.broadcast_to(x.astype("uint16"), (1, n, n)).copy(), transform=affine)


@pytest.mark.parametrize(("n", "shift"), [(20, 0), (21, 20), (21, 40), (20, 50)])
def test_a_coarse_grid_that_does_not_meet_the_fine_one_keeps_its_place(tmp_path: Path, n: int, shift: int) -> None:
    ground(tmp_path / "l2a" / "B02.tif", 10, 120, 0)
    ground(tmp_path / "l2a" / "B01.tif", 60, n, shift)
    scene = quiet(tmp_path / "l2a", offset=0)
    apart_m = (scene.sel(band="B01") - scene.sel(band="B02")).values * 1e4
    assert np.nanmax(np.abs(apart_m)) <= 30.01  # half a coarse pixel
    covered = min(120, (60 * n - shift) // 10)
    assert np.isfinite(apart_m[:covered, :covered]).all()
    assert np.isnan(apart_m[covered:]).all()


def test_a_crop_of_such_a_grid_equals_the_scene_cropped(tmp_path: Path) -> None:
    ground(tmp_path / "l2a" / "B02.tif", 10, 120, 0)
    ground(tmp_path / "l2a" / "B01.tif", 60, 20, 50)
    whole = quiet(tmp_path / "l2a", offset=0).values
    crop = quiet(tmp_path / "l2a", offset=0).isel(y=slice(7, 119), x=slice(100, 120)).values
    np.testing.assert_array_equal(crop, whole[:, 7:119, 100:])


def test_a_file_replaced_by_a_smaller_one_is_noticed(tmp_path: Path) -> None:
    file = write(tmp_path / "x_l2a.tif", counts(3, 600, 600), RGB)
    scene = quiet(file)
    write(file, counts(3, 20, 20), RGB)
    with pytest.raises(SceneUnreadable, match="open it again"):
        _ = scene.isel(x=slice(500, 505)).values
