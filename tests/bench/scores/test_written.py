import numpy as np
import pytest
from tests.bench.scores.answered import ANSWERS, answered

from armillary.bench.scores.measures import bootstrap, measures
from armillary.bench.scores.sums import total, zero
from armillary.bench.scores.written import from_json, from_npz, to_json, to_npz
from armillary.probe.answer import Answer

every_answer = pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: type(a).__name__)


@every_answer
def test_sums_read_from_text_have_the_same_scores_to_the_last_bit(answer: Answer) -> None:
    some = total(answered(answer).per_item)
    assert measures(answer, from_json(to_json(some))) == measures(answer, some)


@every_answer
def test_sums_of_items_read_from_bytes_have_the_same_intervals(answer: Answer) -> None:
    items = answered(answer, items=8).per_item
    again = from_npz(to_npz(items))
    assert len(again) == 8
    one, two = (bootstrap(answer, some, None, np.random.default_rng(0), 20) for some in (items, again))
    np.testing.assert_equal({n: repr(i) for n, i in one.items()}, {n: repr(i) for n, i in two.items()})


@every_answer
def test_sums_of_nothing_are_written_and_read(answer: Answer) -> None:
    assert from_npz(to_npz([])) == ()
    nothing = zero(answer)
    np.testing.assert_equal(measures(answer, from_json(to_json(nothing))), measures(answer, nothing))
    (again,) = from_npz(to_npz([nothing]))
    np.testing.assert_equal(measures(answer, again), measures(answer, nothing))
