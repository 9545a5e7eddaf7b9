from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

import armillary as arm
from armillary.earth.window import Window
from armillary.product.preview import LONGEST_PX, pca_rgb, plain, quicklook, rgb

MakeScene = Callable[..., xr.DataArray]
DEMO = Path(arm.__file__).parent / "data" / "demo"


def test_alike_tokens_get_the_same_colour_and_missing_ones_none() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(3, 16)).astype(np.float32)
    which = rng.integers(0, 3, (20, 30))
    grid = np.moveaxis(kinds[which], 2, 0).copy()
    grid[:, 0, 0] = np.nan
    which[0, 0] = -1
    picture = pca_rgb(grid)
    assert picture.shape == (20, 30, 4)
    assert picture[0, 0, 3] == 0
    colours = [np.unique(picture[which == k], axis=0) for k in range(3)]
    assert [len(c) for c in colours] == [1, 1, 1]
    assert len(np.unique(np.concatenate(colours), axis=0)) == 3


@pytest.mark.parametrize("name", ["s2_l2a_serengeti.tif", "s2_l1c_virginia.tif", "s1_rtc_serengeti.tif"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_real_scenes_make_pictures_with_contrast(name: str) -> None:
    array = arm.open(DEMO / name)
    picture = rgb(array)
    assert picture.shape == (array.sizes["y"], array.sizes["x"], 4)
    assert picture[..., :3].std() > 15
    assert (picture[..., 3] == 255).mean() > 0.9


def test_a_large_scene_is_averaged_down(make_scene: MakeScene) -> None:
    picture = rgb(make_scene((1500, 2100)))
    assert picture.shape == (500, 700, 4)
    assert max(picture.shape) <= LONGEST_PX


def test_a_quicklook_is_a_png_with_its_text_around_it(tmp_path: Path) -> None:
    picture = np.zeros((40, 60, 4), np.uint8)
    window = Window.of((40, 60), (160.0, 0.0, 5e5, 0.0, -160.0, 5.2e6), "EPSG:32632")
    path = quicklook(tmp_path / "q.png", picture, window, title="a title", legend={"model": "tiny"})
    drawn = imread(path)
    assert drawn.shape[1] > 1000
    assert drawn[..., :3].min() < 0.2


def test_a_plain_picture_repeats_each_pixel_alike(tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
    drawn = (imread(plain(tmp_path / "p.png", small, about_px=20)) * 255).round().astype(np.uint8)
    assert drawn.shape == (12, 20, 4)
    np.testing.assert_array_equal(drawn[::4, ::4], small)
    np.testing.assert_array_equal(drawn[3::4, 3::4], small)
