from collections.abc import Mapping
from itertools import islice

import numpy as np
import pytest
from tests.sample.places import Invented

from armillary.errors import OutOfRange
from armillary.sample.fixed import FixedDraws
from armillary.sample.sample import Sample
from armillary.sample.source import Source
from armillary.sample.stream import Stream


def _crop(samples: Mapping[str, Sample], rng: np.random.Generator) -> Mapping[str, Sample]:
    at = int(rng.integers(5))
    return {k: s.crop(rows=slice(at, at + 4), cols=slice(0, 4)) for k, s in samples.items()}


def test_a_place_has_count_draws_and_no_more() -> None:
    fixed = FixedDraws(Invented(), 3, _crop)
    seen = {fixed.draw(1, np.random.default_rng(i))["s2-l2a"].pixels.tobytes() for i in range(60)}
    assert seen == {fixed.fixed(1, n)["s2-l2a"].pixels.tobytes() for n in range(3)}
    assert len(seen) == 3


def test_a_stream_over_it_sees_known_samples_alone_in_every_epoch() -> None:
    fixed = FixedDraws(Invented(places=4), 2, _crop)
    known = {s.pixels.tobytes() for s in fixed.all()}
    drawn = [s.pixels.tobytes() for draw in islice(Stream(fixed, 4), 12) for ss in draw.samples.values() for s in ss]
    assert set(drawn) <= known
    assert len(drawn) > 3 * len(known)


def test_another_seed_gives_other_draws() -> None:
    one, other = (FixedDraws(Invented(), 1, seed=s).fixed(2, 0)["s2-l2a"].pixels for s in (0, 1))
    assert not np.array_equal(one, other)


def test_it_is_a_source() -> None:
    fixed = FixedDraws(Invented(), 2)
    assert isinstance(fixed, Source)
    assert (len(fixed), fixed.key(3), fixed.checksum()) == (7, "place-3", Invented().checksum())


@pytest.mark.parametrize("count", [0, -1])
def test_no_draws_are_refused(count: int) -> None:
    with pytest.raises(OutOfRange, match="count is 1 or more"):
        FixedDraws(Invented(), count)


def test_a_draw_beyond_the_count_is_refused() -> None:
    with pytest.raises(OutOfRange, match="draw 2 of 2"):
        FixedDraws(Invented(), 2).fixed(0, 2)
