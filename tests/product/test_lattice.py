import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.earth.fleet import sensors
from armillary.errors import OutOfRange
from armillary.product.lattice import Axis, Lattice


@given(st.integers(1, 200), st.integers(1, 15), st.integers(0, 14))
def test_the_shares_of_every_token_add_up_to_one(tokens: int, chip: int, overlap: int) -> None:
    chip = min(chip, tokens)
    axis = Axis(tokens, chip, min(overlap, chip - 1))
    total = np.zeros(tokens)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        assert weights.min() > 0
        total[start : start + chip] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from(sorted(sensors)))
def test_chips_cover_the_scene_and_never_reach_a_patch_beyond(h: int, w: int, name: str) -> None:
    lattice = Lattice.of((h, w), sensors[name])
    p = sensors[name].patch_px
    first, last = lattice[0], lattice[len(lattice) - 1]
    assert first.rows.start == first.cols.start == 0
    assert h <= last.rows.stop < h + p
    assert w <= last.cols.stop < w + p
    for axis in (lattice.rows, lattice.cols):
        assert all(b - a <= axis.chip for a, b in zip(axis.starts, axis.starts[1:], strict=False))


def test_the_lattice_of_a_taller_scene_begins_the_same() -> None:
    short, tall = (Lattice.of((h, 500), sensors["s2-l2a"]) for h in (1000, 1500))
    assert short.rows.starts[:-1] == tall.rows.starts[: len(short.rows.starts) - 1]


def test_an_overlap_that_is_no_whole_patch_is_refused() -> None:
    with pytest.raises(OutOfRange, match="multiple of 16 px from 0 to 208"):
        Lattice.of((500, 500), sensors["s2-l2a"], 20)
