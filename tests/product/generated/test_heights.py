"""Means of windows that disagree, moved to where the whole bends least."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

import armillary as arm
from armillary.generate.windows import Axis
from armillary.product.generated.heights import Blend, Side

DEMO = Path(arm.__file__).parent / "data" / "demo"
CELL = 4
ROWS, COLUMNS = (Side(Axis(cells=n, side=8, overlap=2), CELL) for n in (37, 26))
BLEND = Blend(ROWS, COLUMNS)
STARTS = tuple(tuple(start * CELL for start in side.axis.starts) for side in (ROWS, COLUMNS))
SIDE = ROWS.axis.side * CELL


@cache
def ground() -> Float[np.ndarray, "148 104"]:
    """Real elevation of a part of the Serengeti, in metres."""
    values = arm.open(str(DEMO / "dem_serengeti.tif")).to_numpy()[0]
    return values[: 37 * CELL, : 26 * CELL].astype(np.float64)


def cut(z: Float[np.ndarray, "y x"]) -> tuple[Float[np.ndarray, "r c"], Float[np.ndarray, "y x"]]:
    """The mean of each window, and what each knows beyond it, blended."""
    means = np.array([[z[r : r + SIDE, c : c + SIDE].mean() for c in STARTS[1]] for r in STARTS[0]])
    return means, z - BLEND.field(means, slice(None))


def together(means: Float[np.ndarray, "r c"], relief: Float[np.ndarray, "y x"], block: int = 50) -> np.ndarray:
    agreed = BLEND.agreed(means, lambda rows: relief[None, rows], block)
    return BLEND.field(agreed, slice(None)) + relief


def off(z: Float[np.ndarray, "y x"]) -> float:
    """Deviation from the ground, but for one height of all."""
    return float((z - ground()).std())


@pytest.mark.parametrize("wrong", [5.0, 50.0, 500.0])
def test_means_that_are_guesses_are_moved_to_a_hundredth_of_their_error(wrong: float) -> None:
    means, relief = cut(ground())
    guessed = means + np.random.default_rng(0).normal(0, wrong, means.shape)
    before = BLEND.field(guessed, slice(None)) + relief
    assert off(before) > 0.5 * wrong
    assert off(together(guessed, relief)) < max(0.01 * wrong, 0.7)


def test_means_that_agree_stay_where_they_are() -> None:
    means, relief = cut(ground())
    assert off(together(means, relief)) < 0.02 * ground().std()


def test_a_plane_stays_a_plane() -> None:
    plane = np.add.outer(3.0 * np.arange(148), -2.0 * np.arange(104))
    means, relief = cut(plane)
    np.testing.assert_allclose(together(means, relief), plane, atol=1e-6)


def test_the_height_of_the_whole_is_kept() -> None:
    means, relief = cut(ground())
    guessed = means + np.random.default_rng(0).normal(0, 50, means.shape)
    added = BLEND.field(BLEND.agreed(guessed, lambda rows: relief[None, rows], 50) - guessed, slice(None))
    assert abs(added.mean()) < 1e-6


def test_the_answer_is_that_of_a_dense_ridge() -> None:
    means, relief = cut(ground())
    guessed = means + np.random.default_rng(0).normal(0, 5, means.shape)
    z = relief + BLEND.field(guessed, slice(None))

    def bends(x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.diff(x, n=2, axis=axis).ravel() for axis in (0, 1)])

    fields = [BLEND.field(one.reshape(means.shape), slice(None)) for one in np.eye(means.size)]
    a, f = np.stack([bends(x) for x in fields], axis=1), np.stack([x.ravel() for x in fields], axis=1)
    n = means.size - 1
    found = a @ np.linalg.lstsq(a, bends(z), rcond=None)[0]
    s = ((bends(z) - found) ** 2).sum() / (len(a) - n)
    modes = np.linalg.eigvals(np.linalg.solve(f.T @ f, a.T @ a)).real.sum()
    v = ((found**2).sum() - n * s) / modes
    moved = np.linalg.solve(a.T @ a + s / v * f.T @ f, -a.T @ bends(z)).reshape(means.shape)
    agreed = BLEND.agreed(guessed, lambda rows: relief[None, rows], 1000)
    np.testing.assert_allclose(agreed, guessed + moved, atol=1e-6)


@pytest.mark.parametrize("block", [1, 7, 148])
def test_rows_are_read_some_at_a_time_with_one_result(block: int) -> None:
    means, relief = cut(ground())
    guessed = means + np.random.default_rng(0).normal(0, 5, means.shape)
    np.testing.assert_allclose(together(guessed, relief, block), together(guessed, relief), atol=1e-8)


def test_windows_that_share_nothing_agree_as_well() -> None:
    side = Side(Axis(cells=24, side=8, overlap=0), CELL)
    blend, z = Blend(side, side), ground()[:96, :96]
    means = z.reshape(3, SIDE, 3, SIDE).mean(axis=(1, 3))
    relief = z - blend.field(means, slice(None))
    guessed = means + np.random.default_rng(0).normal(0, 50, means.shape)
    agreed = blend.agreed(guessed, lambda rows: relief[None, rows], 50)
    assert np.std(agreed - means) < 5


def test_one_window_keeps_what_it_was_told() -> None:
    side = Side(Axis(cells=8, side=8, overlap=2), CELL)
    told = np.full((1, 1), 1234.5)
    assert Blend(side, side).agreed(told, lambda rows: np.zeros((1, 32, 32))[:, rows], 50) == told
