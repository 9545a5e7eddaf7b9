import numpy as np
import pytest
from PIL import Image

from armillary.errors import OutOfRange
from armillary.scene.majortom.thumbnail import enlarged, optical, patch_names, patches, radar, relief, signed


def test_an_optical_thumbnail_is_gain_and_gamma_of_the_counts():
    counts = np.array([0, 1, 1000, 6457, 6458, 65535], np.uint16)[None, None].repeat(3, 0)
    expected = [int(255 * min(1, 1.3 * (c / 1e4) ** 0.6)) for c in counts[0, 0].tolist()]
    assert optical(counts)[0, :, 0].tolist() == expected
    assert expected[-1] == 255


def test_red_is_the_first_band():
    counts = np.stack([np.full((2, 2), v) for v in (3000, 1000, 10)])
    assert (np.diff(optical(counts)[0, 0].astype(int)) < 0).all()


def test_a_radar_thumbnail_runs_from_its_smallest_to_its_largest_pixel():
    vv = np.array([[0.01, 0.1], [1.0, -32768.0]])
    vh = np.array([[0.001, 0.01], [0.1, -32768.0]])
    got = radar(np.stack([vv, vh]))
    assert got[..., 0].tolist() == [[0, 127], [255, 0]]
    assert got[..., 2].tolist() == [[0, 127], [255, 0]]
    assert got[..., 1].tolist() == [[0, 127], [255, 0]]


def test_green_is_the_sum_over_its_largest():
    got = radar(np.stack([np.array([[1.0, 10.0, 100.0]]), np.array([[100.0, 10.0, 1.0]])]))
    assert got[0, :, 1].tolist() == [255, 255, 255]


def test_radar_without_one_valid_pixel_is_black():
    assert radar(np.full((2, 3, 3), -32768.0)).max() == 0


def test_a_hillshade_is_bright_towards_the_north_west():
    rows, cols = np.mgrid[0:32, 0:32].astype(float)
    hill = -0.05 * np.hypot(rows - 16, cols - 16)
    shade = relief(hill)
    assert shade[8, 8, 0] > shade[24, 24, 0]
    assert (shade[..., 0] == shade[..., 2]).all()


def test_a_hillshade_knows_no_height():
    hill = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    assert np.abs(relief(hill).astype(int) - relief(hill + 512)).max() <= 1


def test_a_plane_shades_evenly():
    assert len(np.unique(relief(np.zeros((8, 8))))) == 1


def test_heights_are_enlarged_as_pillow_does():
    grey = np.random.default_rng(0).integers(0, 256, (36, 36, 1)).astype(np.uint8)
    theirs = np.asarray(Image.fromarray(grey[..., 0]).resize((107, 107), Image.Resampling.BILINEAR))
    far = np.abs(enlarged(grey, 107)[..., 0].astype(int) - theirs)
    assert far.max() <= 1
    assert (far > 0).mean() < 0.01


def test_sixteen_patches_come_from_the_middle_row_by_row():
    picture = (np.arange(1068 * 1068) % 251).astype(np.uint8).reshape(1068, 1068, 1).repeat(3, 2)
    cut = patches(picture)
    assert cut.shape == (16, 256, 256, 3)
    assert np.array_equal(cut[0], picture[22:278, 22:278])
    assert np.array_equal(cut[1], picture[22:278, 278:534])
    assert np.array_equal(cut[15], picture[790:1046, 790:1046])


def test_the_newer_picture_of_1056_px_loses_16_on_each_side():
    picture = np.random.default_rng(0).integers(0, 256, (1056, 1056, 3)).astype(np.uint8)
    assert np.array_equal(patches(picture)[0], picture[16:272, 16:272])


def test_a_picture_that_is_too_small_is_refused():
    with pytest.raises(OutOfRange, match="356"):
        patches(np.zeros((356, 356, 3), np.uint8))


def test_names_and_levels_are_those_of_the_training_files():
    assert list(patch_names("0U_1R", 2)) == ["0U_1R_0", "0U_1R_1", "0U_1R_2", "0U_1R_3"]
    got = signed(np.array([[[[0, 127, 255]]]], np.uint8))
    assert got.shape == (1, 3, 1, 1)
    assert got.ravel().tolist() == pytest.approx([-1, 127 / 127.5 - 1, 1])
