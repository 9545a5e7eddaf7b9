"""The sizes of the joint diffusion model, and the files that hold them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.models.cop_gens import OWN, SKY, SMALL, lively, noise, published
from tests.models.layouts import weightless
from torch import nn
from torch.testing import assert_close

import armillary as arm
from armillary.errors import BadInput, OutOfRange, WeightsMismatch, WeightsMissing
from armillary.models import zoo
from armillary.models.cop_gen import AUTHORS_NAMES, COP_GEN, CopGen, CopGenConfig, Strand, cop_gen_of
from armillary.models.weights import official_state, read_tensors, save


@pytest.mark.parametrize(
    ("name", "keys", "parameters", "tokens"),
    [
        ("cop-gen-beta", 290, 286_648_384, 1028),
        ("cop-gen-base", 322, 286_986_562, 834),
        ("cop-gen-large", 426, 501_092_674, 834),
        ("cop-gen-huge", 452, 951_274_306, 834),
    ],
)
def test_a_released_size_has_the_published_keys_shapes_and_parameters(
    name: str, keys: int, parameters: int, tokens: int
) -> None:
    with torch.device("meta"):
        model = CopGen(COP_GEN[name])
    shapes = {k: tuple(v.shape) for k, v in official_state(model).items()}
    assert shapes == published(COP_GEN[name])
    assert (len(shapes), sum(p.numel() for p in model.parameters())) == (keys, parameters)
    assert COP_GEN[name].tokens == tokens


def test_cop_gen_counts_its_strands_in_the_alphabetical_order_of_its_authors_names() -> None:
    assert COP_GEN["cop-gen-base"].names == tuple(sorted(AUTHORS_NAMES, key=AUTHORS_NAMES.__getitem__))


@pytest.mark.parametrize("name", ["cop-gen-beta", "cop-gen-base", "cop-gen-large", "cop-gen-huge"])
def test_a_released_layout_loads_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "locate", lambda href: href)
    monkeypatch.setattr(zoo, "read_tensors", lambda href: weightless(published(COP_GEN[name])))
    model = arm.load_model(name, weights="nnet_ema.pth")
    assert isinstance(model, CopGen)
    assert not model.training
    assert model.config == COP_GEN[name]


@pytest.mark.parametrize("under", [None, "nnet_ema", "model", "module"])
def test_a_file_of_the_released_layout_gives_its_values(
    under: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zoo, "COP_GEN", {"small": SMALL})
    source = lively(SMALL)
    state = official_state(source)
    wrapped = {"nnet_ema": {"nnet_ema": state, "step": 114_000}, "model": {"model": state}, None: state}
    wrapped["module"] = {f"module.{k}": v for k, v in state.items()}
    torch.save(wrapped[under], tmp_path / "nnet_ema_7.pth")
    model = arm.load_model("small", weights=tmp_path / "nnet_ema_7.pth")
    with torch.inference_mode():
        out, want = model(*noise(SMALL)), source(*noise(SMALL))
    for name, v in want.items():
        assert_close(out[name], v)


@pytest.mark.parametrize("config", [SMALL, OWN, replace(SMALL, mlp_time=True)])
def test_safetensors_bring_the_same_model_back(config: CopGenConfig, tmp_path: Path) -> None:
    model = lively(config)
    save(model, tmp_path / "w.safetensors")
    again = cop_gen_of(config, read_tensors(tmp_path / "w.safetensors"), source="w")
    with torch.inference_mode():
        out, want = again(*noise(config)), model(*noise(config))
    for name, v in want.items():
        assert_close(out[name], v)


def test_a_file_that_could_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"pos_embed": nn.Identity()}, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match="may run code"):
        arm.load_model("cop-gen-beta", weights=tmp_path / "w.pth")


def test_a_file_of_another_size_is_refused_with_its_size_and_every_difference() -> None:
    state = weightless(published(COP_GEN["cop-gen-base"]))
    with pytest.raises(WeightsMismatch) as refusal:
        cop_gen_of(COP_GEN["cop-gen-beta"], state, source="base.pth")
    said = str(refusal.value)
    assert "as cop-gen-base" in said
    assert "patch_embeds.11.proj.bias" in said
    assert "pos_embed (1, 834, 1024) instead of (1, 1028, 1024)" in said


def test_a_file_that_lacks_a_key_is_refused_by_its_name() -> None:
    state = official_state(CopGen(SMALL))
    del state["mid_block.attn.qkv.weight"]
    with pytest.raises(WeightsMismatch, match=r"1 missing: mid_block.attn.qkv.weight"):
        cop_gen_of(SMALL, state, source="w.pth")


def test_weights_that_do_not_ship_are_said_not_to_ship() -> None:
    with pytest.raises(WeightsMissing, match="mespinosami/COP-GEN-Beta"):
        arm.load_model("cop-gen-beta")


def test_a_model_that_generates_is_refused_where_one_that_embeds_is_asked() -> None:
    with pytest.raises(BadInput, match="generates, it does not embed"):
        zoo.load_encoder("cop-gen-beta", weights=None)


def test_what_is_only_of_copernicus_fm_is_refused() -> None:
    with pytest.raises(BadInput, match="leave them out"):
        arm.load_model("cop-gen-beta", weights=None, sentence_route=True)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"strands": (SKY, SKY)}, BadInput),
        ({"strands": ()}, BadInput),
        ({"width": 33}, OutOfRange),
        ({"heads": 3}, OutOfRange),
        ({"depth": -1}, OutOfRange),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(change: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        replace(SMALL, **change)


def test_a_strand_that_no_patches_fill_is_refused() -> None:
    with pytest.raises(OutOfRange, match="for example 8 x 8"):
        Strand("sky", channels=3, height=9, width=8, patch=4)


def test_a_strand_without_channels_is_refused() -> None:
    with pytest.raises(OutOfRange, match="size below 1"):
        Strand("sky", channels=0, height=8, width=8, patch=4)
