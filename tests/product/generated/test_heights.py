"""Means of windows that disagree, moved to where the whole bends least: in the geometry of `cop-gen-nano`."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Bool, Float

import armillary as arm
from armillary.generate.windows import Axis
from armillary.product.generated.heights import Blend, Side

DEMO = Path(arm.__file__).parent / "data" / "demo"
CELL = 4
SIDE = 8 * CELL
ROWS, COLUMNS = (Side(Axis(cells=n, side=8, overlap=2), CELL) for n in (28, 23))
BLEND = Blend(ROWS, COLUMNS)
STARTS = tuple(tuple(start * CELL for start in side.axis.starts) for side in (ROWS, COLUMNS))
WHOLE = slice(None)
ALL = np.ones((28 * CELL, 23 * CELL), bool)


@cache
def ground() -> Float[np.ndarray, "112 92"]:
    """Real elevation of a part of the Serengeti in pixels of 20 m, in metres."""
    values = arm.open(str(DEMO / "dem_serengeti.tif")).to_numpy()[0].astype(np.float64)
    return values.reshape(112, 2, 112, 2).mean(axis=(1, 3))[:, : 23 * CELL]


def cut(z: Float[np.ndarray, "y x"]) -> tuple[Float[np.ndarray, "r c"], Float[np.ndarray, "y x"]]:
    """The mean of each window, and what each knows beyond it, blended."""
    means = np.array([[z[r : r + SIDE, c : c + SIDE].mean() for c in STARTS[1]] for r in STARTS[0]])
    return means, z - BLEND.field(means, WHOLE)


def guessed(means: Float[np.ndarray, "r c"], wrong: float) -> Float[np.ndarray, "r c"]:
    return means + np.random.default_rng(0).normal(0, wrong, means.shape)


def agreed(
    means: Float[np.ndarray, "r c"],
    relief: Float[np.ndarray, "y x"],
    known: Bool[np.ndarray, "y x"] = ALL,
    block: int = 50,
) -> Float[np.ndarray, "r c"]:
    return BLEND.agreed(means, lambda rows: relief[None, rows], lambda rows: known[rows], block)


def together(
    means: Float[np.ndarray, "r c"],
    relief: Float[np.ndarray, "y x"],
    known: Bool[np.ndarray, "y x"] = ALL,
    block: int = 50,
) -> Float[np.ndarray, "y x"]:
    return BLEND.field(agreed(means, relief, known, block), WHOLE) + relief


def off(z: Float[np.ndarray, "y x"], known: Bool[np.ndarray, "y x"] = ALL) -> float:
    """Deviation from the ground, but for one height of all."""
    return float((z - ground())[known].std())


@pytest.mark.parametrize("wrong", [10.0, 50.0, 500.0])
def test_means_that_are_guesses_are_moved_to_within_metres_of_each_other(wrong: float) -> None:
    means, relief = cut(ground())
    assert off(BLEND.field(guessed(means, wrong), WHOLE) + relief) > 0.5 * wrong
    assert off(together(guessed(means, wrong), relief)) < 1.0


def test_means_that_agree_stay_nearly_where_they_are() -> None:
    means, relief = cut(ground())
    assert off(together(means, relief)) < 0.1 * ground().std()


def test_a_plane_stays_a_plane() -> None:
    plane = np.add.outer(3.0 * np.arange(112), -2.0 * np.arange(92))
    means, relief = cut(plane)
    np.testing.assert_allclose(together(means, relief), plane, atol=1e-6)


def holed() -> Bool[np.ndarray, "112 92"]:
    """The east of the scene and a rectangle are unknown."""
    known = ALL.copy()
    known[:, 50:] = False
    known[20:60, 10:30] = False
    return known


@pytest.mark.parametrize("known", [ALL, holed()])
def test_the_mean_height_of_measured_ground_is_as_it_was_told(known: Bool[np.ndarray, "y x"]) -> None:
    means, relief = cut(ground())
    told = guessed(means, 50)
    added = BLEND.field(agreed(told, relief, known) - told, WHOLE)
    assert abs(added[known].mean()) < 1e-6
    assert abs(added[known]).max() > 5


def test_what_is_made_of_unmeasured_ground_moves_nothing() -> None:
    means, relief = cut(ground())
    known, rng = holed(), np.random.default_rng(1)
    other = np.where(known, relief, rng.normal(0, 1000, relief.shape))
    sees = np.array([[known[r : r + SIDE, c : c + SIDE].any() for c in STARTS[1]] for r in STARTS[0]])
    told = guessed(means, 50)
    wild = np.where(sees, told, 1e4)
    assert not sees.all()
    np.testing.assert_allclose(
        together(told, relief, known)[known], together(wild, other, known)[known], rtol=0, atol=1e-6
    )
    assert off(together(told, relief, known), known) < 1.5


@pytest.mark.parametrize("known", [ALL, holed()])
def test_the_answer_is_that_of_a_dense_ridge(known: Bool[np.ndarray, "y x"]) -> None:
    means, relief = cut(ground())
    told = guessed(means, 5)
    z = relief + BLEND.field(told, WHOLE)

    def bends(x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.diff(x, n=2, axis=axis).ravel() for axis in (0, 1)])

    inside = np.concatenate([
        (known[:-2] & known[1:-1] & known[2:]).ravel(), (known[:, :-2] & known[:, 1:-1] & known[:, 2:]).ravel(),
    ])  # fmt: skip
    a = np.stack([bends(BLEND.field(one.reshape(means.shape), WHOLE))[inside] for one in np.eye(means.size)], axis=1)
    c = bends(z)[inside]
    windows = int((np.abs(a).max(axis=0) > 0).sum()) - 1
    held = ((a @ np.linalg.lstsq(a, c, rcond=1e-5)[0]) ** 2).sum()
    s = ((c**2).sum() - held) / (len(a) - windows)
    v = (held - windows * s) / (a**2).sum()
    moved = np.linalg.solve(a.T @ a + s / v * np.eye(means.size), -a.T @ c).reshape(means.shape)
    moved -= BLEND.field(moved, WHOLE)[known].mean()
    np.testing.assert_allclose(agreed(told, relief, known, 1000), told + moved, rtol=0, atol=1e-3)


@pytest.mark.parametrize("block", [1, 7, 112])
def test_rows_are_read_some_at_a_time_with_one_result(block: int) -> None:
    means, relief = cut(ground())
    told, known = guessed(means, 5), holed()
    np.testing.assert_allclose(together(told, relief, known, block), together(told, relief, known), atol=1e-6)


def test_windows_that_share_nothing_agree_as_well() -> None:
    side = Side(Axis(cells=16, side=8, overlap=0), CELL)
    blend, z = Blend(side, side), ground()[:64, :64]
    means = z.reshape(2, SIDE, 2, SIDE).mean(axis=(1, 3))
    relief = z - blend.field(means, WHOLE)
    found = blend.agreed(guessed(means, 50), lambda rows: relief[None, rows], lambda rows: ALL[rows, :64], 50)
    assert np.std(found - means) < 5


def test_one_window_keeps_what_it_was_told() -> None:
    side = Side(Axis(cells=8, side=8, overlap=2), CELL)
    told = np.full((1, 1), 1234.5)
    assert Blend(side, side).agreed(told, lambda r: np.zeros((1, 32, 32))[:, r], lambda r: ALL[r, :32], 50) == told
