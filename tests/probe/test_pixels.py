from dataclasses import replace

import numpy as np
from tests.probe.questions import parts

from armillary.probe.answer import IGNORE, ClassMap
from armillary.probe.asked import Asked, Seen
from armillary.probe.pixels import PER_POINT, draw, maps_of, resized

RNG = np.random.default_rng(0)
N, POINTS, SIDE = 8, (4, 4), 32
ASKED = Asked(
    ClassMap(("a", "b")),
    Seen(np.zeros((N, 1), dtype=np.float32), (RNG.normal(size=(N, 3, *POINTS)).astype(np.float16),)),
    tuple(RNG.integers(0, 2, (SIDE, SIDE)) for _ in range(N)),
    parts(N),
)


def test_a_drawn_pixel_has_the_features_of_the_enlarged_map_and_its_own_truth() -> None:
    truths = tuple(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) for _ in range(N))
    asked = replace(ASKED, answer=ClassMap(tuple(map(str, range(SIDE * SIDE)))), truths=truths)
    rows = draw(asked, np.array([5]), np.random.default_rng(1))
    enlarged = resized(maps_of(asked, 5)[None], (SIDE, SIDE))[0].flatten(1).T.numpy()
    np.testing.assert_allclose(rows.x, enlarged[rows.y], atol=1e-5)


def test_an_item_gives_at_most_so_many_pixels_as_its_map_has_points_for() -> None:
    rows = draw(ASKED, np.arange(N), np.random.default_rng(1))
    assert np.bincount(rows.item).tolist() == [PER_POINT * 16] * N


def test_pixels_are_shared_out_evenly_over_the_items() -> None:
    rows = draw(ASKED, np.arange(N), np.random.default_rng(1), most=10 * N)
    assert np.bincount(rows.item).tolist() == [10] * N


def test_unknown_pixels_teach_nothing() -> None:
    hidden = np.full((SIDE, SIDE), IGNORE)
    hidden[0, :5] = 1
    rows = draw(replace(ASKED, truths=(hidden, *ASKED.truths[1:])), np.array([0]), np.random.default_rng(1))
    assert rows.y.tolist() == [1] * 5
