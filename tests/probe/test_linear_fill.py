import numpy as np
import pytest
from jaxtyping import Float

from armillary.errors import OutOfRange
from armillary.probe.fills import nearest, on_pixels, visible_mean
from armillary.probe.linear_fill import Clues, LinearFill

P = 4
EVERYTHING = np.ones((5 * P, 5 * P), dtype=bool)


def mask(rng: np.random.Generator) -> np.ndarray:
    seen = np.zeros(25, dtype=bool)
    seen[rng.permutation(25)[:8]] = True
    return on_pixels(seen.reshape(5, 5), P)


def scene(rng: np.random.Generator) -> Float[np.ndarray, "1 h w"]:
    """Synthetic: a slope of random steepness and level, plus a little noise."""
    row, col = np.mgrid[: 5 * P, : 5 * P] / (5 * P)
    a, b, c = rng.normal(size=3)
    return (a * row + b * col + c + 0.02 * rng.normal(size=row.shape))[None].astype(np.float32)


def fitted(clues: Clues, count: int = 150) -> LinearFill:
    fill = LinearFill(clues, P)
    rng = np.random.default_rng(1)
    for _ in range(count):
        fill.add(scene(rng), mask(rng), EVERYTHING, ["B"])
    return fill


def error(fill, seeds: range) -> float:
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        x, known = scene(rng), mask(rng)
        found.append(float(((fill(x, known) - x)[:, ~known] ** 2).mean()))
    return float(np.mean(found))


@pytest.mark.parametrize("clues", ["mean", "means", "edges"])
def test_constant_scenes_are_told_without_error(clues: Clues) -> None:
    fill, rng = LinearFill(clues, P), np.random.default_rng(0)
    for _ in range(20):
        fill.add(np.full((1, 5 * P, 5 * P), rng.normal(), np.float32), mask(rng), EVERYTHING, ["B"])
    x = np.full((1, 5 * P, 5 * P), 1.25, np.float32)
    np.testing.assert_allclose(fill(x, mask(rng), ["B"]), x, atol=1e-3)


def test_slopes_are_told_better_the_more_is_looked_at() -> None:
    test = range(1000, 1040)
    fills = {clues: fitted(clues) for clues in ("mean", "means", "edges")}
    mean, means, edges = (error(lambda x, known, f=f: f(x, known, ["B"]), test) for f in fills.values())
    assert edges < means < mean
    assert edges < error(nearest, test)
    assert mean < 1.05 * error(visible_mean, test)


def test_hidden_pixels_are_not_looked_at() -> None:
    fill, rng = fitted("edges", 10), np.random.default_rng(3)
    x, known = scene(rng), mask(rng)
    np.testing.assert_array_equal(fill(np.where(known, x, np.float32(9)), known, ["B"]), fill(x, known, ["B"]))


def test_order_of_crops_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    crops = [(scene(rng), mask(rng)) for _ in range(12)]
    there, back = LinearFill("means", P), LinearFill("means", P)
    for crop in crops:
        there.add(*crop, EVERYTHING, ["B"])
    for crop in reversed(crops):
        back.add(*crop, EVERYTHING, ["B"])
    np.testing.assert_allclose(there(*crops[0], ["B"]), back(*crops[0], ["B"]), atol=1e-5)


def test_patches_that_are_not_wholly_measured_teach_nothing() -> None:
    rng = np.random.default_rng(6)
    fill = LinearFill("mean", P)
    fill.add(scene(rng), mask(rng), np.zeros_like(EVERYTHING), ["B"])
    with pytest.raises(OutOfRange, match="nothing was learned of B"):
        fill(scene(rng), mask(rng), ["B"])
