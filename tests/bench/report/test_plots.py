from collections.abc import Callable
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.bench.synthetic_cells import CLASSES, cell, whole_run

from armillary.bench.report.cells import Line, gather, read_all
from armillary.bench.report.plots import Picture, bars, confusion, confusion_of, curves, region_map


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Line, ...]:
    return gather(read_all(whole_run(tmp_path_factory.mktemp("run")))[0])


def _toy(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(x for x in lines if x.asking.question == "toy")


def test_every_plot_is_an_svg_that_says_the_same_twice(lines: tuple[Line, ...]) -> None:
    whole = tuple(x for x in _toy(lines) if x.asking.fraction == 1)
    drawings: tuple[Callable[[], Picture | None], ...] = (
        lambda: bars(whole, {"theirs": (0.6, 0.02)}, "words"),
        lambda: curves(_toy(lines), "words"),
        lambda: confusion(whole[0], CLASSES, "words"),
        lambda: region_map(whole[0], "words"),
    )
    for draw in drawings:
        one, other = draw(), draw()
        assert one is not None
        assert one == other
        assert ET.fromstring(one.content).tag.endswith("svg")  # noqa: S314 (drawn here)


def test_counts_of_seeds_and_folds_add_up() -> None:
    (line,) = gather(cell(f"toy.{f}", seed=s, confusion=[[1, 2], [3, 4]]) for f in "12" for s in range(3))
    counts = confusion_of(line)
    assert counts is not None
    np.testing.assert_array_equal(counts, [[6, 12], [18, 24]])


def test_what_is_not_known_is_not_drawn() -> None:
    (line,) = gather([cell()])
    assert confusion(line, CLASSES, "") is None
    assert region_map(line, "") is None
    assert curves([line], "") is None


def test_a_score_without_an_interval_still_has_a_bar() -> None:
    lines = gather([cell(intervals={}), cell(encoder="unknown", value=float("nan"), intervals={})])
    assert bars(lines, {}, "").content
