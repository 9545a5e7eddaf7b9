"""Floors: closed forms, on synthetic items."""

import numpy as np
import pytest

from armillary.bench.generation.floors import (
    Linear,
    around_pixel,
    copy_floor,
    mean_floor,
    nearest_floor,
    own_mean,
    own_pixel,
    regrid,
)
from armillary.errors import BadInput


def items(count=6, seed=0):
    """`y` is a linear map of `x` pixel by pixel, on half its grid."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        x = rng.standard_normal((2, 16, 16)).astype(np.float32)
        y = regrid(x, 8)
        yield {
            "x": x,
            "y": np.stack([2 * y[0] - y[1] + 3, 5 * y[1]]),
            "z": np.full((1, 1, 1), rng.random(), np.float32),
        }


def test_the_mean_is_over_known_pixels_of_all_items():
    pair = [{"y": np.full((1, 4, 4), 1.0, np.float32)}, {"y": np.full((1, 4, 4), 4.0, np.float32)}]
    pair[1]["y"][0, 0] = np.nan
    told = mean_floor(pair, "y")(pair[0])
    np.testing.assert_allclose(told, (16 * 1 + 12 * 4) / 28)
    np.testing.assert_allclose(own_mean(pair[1], "y"), 4.0)


def test_a_linear_map_is_found():
    fitted = Linear.fit(items(), "y", own_pixel(("x", "z")))
    other = next(items(1, seed=9))
    np.testing.assert_allclose(fitted(other, 8), other["y"], atol=0.02)


def test_a_channel_that_is_never_known_is_told_as_unknown_and_leaves_the_others_alone():
    broken = [{**i, "y": np.stack([i["y"][0], np.full((8, 8), np.nan, np.float32)])} for i in items()]
    told = Linear.fit(broken, "y", own_pixel(("x",)))(next(items(1, seed=9)), 8)
    np.testing.assert_allclose(told[0], next(items(1, seed=9))["y"][0], atol=0.02)
    assert np.isnan(told[1]).all()


def test_an_unknown_clue_makes_an_unknown_answer_only_there():
    fitted, other = Linear.fit(items(), "y", own_pixel(("x",))), next(items(1, seed=9))
    other["x"][0, :2, :2] = np.nan
    assert np.argwhere(np.isnan(fitted(other, 8)[0])).tolist() == [[0, 0]]


def test_the_likest_item_is_told():
    known = list(items())
    tell = nearest_floor(known, ("x",), "y")
    for item in known:
        noisy = {"x": item["x"] + 0.05 * np.random.default_rng(1).standard_normal(item["x"].shape).astype(np.float32)}
        np.testing.assert_array_equal(tell(noisy), item["y"])


def test_a_copy_is_the_channels_asked_for():
    item = next(items(1))
    np.testing.assert_array_equal(copy_floor("x", (1, 0))(item), item["x"][::-1])


def test_there_are_fourteen_clues_of_each_channel_and_they_are_what_they_say():
    item = next(items(1))
    clues = around_pixel(("x",))(item, 16)
    assert clues.shape == (28, 16, 16)
    np.testing.assert_allclose(clues[0], item["x"][0], rtol=1e-6)
    np.testing.assert_allclose(clues[1, 5, 6], item["x"][0, 4:7, 5:8].mean(), rtol=1e-4)
    np.testing.assert_allclose(clues[2, 5, 6], item["x"][0, 4:7, 5:8].std(), rtol=1e-3)
    assert clues[11, 8, 8] == item["x"][0, 6:11, 6:11].max()
    assert clues[12, 8, 8] == item["x"][0, 6:11, 6:11].min()
    np.testing.assert_allclose(clues[1, 0, 0], item["x"][0, :2, :2].mean(), rtol=1e-4)


@pytest.mark.parametrize("side", [1, 4, 16, 48])
def test_a_flat_picture_stays_flat_on_any_grid(side):
    np.testing.assert_allclose(
        regrid(np.full((2, 16, 16), 0.7, np.float32), side), np.full((2, side, side), 0.7), rtol=1e-6
    )


def test_what_cannot_be_is_refused():
    with pytest.raises(BadInput, match="16 pixels cannot be laid on 6"):
        regrid(np.zeros((1, 16, 16), np.float32), 6)
    with pytest.raises(BadInput, match="no item was given"):
        nearest_floor([], ("x",), "y")
    with pytest.raises(BadInput, match="no item was given to take the mean"):
        mean_floor([], "y")
    with pytest.raises(BadInput, match="no pixel of y is known"):
        Linear.fit([], "y", own_pixel(("x",)))
