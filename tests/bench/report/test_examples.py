from pathlib import Path

import numpy as np
import pytest
from tests.bench.synthetic_cells import cell, write_examples

from armillary.bench.report.examples import MOST, Examples, draw_examples, read_examples
from armillary.errors import SceneUnreadable
from armillary.probe.answer import IGNORE, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap


def test_examples_lie_beside_the_cells_and_only_a_few_are_read(tmp_path: Path) -> None:
    write_examples(tmp_path / "examples" / "x.npz", items=MOST + 3)
    examples = read_examples(tmp_path, cell(examples="examples/x.npz"))
    assert examples is not None
    assert len(examples.pixels) == len(examples.truths) == len(examples.keys) == MOST


def test_a_damaged_file_of_examples_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(SceneUnreadable, match=r"x\.npz"):
        read_examples(tmp_path, cell(examples="x.npz"))


@pytest.mark.parametrize(
    ("answer", "truths", "predictions"),
    [
        (OneOf(("a", "b")), np.array([0, 1]), np.array([1, 1])),
        (AnyOf(("a", "b")), np.array([[True, False]] * 2), np.full((2, 2), 0.7)),
        (ClassMap(("a", "b")), np.full((2, 8, 8), IGNORE), np.zeros((2, 8, 8), dtype=np.int64)),
        (Value("m"), np.array([1.0, np.nan]), np.array([1.5, 2.0])),
        (ValueMap("m"), np.arange(128.0).reshape(2, 8, 8), np.zeros((2, 8, 8))),
    ],
)
def test_every_kind_of_answer_can_be_drawn(answer: Answer, truths: np.ndarray, predictions: np.ndarray) -> None:
    pixels = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    picture = draw_examples(Examples(pixels, truths, predictions, ("x", "y")), answer, "words")
    assert picture.content.startswith(b"\x89PNG")


def test_flat_and_empty_patches_have_nothing_to_look_at() -> None:
    flat = Examples(np.full((2, 8, 8, 3), 0.4, dtype=np.float32), np.zeros(2), np.zeros(2), ("x", "y"))
    assert not flat.has_texture
    pixels = flat.pixels.copy()
    pixels[1, 3, 3] = 0.9
    assert Examples(pixels, flat.truths, flat.predictions, flat.keys).has_texture
