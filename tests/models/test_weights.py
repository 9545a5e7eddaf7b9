import pickle
import random
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import armillary as arm
from armillary.errors import WeightsMismatch, WeightsMissing
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.sizes import CopernicusFMConfig
from armillary.models.weights import load_state, locate, official_name, official_state, read_tensors, save


def _copy(model: CopernicusFM) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in official_state(model).items()}


def test_a_few_of_our_names_have_the_published_names() -> None:
    generator = "patch_embed_variable.weight_generator.transformer_encoder.layers.0"
    assert official_name("named.layer.attention.qkv.weight") == f"{generator}.self_attn.in_proj_weight"
    assert official_name("named.layer.mlp.fc2.bias") == f"{generator}.linear2.bias"
    assert official_name("spectral.mix.w1.weight") == "patch_embed_spectral.fclayer.w1.weight"
    assert official_name("language.bias") == "patch_embed_variable.language_proj.bias"
    assert official_name("trunk.blocks.11.attention.proj.bias") == "blocks.11.attn.proj.bias"
    assert official_name("where.area.unknown") == "scale_token"
    assert official_name("position.table") == "pos_embed"


@pytest.mark.parametrize("wrap", [False, True], ids=["flat", "under model"])
def test_a_pth_file_may_be_flat_or_wrapped(tiny: CopernicusFM, tmp_path: Path, wrap: bool) -> None:
    flat = OrderedDict(_copy(tiny))
    torch.save({"model": flat} if wrap else flat, tmp_path / "w.pth")
    read = read_tensors(tmp_path / "w.pth")
    assert read.keys() == flat.keys()
    assert all(torch.equal(read[k], flat[k]) for k in flat)


def test_saved_weights_load_back_equal(tiny: CopernicusFM, tiny_config: CopernicusFMConfig, tmp_path: Path) -> None:
    save(tiny, tmp_path / "w.safetensors", {"note": "a test"})
    again = CopernicusFM(tiny_config)
    load_state(again, read_tensors(tmp_path / "w.safetensors"), source="w")
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in tiny.state_dict().items())
    assert not again.position.table.requires_grad
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_equal_weights_and_facts_are_equal_bytes(tiny: CopernicusFM, tmp_path: Path) -> None:
    facts = {"name": "tiny", "source": 'ä \\ "b"\n', **{f"fact {i}": str(i) for i in range(20)}}
    for i in range(3):
        save(tiny, tmp_path / f"{i}.safetensors", dict(sorted(facts.items(), key=lambda kv: hash((kv, i)))))
    assert len({(tmp_path / f"{i}.safetensors").read_bytes() for i in range(3)}) == 1
    with safe_open(tmp_path / "0.safetensors", "pt") as file:
        assert file.metadata() == facts


def test_half_precision_files_become_float32(tiny: CopernicusFM, tiny_config: CopernicusFMConfig) -> None:
    again = CopernicusFM(tiny_config)
    load_state(again, {k: v.bfloat16() for k, v in _copy(tiny).items()}, source="w")
    assert {p.dtype for p in again.parameters()} == {torch.float32}


def test_every_difference_is_listed(tiny: CopernicusFM, tiny_config: CopernicusFMConfig) -> None:
    state = _copy(tiny)
    del state["cls_token"], state["blocks.2.norm1.bias"]
    state["decoder_embed.weight"] = torch.zeros(2)
    state["coord_fc.bias"] = torch.zeros(7)
    with pytest.raises(WeightsMismatch) as refusal:
        load_state(CopernicusFM(tiny_config), state, source="w.pth")
    said = str(refusal.value)
    assert "2 missing: blocks.2.norm1.bias, cls_token" in said
    assert "1 unexpected: decoder_embed.weight" in said
    assert "1 of another shape: coord_fc.bias (7,) instead of (32,)" in said


def test_a_head_and_a_mask_token_are_not_the_encoders_business(
    tiny: CopernicusFM, tiny_config: CopernicusFMConfig
) -> None:
    extra = {"head.weight": torch.zeros(5, 32), "head.bias": torch.zeros(5), "mask_token": torch.zeros(1, 1, 512)}
    again = CopernicusFM(tiny_config)
    load_state(again, _copy(tiny) | extra, source="w.pth")
    assert official_state(again).keys() == official_state(tiny).keys()


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"w": Path("x")}, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match="cannot be read as weights"):
        read_tensors(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not weights at all")
    with pytest.raises(WeightsMismatch, match="cannot be read as weights"):
        read_tensors(tmp_path / name)


def test_a_truncated_safetensors_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(100)}, tmp_path / "w.safetensors")
    whole = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(whole[:-50])
    with pytest.raises(WeightsMismatch, match="cannot be read as weights"):
        read_tensors(tmp_path / "w.safetensors")


def test_something_else_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match=r"no tensors by name \(list\)"):
        read_tensors(tmp_path / "w.pth")


def test_an_absent_file_is_said_to_be_absent() -> None:
    with pytest.raises(WeightsMissing, match="no weight file at /nowhere/w"):
        locate("/nowhere/w.pth")


def test_a_hub_address_without_a_file_is_explained() -> None:
    with pytest.raises(WeightsMissing, match="write hf://owner/repo/file"):
        locate("hf://owner/repo")


def test_an_unreachable_hub_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: str) -> str:
        raise ConnectionError("no route\nsecond line")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(WeightsMissing, match=r"could not be fetched .*\(no route\); go online once"):
        locate("hf://owner/repo/w.pth")


def test_a_hub_address_is_fetched_by_repository_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def fetch(*what: str) -> str:
        asked.extend(what)
        return str(tmp_path / "w.pth")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert locate("hf://owner/repo/folder/w.pth") == tmp_path / "w.pth"
    assert asked == ["owner/repo", "folder/w.pth"]


def test_what_the_hubs_cache_holds_needs_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: str(tmp_path / "w.pth"))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: pytest.fail("the network was asked"))
    assert locate("hf://owner/repo/w.pth") == tmp_path / "w.pth"


def test_weights_of_another_size_are_refused_through_the_public_door(tiny: CopernicusFM, tmp_path: Path) -> None:
    save(tiny, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatch, match=r"of another shape: .*cls_token"):
        arm.load_model("copernicus-fm-small", weights=tmp_path / "w.safetensors")


class _Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zipped", "plain pickle"])
def test_a_pickle_bomb_is_refused_unexploded_and_without_advice_to_light_it(
    tmp_path: Path, name: str, zipped: bool
) -> None:
    bomb = {"model": _Bomb(tmp_path / "exploded")}
    if zipped:
        torch.save(bomb, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(bomb))
    with pytest.raises(WeightsMismatch) as caught:
        read_tensors(tmp_path / name)
    assert not (tmp_path / "exploded").exists()
    assert "weights_only" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_bytes_are_always_one_sentence(tmp_path: Path, suffix: str) -> None:
    file, rng = tmp_path / f"w{suffix}", random.Random(0)  # noqa: S311
    tensors = {"a": torch.zeros(40), "b": torch.ones(3, 3)}
    if suffix == ".pth":
        torch.save(tensors, file)
    else:
        save_file(tensors, file)
    whole, refused = file.read_bytes(), []
    for _ in range(60):
        data = bytearray(whole[: rng.randrange(1, len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(6):
            data[rng.randrange(len(data))] = rng.randrange(256)
        file.write_bytes(data)
        try:
            read_tensors(file)  # damage to values alone cannot be seen; anything else must be said
        except WeightsMismatch as said:
            refused.append(str(said))
    assert len(refused) > 10
    assert all(len(sentence.splitlines()) == 1 and file.name in sentence for sentence in refused)


def test_a_dict_under_state_dict_is_found(tiny: CopernicusFM, tmp_path: Path) -> None:
    torch.save({"state_dict": official_state(tiny), "epoch": 3}, tmp_path / "w.pth")
    assert read_tensors(tmp_path / "w.pth").keys() == official_state(tiny).keys()


def test_numbers_that_are_none_are_refused_by_name(tiny: CopernicusFM) -> None:
    state = _copy(tiny)
    state["cls_token"][..., 0] = float("nan")
    with pytest.raises(WeightsMismatch, match=r"NaN or infinite, in cls_token; the file is damaged"):
        load_state(tiny, state, source="x.safetensors")


@pytest.mark.parametrize("kind", [torch.int32, torch.complex64, torch.bool])
def test_other_than_real_numbers_are_refused_by_name_and_kind(tiny: CopernicusFM, kind: torch.dtype) -> None:
    state = _copy(tiny)
    state["cls_token"] = state["cls_token"].to(kind)
    with pytest.raises(
        WeightsMismatch, match=rf"cls_token \({str(kind).removeprefix('torch.')}\); weights are float32"
    ):
        load_state(tiny, state, source="x.safetensors")


@pytest.mark.parametrize("turned", [lambda v: v.to_sparse(), lambda v: v.to("meta")])
def test_tensors_without_plain_values_are_refused(
    tiny: CopernicusFM, tmp_path: Path, turned: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    torch.save({k: turned(v) for k, v in official_state(tiny).items()}, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match=r"without plain values .* give plain ones"):
        read_tensors(tmp_path / "w.pth")
