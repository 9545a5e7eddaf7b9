import pytest

from armillary.earth.legend import CLASSES, COLOURS, LEGENDS, Legend, find_legend
from armillary.errors import BadInput


def test_every_legend_reaches_classes_of_dynamic_world_alone() -> None:
    assert len(CLASSES) == len(COLOURS) == 9
    for legend in LEGENDS.values():
        assert set(legend.codes.values()) <= set(range(9))


def test_worldcover_is_mapped_as_the_specification_says() -> None:
    wanted = {10: 1, 20: 5, 30: 2, 40: 4, 50: 6, 60: 7, 70: 8, 80: 0, 90: 3, 95: 3, 100: 7}
    assert dict(LEGENDS["worldcover"].codes) == wanted


def test_terramesh_is_esris_legend_numbered_without_gaps() -> None:
    esri = LEGENDS["esri"]
    second = (1, 2, 4, 5, 7, 8, 9, 10, 11)  # codes of Esri's second edition, in order
    renumbered = {i + 1: esri.codes[c] for i, c in enumerate(second) if c in esri.codes}
    assert renumbered == dict(LEGENDS["terramesh"].codes)


def test_another_class_for_one_code_leaves_the_others_and_the_table() -> None:
    changed = LEGENDS["worldcover"].changed({95: 1, 100: 2})
    assert (changed.codes[95], changed.codes[100], changed.codes[90]) == (1, 2, 3)
    assert LEGENDS["worldcover"].codes[95] == 3
    assert LEGENDS["esri"].changed({11: 2}).unsorted == (10,)


def test_a_code_with_two_meanings_or_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="two meanings"):
        Legend("x", {1: 0}, empty=(1,))
    with pytest.raises(BadInput, match="one class, 0 to 8"):
        Legend("x", {1: 9})
    with pytest.raises(BadInput, match="no legend is called 'corine'; known are dynamic-world"):
        find_legend("corine")
