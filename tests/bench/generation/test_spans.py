"""Every strand that a model tells has a span, or is told by classes."""

import pytest

from armillary.bench.generation.spans import is_map, is_note, is_yes_or_no, spans_of
from armillary.generate.joint import JOINT
from armillary.sample.strands import Bands, Categories


@pytest.mark.parametrize("model", JOINT)
def test_every_strand_is_a_note_has_a_span_per_channel_or_has_classes(model):
    for code in JOINT[model].codes:
        spans = spans_of(code)
        if spans is None:
            assert is_note(code) or isinstance(code, Categories)
        else:
            assert len(spans) == code.shape[0]
            assert (spans > 0).all()


def test_notes_maps_and_measurements_are_told_apart():
    codes = {c.name: c for c in JOINT["cop-gen-nano"].codes}
    assert [n for n, c in codes.items() if is_note(c)] == ["place", "date"]
    assert [n for n, c in codes.items() if is_map(c)] == ["dem", "dem-mean", "land-cover", "water"]
    assert is_yes_or_no(codes["water"])


def test_a_band_that_nobody_knows_is_named():
    with pytest.raises(ValueError, match="B99"):
        spans_of(Bands("odd", ("odd",), ("B99",), (0,), (1,), 4))
