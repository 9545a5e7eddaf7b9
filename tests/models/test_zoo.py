from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import armillary as arm
from armillary.errors import BadInput, VectorMissing, WeightsMissing
from armillary.models import zoo
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import CopernicusFMConfig, Quirks
from armillary.models.weights import official_state, save

DEM = arm.Named("Copernicus Digital Elevation Model")


@pytest.fixture
def tiny_zoo(monkeypatch: pytest.MonkeyPatch, tiny_config: CopernicusFMConfig) -> None:
    monkeypatch.setattr(zoo, "ZOO", {"tiny": tiny_config})


@pytest.fixture
def official_like(tiny: CopernicusFM, tmp_path: Path) -> Path:
    """Random weights under exactly the official keys."""
    save(tiny, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def _heights() -> arm.Batch:
    return arm.Batch(torch.zeros(1, 1, 32, 32), (DEM,))


def test_default_weights_that_do_not_ship_are_said_not_to_ship() -> None:
    with pytest.raises(WeightsMissing, match=r"CopernicusFM_ViT_base_varlang_e100.pth.*weights=None for random ones"):
        arm.load_model("copernicus-fm-base")


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="copernicus-fm-base"):
        arm.load_model("copernicus-fm-gigantic", weights=None)


def test_a_loaded_model_is_in_eval_mode(tiny_zoo: None, official_like: Path) -> None:
    assert not arm.load_model("tiny", weights=official_like).training
    assert not arm.load_model("tiny", weights=None).training


def test_random_weights_know_the_fleets_named_bands_by_sentence(tiny_zoo: None) -> None:
    with torch.inference_mode():
        assert torch.isfinite(arm.load_model("tiny", weights=None)(_heights()).pooled).all()


def test_official_weights_refuse_the_sentence_route_unless_asked(tiny_zoo: None, official_like: Path) -> None:
    with pytest.raises(VectorMissing):
        arm.load_model("tiny", weights=official_like)(_heights())
    asked = arm.load_model("tiny", weights=official_like, sentence_route=True)
    with torch.inference_mode():
        assert torch.isfinite(asked(_heights()).pooled).all()


def test_a_file_that_holds_the_sentence_projection_brings_the_route(
    tiny_zoo: None, tiny_config: CopernicusFMConfig, tmp_path: Path
) -> None:
    own = random_model(replace(tiny_config, sentence_route=True), seed=5)
    assert {k for k in official_state(own) if k.startswith("armillary.")} == {
        "armillary.sentence.weight",
        "armillary.sentence.bias",
    }
    save(own, tmp_path / "own.safetensors")
    again = arm.load_model("tiny", weights=tmp_path / "own.safetensors")
    with torch.inference_mode():
        assert torch.equal(again(_heights()).pooled, own(_heights()).pooled)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_official_vectors_come_from_a_file(tiny_zoo: None, official_like: Path, tmp_path: Path, suffix: str) -> None:
    vectors = {DEM.text: torch.randn(2048, generator=torch.Generator().manual_seed(0))}
    path = tmp_path / f"vectors.{suffix}"
    torch.save(vectors, path) if suffix == "pt" else save_file(vectors, path)
    model = arm.load_model("tiny", weights=official_like, vectors=path)
    with torch.inference_mode():
        by_name = model(_heights()).pooled
        by_value = model(replace(_heights(), bands=(arm.Named("x", tuple(vectors[DEM.text].tolist())),))).pooled
    assert torch.equal(by_name, by_value)


def test_norms_in_the_file_are_used_and_absent_ones_are_the_identity(
    tiny_zoo: None, tiny: CopernicusFM, tmp_path: Path
) -> None:
    norms = {"norm.weight": torch.full((32,), 2.0), "norm.bias": torch.ones(32)}
    torch.save(official_state(tiny) | norms, tmp_path / "w.pth")
    model = arm.load_model("tiny", weights=tmp_path / "w.pth")
    b = arm.Batch(torch.ones(1, 1, 32, 32), (arm.Spectral(665, 30),))
    with torch.inference_mode():
        torch.testing.assert_close(model(b).cls, 2 * tiny(b).cls + 1)
        torch.testing.assert_close(model(b).pooled, tiny(b).pooled)


def test_quirks_may_be_chosen_when_loading(tiny_zoo: None, official_like: Path) -> None:
    model = arm.load_model("tiny", weights=official_like, quirks=Quirks(padding_px=0))
    with torch.inference_mode():
        grid = model(arm.Batch(torch.zeros(1, 1, 31, 31), (arm.Spectral(665, 30),))).grid
    assert tuple(grid.shape[-2:]) == (1, 1)
