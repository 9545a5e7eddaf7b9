"""Verify: what was changed by hand is found, however small its unit is; what cancels out is not held against anyone."""

import json

import pytest
from tests.bench.generation.test_run import course
from tests.bench.generation.test_run import finished as finished  # noqa: PLC0414 (a fixture)

from armillary.bench.generation.cell import read_cell
from armillary.bench.generation.verify import verify


def changed(finished, tmp_path, part, factor, shift=0.0):
    """The verdict on a told cell, one of whose numbers was changed."""
    folder, cells = finished
    path = next(c for c in cells if c.question.kind == "told" and c.question.given).write(tmp_path)
    found = json.loads(path.read_text())
    values = found["numbers"]["fidelity"]["expected"]["s2-l2a"][part]
    values[0] = values[0] * factor + shift
    path.write_text(json.dumps(found))
    return verify(course(folder), read_cell(path))


def test_an_error_in_reflectance_that_was_made_smaller_by_two_percent_is_found(finished, tmp_path):
    verdict = changed(finished, tmp_path, "mae", 0.98)
    assert list(verdict.differences) == ["/fidelity/expected/s2-l2a/mae/0"]


@pytest.mark.parametrize(("part", "shift"), [("mae", 0.0), ("mae", 1e-6), ("level", 1e-6), ("correlation", 1e-4)])
def test_rounding_is_no_difference(finished, tmp_path, part, shift):
    verdict = changed(finished, tmp_path, part, 1.0, shift)
    assert verdict.agrees
