import numpy as np
import pytest

from armillary.bench.archives.corine import CLASS_OF, CLASSES, DROPPED, labels_of
from armillary.errors import BadInput


def test_43_names_make_19_classes() -> None:
    assert (len(CLASSES), len(CLASS_OF) + len(DROPPED), len(set(CLASS_OF) & set(DROPPED))) == (19, 43, 0)
    assert set(CLASS_OF.values()) == set(CLASSES)


def test_two_names_of_one_class_are_one_label() -> None:
    assert labels_of(["Rice fields", "Permanently irrigated land"]).sum() == 1


def test_names_are_read_in_any_order() -> None:
    names = ["Pastures", "Mixed forest", "Airports"]
    np.testing.assert_array_equal(labels_of(names), labels_of(names[::-1]))


def test_a_strange_name_is_named() -> None:
    with pytest.raises(BadInput, match="Moon"):
        labels_of(["Moon"])
