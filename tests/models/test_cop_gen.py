"""The joint diffusion transformer: its arithmetic, strands that are not there, precision, and its own ways."""

from dataclasses import replace

import pytest
import torch
from tests.models.cop_gens import GROUND, OWN, SKY, SMALL, lively, noise
from torch import Tensor, nn
from torch.testing import assert_close

from armillary.errors import BadInput, BandMismatch, OutOfRange
from armillary.models.cop_gen import CopGen, CopGenConfig
from armillary.models.precision import cast, precision_of
from armillary.models.weights import official_state

# The arithmetic


def test_random_weights_are_those_of_their_seed_and_leave_the_global_state_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = CopGen(SMALL, seed=1), CopGen(SMALL, seed=1), CopGen(SMALL, seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one.places, same.places)
    assert not torch.equal(one.places, other.places)


def plain(model: CopGen, x: dict[str, Tensor], times: Tensor) -> dict[str, Tensor]:
    """The released arithmetic once more, step by step, from the values of a file: one item, no fused kernels."""
    s = {k: v[0] if k == "pos_embed" else v for k, v in official_state(model).items()}
    strands, d, heads = model.config.strands, model.config.width, model.config.heads

    def layer(name: str, y: Tensor) -> Tensor:
        return y @ s[f"{name}.weight"].T + s.get(f"{name}.bias", torch.zeros(()))

    def norm(name: str, y: Tensor) -> Tensor:
        y = (y - y.mean(-1, keepdim=True)) / (y.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        return y * s[f"{name}.weight"] + s[f"{name}.bias"]

    def block(name: str, y: Tensor) -> Tensor:
        q, k, v = layer(f"{name}.attn.qkv", y).reshape(len(y), 3, heads, d // heads).permute(1, 2, 0, 3)
        mixed = torch.softmax(q @ k.mT / (d // heads) ** 0.5, -1) @ v
        y = norm(f"{name}.norm2", y + layer(f"{name}.attn.proj", mixed.permute(1, 0, 2).reshape(len(y), d)))
        inner = layer(f"{name}.mlp.fc1", y)
        inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
        return norm(f"{name}.norm3", y + layer(f"{name}.mlp.fc2", inner))

    tokens = []
    for n in times:
        phase = n * 10000.0 ** (-torch.arange(d // 2) / (d // 2))
        tokens.append(torch.cat((phase.cos(), phase.sin()))[None])
    if model.config.mlp_time:
        tokens = [
            layer(f"time_img_embeds.{i}.2", nn.functional.silu(layer(f"time_img_embeds.{i}.0", t)))
            for i, t in enumerate(tokens)
        ]
    for i, strand in enumerate(strands):
        kernel, p = s[f"patch_embeds.{i}.proj.weight"], strand.patch
        for r in range(0, strand.height, p):
            for c in range(0, strand.width, p):
                cut = x[strand.name][:, r : r + p, c : c + p]
                tokens.append(((kernel * cut).sum((1, 2, 3)) + s[f"patch_embeds.{i}.proj.bias"])[None])
    y = torch.cat(tokens) + s["pos_embed"]
    skips = []
    half = model.config.depth // 2
    for i in range(half):
        y = block(f"in_blocks.{i}", y)
        skips.append(y)
    y = block("mid_block", y)
    for i in range(half):
        joined = layer(f"out_blocks.{i}.skip_linear", torch.cat((y, skips.pop()), -1))
        y = block(f"out_blocks.{i}", norm(f"out_blocks.{i}.norm1", joined))
    y, out, at = norm("norm", y), {}, len(strands)
    for i, strand in enumerate(strands):
        p, answer = strand.patch, torch.empty(strand.channels, strand.height, strand.width)
        for r in range(0, strand.height, p):
            for c in range(0, strand.width, p):
                patch = layer(f"decoder_preds.{i}", y[at]).reshape(p, p, strand.channels)
                answer[:, r : r + p, c : c + p] = patch.permute(2, 0, 1)
                at += 1
        out[strand.name] = answer
    return out


@pytest.mark.parametrize("mlp_time", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_arithmetic_is_the_released_one_for_any_number_of_strands_of_any_sides(count: int, mlp_time: bool) -> None:
    config = replace(SMALL, strands=SMALL.strands[:count], mlp_time=mlp_time)
    model = lively(config)
    x, times = noise(config)
    with torch.inference_mode():
        out, want = model(x, times), plain(model, {k: v[1] for k, v in x.items()}, times[1])
    for name in config.names:
        assert_close(out[name][1], want[name], atol=2e-4, rtol=2e-4)


def test_an_item_never_depends_on_its_neighbours() -> None:
    model = lively(SMALL)
    x, times = noise(SMALL, items=3)
    x["sky"][0] = torch.nan
    with torch.inference_mode():
        alone = model({k: v[1:2] for k, v in x.items()}, times[1:2])
        among = model(x, times)
    for name, v in alone.items():
        assert_close(among[name][1:2], v)


def test_attention_in_float32_is_exact_under_autocast() -> None:
    exact, plainly = lively(replace(SMALL, exact=True)), lively(SMALL)
    seen: list[torch.dtype] = []
    for model in (exact, plainly):
        hook = model.trunk.middle.attention.proj.register_forward_pre_hook(lambda _, y: seen.append(y[0].dtype))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            model(*noise(SMALL))
        hook.remove()
    assert seen == [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("config", [SMALL, OWN])
def test_bfloat16_stays_close(config: CopGenConfig) -> None:
    model = CopGen(config).eval()
    fast = cast(model, "bfloat16")
    assert precision_of(fast) == "bfloat16"
    with torch.inference_mode():
        out, want = fast(*noise(config)), model(*noise(config))
    for name, v in want.items():
        assert out[name].dtype == torch.float32
        assert float((out[name] - v).norm() / v.norm()) < 0.02


@pytest.mark.parametrize("config", [SMALL, OWN])
def test_checkpointing_changes_no_gradient(config: CopGenConfig) -> None:
    model = lively(config)
    gradients = []
    for checkpointing in (False, True):
        model.trunk.checkpointing = checkpointing
        model.zero_grad()
        sum(v.square().mean() for v in model(*noise(config)).values()).backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


# Strands that are not there


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", [SMALL, OWN])
def test_values_and_time_of_an_absent_strand_change_nothing(config: CopGenConfig, precision: str) -> None:
    model = cast(lively(config), precision)
    x, times = noise(config)
    present = torch.tensor([[True, False, True, True], [True, True, True, True]])
    other, later = x | {"ground": x["ground"].clone()}, times.clone()
    other["ground"][0], later[0, 1] = torch.nan, 3.0
    with torch.inference_mode():
        one, two = model(x, times, present), model(other, later, present)
    for name in ("sky", "classes", "place"):
        assert torch.equal(one[name], two[name])


@pytest.mark.parametrize("config", [SMALL, OWN])
def test_a_strand_left_out_is_a_strand_absent_everywhere(config: CopGenConfig) -> None:
    model = lively(config)
    x, times = noise(config)
    present = torch.tensor([[True, False, True, False]]).expand(2, -1)
    with torch.inference_mode():
        masked, left = model(x, times, present), model({k: x[k] for k in ("sky", "classes")}, times)
    assert set(left) == {"sky", "classes"}
    for name, v in left.items():
        assert_close(masked[name], v, atol=1e-4, rtol=1e-4)


def test_a_mask_that_hides_nothing_changes_nothing() -> None:
    model = lively(SMALL)
    x, times = noise(SMALL)
    with torch.inference_mode():
        masked, bare = model(x, times, torch.ones(2, 4, dtype=torch.bool)), model(x, times)
    for name, v in bare.items():
        assert_close(masked[name], v, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_item_without_any_strand_spoils_nothing(precision: str) -> None:
    model = cast(CopGen(SMALL).eval(), precision)
    x, times = noise(SMALL)
    present = torch.tensor([[False] * 4, [True] * 4])
    with torch.inference_mode():
        out = model(x, times, present)
    assert all(bool(v.isfinite().all()) for v in out.values())


# The project's own ways


def test_another_side_stretches_the_positions_over_it() -> None:
    model = lively(OWN)
    x, times = noise(OWN)
    x["classes"] = torch.randn(2, 5, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        out = model(x, times)
        again = model(x, times)
    assert tuple(out["classes"].shape) == (2, 5, 16, 16)
    assert torch.equal(out["classes"], again["classes"])
    assert bool(out["classes"].isfinite().all())


def test_stretched_positions_learn() -> None:
    model = CopGen(OWN)
    x, times = noise(OWN)
    x["sky"] = x["sky"].repeat(1, 1, 2, 2)
    sum(v.square().mean() for v in model(x, times).values()).backward()
    assert bool((model.places.grad.abs().sum(-1) > 0).all())


def test_positions_stretched_by_nothing_are_the_table_itself() -> None:
    fixed, free = CopGen(SMALL), CopGen(replace(SMALL, any_side=True))
    with torch.inference_mode():
        out, want = free(*noise(SMALL)), fixed(*noise(SMALL))
    assert all(torch.equal(out[k], v) for k, v in want.items())


def test_what_no_released_file_has_is_marked_as_the_projects_own() -> None:
    released = set(official_state(CopGen(SMALL)))
    own = {k for k in official_state(CopGen(replace(SMALL, ground=8))) if k not in released}
    assert own
    assert all(k.startswith("armillary.ground.") for k in own)


def test_a_model_with_a_path_of_pixels_fits_one_picture_of_each_strand() -> None:
    config = replace(OWN, strands=(SKY, GROUND))
    model = CopGen(config)
    x, times = noise(config)
    target = {k: torch.roll(v, 1, -1) for k, v in x.items()}
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        out = model(x, times)
        loss = sum((out[k] - v).square().mean() for k, v in target.items())
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.3 * losses[0]


# Requests that cannot be right


def test_a_strand_that_is_not_known_is_refused_with_the_known_ones() -> None:
    x, times = noise(SMALL)
    with pytest.raises(BadInput, match="sky, ground, classes, place"):
        CopGen(SMALL)(x | {"sea": x["sky"]}, times)


def test_other_channels_are_refused() -> None:
    x, times = noise(SMALL)
    with pytest.raises(BandMismatch, match="'sky' has 3 channels, 2 were given"):
        CopGen(SMALL)(x | {"sky": x["sky"][:, :2]}, times)


def test_another_side_is_refused_where_positions_are_not_stretched() -> None:
    x, times = noise(SMALL)
    with pytest.raises(OutOfRange, match="8 x 12 px for this model, 8 x 8"):
        CopGen(SMALL)(x | {"sky": x["sky"][..., :8]}, times)


def test_sides_that_are_no_multiple_of_a_patch_are_refused() -> None:
    x, times = noise(OWN)
    with pytest.raises(OutOfRange, match="for example 8 x 8"):
        CopGen(OWN)(x | {"sky": x["sky"][..., :10]}, times)


def test_another_number_of_times_is_refused() -> None:
    x, times = noise(SMALL)
    with pytest.raises(BadInput, match="times has 3 columns"):
        CopGen(SMALL)(x, times[:, :3])
