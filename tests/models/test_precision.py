from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cosine_similarity
from torch.testing import assert_close

import armillary as arm
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.precision import DTYPES, cast, precision_of, resolve
from armillary.models.sizes import CopernicusFMConfig
from armillary.sample.batch import Batch

SENSORS = ("s1-grd", "s2-l1c", "s3-olci", "s5p-no2", "dem")


@pytest.fixture
def tiny(tiny_config: CopernicusFMConfig) -> CopernicusFM:
    return random_model(replace(tiny_config, sentence_route=True), seed=3)


def _batch(sensor: str) -> Batch:
    s = arm.sensors[sensor]
    pixels = torch.randn(2, len(s.bands), s.chip_px, s.chip_px, generator=torch.Generator().manual_seed(5))
    lonlat = torch.tensor([[11.5, 48.25], [torch.nan, torch.nan]])
    return Batch(pixels, s.bands, lonlat, torch.tensor([18500.0, 19000.0]), None, patch_px=s.patch_px)


def _pooled(model: CopernicusFM, batch: Batch) -> torch.Tensor:
    with torch.inference_mode():
        return model(batch).pooled


@pytest.mark.parametrize("sensor", SENSORS)
def test_float32_is_exact(tiny: CopernicusFM, sensor: str) -> None:
    assert_close(_pooled(cast(tiny, "float32"), _batch(sensor)), _pooled(tiny, _batch(sensor)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sensor", SENSORS)
def test_bfloat16_points_the_same_way(tiny: CopernicusFM, sensor: str) -> None:
    fast, exact = _pooled(cast(tiny, "bfloat16"), _batch(sensor)), _pooled(tiny, _batch(sensor))
    assert fast.dtype == torch.float32
    assert float(cosine_similarity(fast, exact).min()) > 0.999
    assert not torch.equal(fast, exact)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_second_answer_equals_the_first(tiny: CopernicusFM, precision: str) -> None:
    model = cast(tiny, precision)
    first = _pooled(model, _batch("dem"))
    assert len(model.kernels_kept) == 1
    assert torch.equal(_pooled(model, _batch("dem")), first)
    model.kernels_kept.clear()
    assert torch.equal(_pooled(model, _batch("dem")), first)


@pytest.mark.parametrize("precision", [None, "float32", "bfloat16"])
def test_a_change_in_place_is_seen(tiny: CopernicusFM, precision: str | None) -> None:
    model = tiny if precision is None else cast(tiny, precision)
    before = _pooled(model, _batch("dem"))
    for change in (model.named.to_bias.bias, model.trunk.blocks[0].mlp.fc1.weight):  # type: ignore[union-attr,operator]
        with torch.no_grad():
            change.mul_(3.0).add_(torch.linspace(-5.0, 5.0, change.shape[-1]))
        after = _pooled(model, _batch("dem"))
        assert float((after - before).abs().max()) > 1e-3
        before = after
    fresh = tiny if precision is None else cast(tiny, precision)
    assert torch.equal(_pooled(fresh, _batch("dem")), before)


@pytest.mark.parametrize("precision", [None, "float32", "bfloat16"])
def test_other_weights_loaded_are_seen(tiny: CopernicusFM, precision: str | None) -> None:
    model = tiny if precision is None else cast(tiny, precision)
    other = random_model(tiny.config, seed=9)
    before = _pooled(model, _batch("s2-l1c"))
    model.load_state_dict(other.state_dict())
    after = _pooled(model, _batch("s2-l1c"))
    want = _pooled(other if precision is None else cast(other, precision), _batch("s2-l1c"))
    assert torch.equal(after, want)
    assert not torch.equal(after, before)


def test_moving_to_another_type_drops_what_was_kept(tiny: CopernicusFM) -> None:
    exact = _pooled(tiny, _batch("s2-l1c"))
    double = tiny.to(torch.float64)
    kernel, _ = double.kernel(_batch("s2-l1c").bands, 16)
    assert kernel.dtype == torch.float64
    assert_close(_pooled(double, _batch("s2-l1c")).float(), exact, atol=1e-4, rtol=0)


def test_a_cast_leaves_the_model_as_it_is_and_shares_its_parameters(tiny: CopernicusFM) -> None:
    before = _pooled(tiny, _batch("s1-grd"))
    fast = cast(tiny, "bfloat16")
    _pooled(fast, _batch("s1-grd"))
    assert torch.equal(_pooled(tiny, _batch("s1-grd")), before)
    assert all(a is b for a, b in zip(tiny.parameters(), fast.parameters(), strict=True))
    assert fast.state_dict().keys() == tiny.state_dict().keys()


def test_a_cast_of_a_cast_is_a_cast(tiny: CopernicusFM) -> None:
    again = cast(cast(tiny, "bfloat16"), "float32")
    assert torch.equal(_pooled(again, _batch("s1-grd")), _pooled(cast(tiny, "float32"), _batch("s1-grd")))


def test_gradients_are_those_of_the_model_without_a_cast(tiny: CopernicusFM) -> None:
    cast(tiny, "bfloat16")(_batch("s5p-no2")).pooled.square().sum().backward()
    got = tiny.trunk.blocks[0].attention.qkv.weight.grad.clone()  # type: ignore[union-attr,operator]
    tiny.zero_grad()
    tiny(_batch("s5p-no2")).pooled.square().sum().backward()
    assert torch.equal(got, tiny.trunk.blocks[0].attention.qkv.weight.grad)  # type: ignore[union-attr,arg-type]


def test_each_item_of_a_bfloat16_batch_is_itself_alone(tiny: CopernicusFM) -> None:
    model, b = cast(tiny, "bfloat16"), _batch("s2-l1c")
    assert b.lonlat is not None
    assert b.days is not None
    assert b.token_km2 is not None
    for i in range(2):
        one = slice(i, i + 1)
        alone = replace(b, pixels=b.pixels[one], lonlat=b.lonlat[one], days=b.days[one], token_km2=b.token_km2[one])
        own = _pooled(model, alone)[0]
        assert_close(own, _pooled(model, b)[i], atol=1e-3, rtol=0)  # processors with AMX sum one row otherwise than two
        assert not torch.allclose(own, _pooled(model, b)[1 - i], atol=1e-2, rtol=0)


def test_auto_asks_for_native_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, want in (
        ({"amx_bf16": True}, "bfloat16"),
        ({"avx512_bf16": True}, "bfloat16"),
        ({"avx512_f": True, "avx512_bf16": False}, "float32"),
        ({"bf16": True}, "float32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        assert resolve("auto") == want


def test_a_choice_is_kept_and_a_misspelt_one_is_refused() -> None:
    assert [resolve(p) for p in DTYPES] == list(DTYPES)
    with pytest.raises(BadInput, match="'float32', 'bfloat16' or 'auto'"):
        resolve("bf16")


def test_a_receipt_learns_the_precision(tiny: CopernicusFM) -> None:
    assert precision_of(tiny) == precision_of(cast(tiny, "float32")) == "float32"
    assert precision_of(cast(tiny, "bfloat16")) == "bfloat16"


def test_embed_takes_a_precision(tiny: CopernicusFM) -> None:
    got = arm.embed(_batch("s1-grd"), model=tiny, precision="bfloat16")
    assert isinstance(got, torch.Tensor)
    assert torch.equal(got, _pooled(cast(tiny, "bfloat16"), _batch("s1-grd")))
