"""The KL autoencoder: the original layout's keys, its arithmetic step by step, moments, and refusals."""

import sys
from pathlib import Path

import pytest
import torch
from tests.models.layouts import Shapes, weightless
from torch import Tensor
from torch.nn.functional import conv2d, group_norm, interpolate, pad, silu
from torch.testing import assert_close

from armillary.errors import BandMismatch, MissingExtra, OutOfRange, WeightsMismatch
from armillary.models.autoencoder import (
    COP_GEN_KL,
    KL_F8,
    Autoencoder,
    KlConfig,
    kl_of,
    load_kl,
    original_state,
    unit,
)
from armillary.models.cop_gen import COP_GEN

pytest.importorskip("diffusers", reason="the autoencoder is diffusers'; install armillary[generate]")

SMALL = KlConfig(channels=2, latent_channels=3, scale=0.5, widths=(4, 8, 8), groups=4)


def published(config: KlConfig) -> Shapes:
    """Keys and shapes of `autoencoder_kl.pth`, written from the layout's description."""
    shapes: Shapes = {}

    def put(name: str, *shape: int) -> None:
        shapes.update({f"{name}.weight": shape, f"{name}.bias": shape[:1]})

    def residual(name: str, before: int, after: int) -> None:
        put(f"{name}.norm1", before)
        put(f"{name}.conv1", after, before, 3, 3)
        put(f"{name}.norm2", after)
        put(f"{name}.conv2", after, after, 3, 3)
        if before != after:
            put(f"{name}.nin_shortcut", after, before, 1, 1)

    def middle(name: str, w: int) -> None:
        residual(f"{name}.mid.block_1", w, w)
        put(f"{name}.mid.attn_1.norm", w)
        for layer in ("q", "k", "v", "proj_out"):
            put(f"{name}.mid.attn_1.{layer}", w, w, 1, 1)
        residual(f"{name}.mid.block_2", w, w)

    z, widths, last = config.latent_channels, config.widths, len(config.widths) - 1
    put("encoder.conv_in", widths[0], config.channels, 3, 3)
    before = widths[0]
    for i, w in enumerate(widths):
        for j in range(config.blocks):
            residual(f"encoder.down.{i}.block.{j}", before, w)
            before = w
        if i < last:
            put(f"encoder.down.{i}.downsample.conv", w, w, 3, 3)
    middle("encoder", before)
    put("encoder.norm_out", before)
    put("encoder.conv_out", 2 * z, before, 3, 3)
    put("quant_conv", 2 * z, 2 * z, 1, 1)
    put("post_quant_conv", z, z, 1, 1)
    put("decoder.conv_in", before, z, 3, 3)
    middle("decoder", before)
    for i in reversed(range(len(widths))):
        for j in range(config.blocks + 1):
            residual(f"decoder.up.{i}.block.{j}", before, widths[i])
            before = widths[i]
        if i > 0:
            put(f"decoder.up.{i}.upsample.conv", before, before, 3, 3)
    put("decoder.norm_out", before)
    put("decoder.conv_out", config.channels, before, 3, 3)
    return shapes


def noisy(config: KlConfig, seed: int = 0) -> dict[str, Tensor]:
    """A synthetic file at whose values every part matters."""
    rng = torch.Generator().manual_seed(seed)
    state = {k: torch.randn(shape, generator=rng) * 0.2 for k, shape in published(config).items()}
    return {k: 1 + v if "norm" in k and k.endswith("weight") else v for k, v in state.items()}


class Plain:
    """The arithmetic of the original layout once more, from the values of a file."""

    def __init__(self, config: KlConfig, state: dict[str, Tensor]) -> None:
        self.config, self.state = config, state

    def conv(self, name: str, x: Tensor, padding: int = 1, stride: int = 1) -> Tensor:
        return conv2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], stride, padding)

    def norm(self, name: str, x: Tensor) -> Tensor:
        return group_norm(x, self.config.groups, self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-6)

    def residual(self, name: str, x: Tensor) -> Tensor:
        y = self.conv(f"{name}.conv1", silu(self.norm(f"{name}.norm1", x)))
        y = self.conv(f"{name}.conv2", silu(self.norm(f"{name}.norm2", y)))
        short = f"{name}.nin_shortcut"
        return y + (self.conv(short, x, padding=0) if f"{short}.weight" in self.state else x)

    def middle(self, name: str, x: Tensor) -> Tensor:
        x = self.residual(f"{name}.mid.block_1", x)
        y = self.norm(f"{name}.mid.attn_1.norm", x)
        q, k, v = (self.conv(f"{name}.mid.attn_1.{layer}", y, padding=0).flatten(2) for layer in "qkv")
        weights = torch.softmax(q.mT @ k * q.shape[1] ** -0.5, dim=-1)
        mixed = (v @ weights.mT).reshape(x.shape)
        x = x + self.conv(f"{name}.mid.attn_1.proj_out", mixed, padding=0)
        return self.residual(f"{name}.mid.block_2", x)

    def ending(self, name: str, x: Tensor) -> Tensor:
        return self.conv(f"{name}.conv_out", silu(self.norm(f"{name}.norm_out", x)))

    def moments(self, x: Tensor) -> Tensor:
        x = self.conv("encoder.conv_in", x)
        for i in range(len(self.config.widths)):
            for j in range(self.config.blocks):
                x = self.residual(f"encoder.down.{i}.block.{j}", x)
            if i < len(self.config.widths) - 1:
                x = self.conv(f"encoder.down.{i}.downsample.conv", pad(x, (0, 1, 0, 1)), padding=0, stride=2)
        return self.conv("quant_conv", self.ending("encoder", self.middle("encoder", x)), padding=0)

    def decode(self, z: Tensor) -> Tensor:
        x = self.conv("post_quant_conv", z / self.config.scale, padding=0)
        x = self.middle("decoder", self.conv("decoder.conv_in", x))
        for i in reversed(range(len(self.config.widths))):
            for j in range(self.config.blocks + 1):
                x = self.residual(f"decoder.up.{i}.block.{j}", x)
            if i > 0:
                x = self.conv(f"decoder.up.{i}.upsample.conv", interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.ending("decoder", x)


@pytest.fixture(scope="module")
def small() -> Autoencoder:
    return kl_of(SMALL, noisy(SMALL), source="synthetic")


def test_kl_f8_has_the_published_keys_shapes_and_parameters() -> None:
    with torch.device("meta"):
        state = original_state(Autoencoder(KL_F8))
    assert {k: tuple(v.shape) for k, v in state.items()} == published(KL_F8)
    assert (len(state), sum(v.numel() for v in state.values())) == (248, 83_653_863)


def test_a_file_of_the_published_layout_loads(tmp_path: Path) -> None:
    torch.save(weightless(published(KL_F8)), tmp_path / "autoencoder_kl.pth")
    model = load_kl(tmp_path / "autoencoder_kl.pth")
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) == 83_653_863


def test_every_picture_of_cop_gen_has_an_autoencoder_of_its_latents() -> None:
    strands = {s.name: s for s in COP_GEN["cop-gen-base"].strands if s.channels > 1}
    assert set(COP_GEN_KL) == set(strands)
    assert all(COP_GEN_KL[name].latent_channels == s.channels for name, s in strands.items())
    assert all(config.shrink == 8 for config in COP_GEN_KL.values())


def test_moments_are_those_of_the_original_arithmetic(small: Autoencoder) -> None:
    x = torch.rand(2, 2, 12, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        moments = small.moments(x)
        assert_close(moments, Plain(SMALL, noisy(SMALL)).moments(x), atol=1e-5, rtol=1e-4)
    assert tuple(moments.shape) == (2, 6, 3, 4)


def test_a_decoded_latent_is_that_of_the_original_arithmetic(small: Autoencoder) -> None:
    z = torch.randn(2, 3, 3, 4, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        x = small.decode(z)
        assert_close(x, Plain(SMALL, noisy(SMALL)).decode(z), atol=1e-5, rtol=1e-4)
    assert tuple(x.shape) == (2, 2, 12, 16)


def test_a_latent_is_scaled_mean_plus_deviation_times_noise(small: Autoencoder) -> None:
    moments, noise = torch.tensor([1.0, 2.0, 3.0, 0.0, 100.0, -100.0]).reshape(1, 6, 1, 1), torch.ones(1, 3, 1, 1)
    want = 0.5 * torch.tensor([1.0 + 1.0, 2.0 + torch.e**10, 3.0 + torch.e**-15])
    assert_close(small.latent(moments, noise).flatten(), want, rtol=1e-6, atol=0)


def test_a_latent_without_noise_is_the_scaled_mean(small: Autoencoder) -> None:
    moments = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert torch.equal(small.latent(moments).flatten(), torch.tensor([0.0, 0.5, 1.0]))


def test_a_picture_is_shown_from_0_to_1() -> None:
    assert torch.equal(unit(torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])), torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def test_the_original_layout_comes_back_as_it_went_in(small: Autoencoder) -> None:
    state = noisy(SMALL)
    again = original_state(small)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[k], v) for k, v in state.items())


def test_a_file_in_the_names_of_diffusers_gives_the_same(small: Autoencoder, tmp_path: Path) -> None:
    torch.save({k.removeprefix("net."): v for k, v in small.state_dict().items()}, tmp_path / "vae.pth")
    again = load_kl(tmp_path / "vae.pth", SMALL)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in small.state_dict().items())


def test_a_file_that_lacks_a_key_is_refused_by_its_original_name() -> None:
    state = noisy(SMALL)
    del state["decoder.up.2.block.0.conv1.weight"]
    with pytest.raises(WeightsMismatch, match=r"1 missing: decoder.up.2.block.0.conv1.weight"):
        kl_of(SMALL, state, source="synthetic")


def test_random_weights_are_those_of_their_seed_and_leave_the_global_state_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (original_state(load_kl(None, SMALL, seed=s)) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(v, same[k]) for k, v in one.items())
    assert not torch.equal(one["encoder.conv_in.weight"], other["encoder.conv_in.weight"])


def test_other_channels_are_refused(small: Autoencoder) -> None:
    with pytest.raises(BandMismatch, match="reads 2 channels, 3 were given"):
        small.moments(torch.zeros(1, 3, 8, 8))
    with pytest.raises(BandMismatch, match="latents have 3 channels, 4 were given"):
        small.decode(torch.zeros(1, 4, 2, 2))


def test_sides_that_are_no_multiple_of_a_latent_pixel_are_refused(small: Autoencoder) -> None:
    with pytest.raises(OutOfRange, match="multiples of 4 px"):
        small.moments(torch.zeros(1, 2, 8, 10))


def test_without_diffusers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(MissingExtra, match=r"armillary\[generate\]"):
        load_kl(None)
