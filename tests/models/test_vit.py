"""No real file of DINOv2 or SoftCon is at hand: layouts are proved on synthetic state dicts of the published shapes,
values against an independent forward pass in plain PyTorch and NumPy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.layouts import as_timm, in_chunks, noisy, published, weightless
from torch import Tensor
from torch.nn.functional import conv2d, gelu, layer_norm
from torch.testing import assert_close

import armillary as arm
from armillary.errors import BadInput, BandMismatch, OutOfRange, WeightsMismatch
from armillary.models.vit import VITS, ViT, ViTConfig, random_vit, vit_of
from armillary.models.weights import official_state
from armillary.tokens.learned import EXACT, REFERENCE, Resampling

SMALL = ViTConfig("dinov2", width=24, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=5)
REGISTERED = replace(SMALL, registers=4, resampling=EXACT)
RGB = arm.sensors["s2-l2a"].select(("B04", "B03", "B02")).bands


def _shapes(config: ViTConfig) -> dict[str, tuple[int, ...]]:
    return published(
        config.width, config.depth, channels=config.channels, side=config.grid_side, registers=config.registers
    )


def _batch(rows: int, columns: int, items: int = 2) -> arm.Batch:
    rng = torch.Generator().manual_seed(1)
    return arm.Batch(torch.randn(items, 3, 14 * rows, 14 * columns, generator=rng), RGB, patch_px=14)


def _cubic(t: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    t = np.abs(t)
    near, far = ((a + 2) * t - (a + 3)) * t * t + 1, ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _resize_matrix(old: int, new: int, how: Resampling) -> np.ndarray:
    """[new, old] weights of a 1-D bicubic resize, from the definition."""
    step = old / (new + how.offset)
    matrix = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * step - 0.5
        if how.antialias:
            weights = _cubic((np.arange(old) - centre) / max(step, 1.0), a=-0.5)
            matrix[i] = weights / weights.sum()
        else:
            for j in range(math.floor(centre) - 1, math.floor(centre) + 3):
                matrix[i, min(max(j, 0), old - 1)] += _cubic(np.array(j - centre), a=-0.75)
    return matrix


def _independent(state: dict[str, Tensor], pixels: Tensor, *, heads: int, how: Resampling) -> Tensor:
    """All tokens after the last norm, from the published equations and keys alone, in float64."""
    s = {k: v.double() for k, v in state.items()}
    x = conv2d(pixels.double(), s["patch_embed.proj.weight"], s["patch_embed.proj.bias"], stride=14)
    b, d, rows, columns = x.shape
    side = math.isqrt(s["pos_embed"].shape[1] - 1)
    table = s["pos_embed"][0, 1:].reshape(side, side, d)
    if (rows, columns) != (side, side):
        down, across = (torch.from_numpy(_resize_matrix(side, n, how)) for n in (rows, columns))
        table = torch.einsum("iy,yxd,jx->ijd", down, table, across)
    x = x.flatten(2).transpose(1, 2) + table.reshape(rows * columns, d)
    first = (s["cls_token"] + s["pos_embed"][:, :1]).expand(b, 1, d)
    registers = s.get("register_tokens", torch.zeros(1, 0, d, dtype=torch.float64))
    x = torch.cat((first, registers.expand(b, -1, d), x), dim=1)
    for i in range(sum(k.endswith("ls1.gamma") for k in s)):
        p = {k.removeprefix(f"blocks.{i}."): v for k, v in s.items() if k.startswith(f"blocks.{i}.")}
        y = layer_norm(x, (d,), p["norm1.weight"], p["norm1.bias"], 1e-6)
        q, k, v = (y @ p["attn.qkv.weight"].T + p["attn.qkv.bias"]).split(d, dim=-1)
        parts = []
        for h in range(heads):
            at = slice(h * d // heads, (h + 1) * d // heads)
            weights = torch.softmax(q[..., at] @ k[..., at].transpose(1, 2) / math.sqrt(d // heads), dim=-1)
            parts.append(weights @ v[..., at])
        x = x + p["ls1.gamma"] * (torch.cat(parts, dim=-1) @ p["attn.proj.weight"].T + p["attn.proj.bias"])
        y = layer_norm(x, (d,), p["norm2.weight"], p["norm2.bias"], 1e-6)
        y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]) @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]
        x = x + p["ls2.gamma"] * y
    return layer_norm(x, (d,), s["norm.weight"], s["norm.bias"], 1e-6)


@pytest.mark.parametrize("name", VITS)
def test_every_model_takes_a_file_of_exactly_the_published_keys_and_shapes(name: str) -> None:
    state = weightless(_shapes(VITS[name]))
    model = vit_of(VITS[name], state, source="synthetic")
    assert {k: tuple(v.shape) for k, v in official_state(model).items()} == {
        k: tuple(v.shape) for k, v in state.items() if k != "mask_token"
    }
    assert not model.training


@pytest.mark.parametrize(
    ("name", "published_count"),
    [("dinov2-small", 22_056_576), ("dinov2-base", 86_580_480), ("dinov2-large", 304_368_640)],
)
def test_the_synthetic_files_have_as_many_numbers_as_the_published_ones(name: str, published_count: int) -> None:
    assert sum(math.prod(shape) for shape in _shapes(VITS[name]).values()) == published_count


@pytest.mark.parametrize("shape", [(5, 5), (3, 3), (4, 7), (9, 6)], ids=str)
@pytest.mark.parametrize(
    "config",
    [SMALL, REGISTERED, replace(SMALL, resampling=EXACT), replace(REGISTERED, resampling=REFERENCE)],
    ids=["dinov2", "registers", "dinov2 by timm's resize", "registers by the old resize"],
)
def test_all_outputs_equal_an_independent_forward_pass(config: ViTConfig, shape: tuple[int, int]) -> None:
    state, batch = noisy(_shapes(config)), _batch(*shape)
    with torch.inference_mode():
        tokens = (model := vit_of(config, state, source="synthetic"))(batch)
        grid = model.normed(tokens.grid)
    expected = _independent(state, batch.pixels, heads=config.heads, how=config.resampling).float()
    patches = expected[:, 1 + config.registers :]
    assert_close(tokens.cls, expected[:, 0], atol=2e-5, rtol=1e-5)
    assert_close(tokens.pooled, patches.mean(dim=1), atol=2e-5, rtol=1e-5)
    assert_close(grid.flatten(2).transpose(1, 2), patches, atol=5e-5, rtol=1e-5)
    assert tuple(tokens.grid.shape[-2:]) == shape
    assert_close(tokens.taps[-1], tokens.grid, atol=0, rtol=0)


def test_the_epsilon_of_the_norms_is_the_published_one() -> None:
    state, batch = noisy(_shapes(SMALL)), _batch(5, 5)
    faint = {k: v * 1e-3 if "." not in k or k.startswith("patch_embed") or "ls" in k else v for k, v in state.items()}
    with torch.inference_mode():
        tokens = vit_of(SMALL, faint, source="synthetic")(batch)
    expected = _independent(faint, batch.pixels, heads=SMALL.heads, how=REFERENCE).float()
    assert_close(tokens.cls, expected[:, 0], atol=1e-4, rtol=1e-4)


def test_how_the_table_is_resized_changes_the_features_and_is_a_switch() -> None:
    state, batch = noisy(_shapes(SMALL)), _batch(3, 3)
    with torch.inference_mode():
        one, other = (
            vit_of(replace(SMALL, resampling=how), state, source="synthetic")(batch).pooled
            for how in (REFERENCE, EXACT)
        )
    assert float((one - other).abs().max()) > 1e-2


def test_the_offset_moves_positions_although_their_number_stays() -> None:
    state = noisy(_shapes(SMALL))
    shifted, exact = (
        vit_of(replace(SMALL, resampling=how), state, source="synthetic").position.grid(3, 4)
        for how in (REFERENCE, Resampling(antialias=False, offset=0.0))
    )
    assert shifted.shape == exact.shape == (12, SMALL.width)
    assert float((shifted - exact).detach().abs().max()) > 1e-3


@pytest.mark.parametrize("config", [SMALL, REGISTERED], ids=["plain", "registers"])
def test_timms_naming_gives_the_same_model(config: ViTConfig) -> None:
    state, batch = noisy(_shapes(config)), _batch(4, 4)
    with torch.inference_mode():
        ours = vit_of(config, state, source="synthetic")(batch)
        theirs = vit_of(config, as_timm(state), source="synthetic")(batch)
    assert_close(theirs.cls, ours.cls)
    assert_close(theirs.pooled, ours.pooled)


def test_blocks_in_chunks_give_the_same_model() -> None:
    state = noisy(_shapes(SMALL))
    assert "blocks.3.3.ls2.gamma" in in_chunks(state)
    ours, chunked = (official_state(vit_of(SMALL, s, source="synthetic")) for s in (state, in_chunks(state)))
    assert all(torch.equal(ours[k], chunked[k]) for k in ours)


def test_the_side_of_the_position_table_is_the_files_own() -> None:
    model = vit_of(SMALL, noisy(published(24, 4, side=7)), source="synthetic")
    assert model.position.side == model.config.grid_side == 7


def test_a_file_of_other_channels_is_refused_with_the_model_it_seems_to_be_of() -> None:
    radar = weightless(_shapes(VITS["softcon-small-s1"]))
    with pytest.raises(
        WeightsMismatch, match=r"2 channels, width 384.*as softcon-small-s1.*\(384, 2, 14, 14\) instead"
    ):
        vit_of(VITS["softcon-small-s2"], radar, source="b2.pth")


def test_every_difference_of_a_file_is_listed() -> None:
    state = noisy(_shapes(SMALL))
    del state["blocks.2.ls1.gamma"], state["norm.bias"]
    state["fc_norm.weight"] = torch.zeros(24)
    with pytest.raises(WeightsMismatch) as refusal:
        vit_of(SMALL, state, source="w.pth")
    assert "2 missing: blocks.2.ls1.gamma, norm.bias" in str(refusal.value)
    assert "1 unexpected: fc_norm.weight" in str(refusal.value)


def test_a_model_with_registers_refuses_a_file_without() -> None:
    with pytest.raises(WeightsMismatch, match="missing: register_tokens"):
        vit_of(REGISTERED, noisy(_shapes(SMALL)), source="w.pth")


def test_an_untrained_block_is_nearly_the_identity_because_layer_scale_begins_small() -> None:
    model = random_vit(SMALL)
    x = torch.randn(2, 7, 24, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert float((model.trunk(x, ())[-1] - x).abs().max()) < 1e-3


def test_random_weights_are_a_function_of_the_seed_and_touch_no_global_state() -> None:
    before = torch.random.get_rng_state()
    a, b, c = (official_state(random_vit(SMALL, seed=s)) for s in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["patch_embed.proj.weight"], c["patch_embed.proj.weight"])


def test_each_item_equals_itself_alone() -> None:
    model, batch = vit_of(REGISTERED, noisy(_shapes(REGISTERED)), source="synthetic"), _batch(3, 4, items=3)
    with torch.inference_mode():
        together = model(batch).pooled
        alone = torch.cat([model(batch[i : i + 1]).pooled for i in range(3)])
    assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_the_table_learns_when_the_model_is_trained() -> None:
    model: ViT = random_vit(SMALL).train()
    model(_batch(3, 3)).pooled.square().sum().backward()
    assert model.position.table.grad is not None
    assert float(model.position.table.grad[0, 1:].abs().sum()) > 0


@pytest.mark.parametrize(
    ("pixels", "patch_px", "error", "match"),
    [
        ((1, 3, 30, 28), 14, OutOfRange, "reads multiples of that, as 28 x 28"),
        ((1, 3, 32, 32), 16, OutOfRange, "say patch_px=14"),
        ((1, 2, 28, 28), 14, BandMismatch, "reads 3 channels, the batch holds 2"),
    ],
)
def test_what_it_cannot_read_is_refused(
    pixels: tuple[int, ...], patch_px: int, error: type[BadInput], match: str
) -> None:
    batch = arm.Batch(torch.zeros(pixels), RGB[: pixels[1]], patch_px=patch_px)
    with pytest.raises(error, match=match):
        random_vit(SMALL)(batch)
