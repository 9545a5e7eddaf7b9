import numpy as np
import pytest

from armillary.errors import OutOfRange
from armillary.probe.fills import (
    distance_weighted,
    distance_weighted_patches,
    in_patches,
    nearest,
    nearest_patch,
    on_pixels,
    oracle,
    patch_means,
    visible_mean,
)

P = 4
SEEN = np.zeros((5, 6), dtype=bool)
SEEN[0, 0] = SEEN[2, 3] = SEEN[4, 5] = SEEN[3, 0] = True
KNOWN = on_pixels(SEEN, P)
H, W = KNOWN.shape
NOISE = np.random.default_rng(0).normal(size=(3, H, W)).astype(np.float32)  # synthetic

FILLS = {
    "visible mean": visible_mean,
    "nearest": nearest,
    "nearest patch": lambda x, known: nearest_patch(x, known, P),
    "distance": distance_weighted,
    "distance of patches": lambda x, known: distance_weighted_patches(x, known, P),
}
CONSTANT_OVER_A_PATCH = ("visible mean", "nearest patch", "distance of patches")


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_a_constant_scene_is_filled_without_error(fill) -> None:
    x = np.broadcast_to(np.float32([1.5, -2.0, 7.0])[:, None, None], NOISE.shape).copy()
    np.testing.assert_allclose(fill(x, KNOWN), x, rtol=1e-6)


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_hidden_pixels_are_not_looked_at(fill) -> None:
    other = np.where(KNOWN, NOISE, np.float32(1e6))
    hidden = ~KNOWN
    np.testing.assert_array_equal(fill(NOISE, KNOWN)[:, hidden], fill(other, KNOWN)[:, hidden])


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_a_change_of_unit_goes_through_a_fill(fill) -> None:
    gain, shift = np.float32([2, 3, -1])[:, None, None], np.float32([1, 0, 5])[:, None, None]
    np.testing.assert_allclose(fill(gain * NOISE + shift, KNOWN), gain * fill(NOISE, KNOWN) + shift, atol=2e-5)


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_a_fill_stays_between_what_is_known(fill) -> None:
    found = fill(NOISE, KNOWN)[:, ~KNOWN]
    low, high = NOISE[:, KNOWN].min(axis=1), NOISE[:, KNOWN].max(axis=1)
    assert (found >= low[:, None] - 1e-6).all()
    assert (found <= high[:, None] + 1e-6).all()


@pytest.mark.parametrize("name", CONSTANT_OVER_A_PATCH)
def test_the_oracle_has_the_least_error_of_all_that_is_constant_over_a_patch(name: str) -> None:
    hidden = ~KNOWN
    everything = np.ones_like(KNOWN)
    floor, found = oracle(NOISE, everything, P), FILLS[name](NOISE, KNOWN)
    assert ((floor - NOISE)[:, hidden] ** 2).mean() < ((found - NOISE)[:, hidden] ** 2).mean()


def test_the_error_of_the_oracle_is_the_variance_within_a_patch() -> None:
    error = (oracle(NOISE, np.ones_like(KNOWN), P) - NOISE) ** 2
    np.testing.assert_allclose(in_patches(error, P).mean(axis=-1), in_patches(NOISE, P).var(axis=-1), rtol=1e-4)


def test_the_nearest_pixel_along_a_ramp_is_off_by_the_distance_to_it() -> None:
    x = np.broadcast_to(np.arange(W, dtype=np.float32), (1, H, W)).copy()
    known = np.zeros((H, W), dtype=bool)
    known[:, :P] = True
    error = (x - nearest(x, known))[0, 0, P:]
    np.testing.assert_array_equal(error, np.arange(1, W - P + 1))


def test_the_nearest_patch_along_a_ramp_is_the_mean_of_the_first() -> None:
    x = np.broadcast_to(np.arange(W, dtype=np.float32), (1, H, W)).copy()
    known = np.zeros((H, W), dtype=bool)
    known[:, :P] = True
    np.testing.assert_allclose(nearest_patch(x, known, P), (P - 1) / 2)


def test_weights_of_distance_are_inverse_squares() -> None:
    x = np.zeros((1, 1, 5), np.float32)
    x[0, 0, 0], x[0, 0, 4] = 1.0, 11.0
    known = np.array([[True, False, False, False, True]])
    np.testing.assert_allclose(distance_weighted(x, known)[0, 0, 1], (1 * 1 + 11 / 9) / (1 + 1 / 9), rtol=1e-6)
    np.testing.assert_allclose(distance_weighted(x, known)[0, 0, 2], 6.0, rtol=1e-6)
    np.testing.assert_allclose(distance_weighted_patches(x, known, 1)[0, 0, 2], 6.0, rtol=1e-6)


def test_pixels_that_were_not_measured_count_for_no_mean() -> None:
    known = KNOWN.copy()
    known[0, :P] = False
    means, there = patch_means(NOISE, known, P)
    np.testing.assert_allclose(means[:, 0, 0], NOISE[:, 1:P, :P].mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(there, SEEN)


def test_where_nothing_is_known_a_fill_is_refused() -> None:
    with pytest.raises(OutOfRange, match="nothing is known"):
        visible_mean(NOISE, np.zeros_like(KNOWN))
