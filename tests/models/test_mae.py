from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.mae import Decoder, DecoderConfig, MaskedAutoencoder
from armillary.models.sizes import COMPATIBLE, CORRECT, CopernicusFMConfig
from armillary.sample.batch import Batch
from armillary.tokens.mask import mask_random
from armillary.tokens.patch import patchify
from armillary.tokens.unpatch import unpatchify

OWN = CopernicusFMConfig(
    width=32, depth=2, heads=2, taps=(0, 0, 1, 1), grid_side=4, base_px=4, sentence_route=True, shared_generator=True,
    generator_hidden=32, polarised=True, fine_width=8, own_card=True, quirks=CORRECT,
)  # fmt: skip
PAPERS = CopernicusFMConfig(width=32, depth=2, heads=2, taps=(0, 0, 1, 1), grid_side=4, quirks=COMPATIBLE)
FINE = DecoderConfig(width=16, depth=2, heads=2, base_px=4, hidden=32, fine_width=8)
LINEAR = DecoderConfig(width=16, depth=2, heads=2, base_px=8, hidden=32)
OPTICAL = sensors["s2-l2a"].select(("B02", "B04", "B08")).bands


@pytest.fixture
def own() -> CopernicusFM:
    return random_model(OWN, seed=1)


@pytest.fixture
def mae(own: CopernicusFM) -> MaskedAutoencoder:
    return MaskedAutoencoder(own, FINE, seed=2).eval()


def batch_of(items: int, side_px: int = 48, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    pixels = torch.randn(items, len(OPTICAL), side_px, side_px, generator=rng)
    lonlat = torch.tensor([[10.0, 50.0]]).repeat(items, 1)
    return Batch(pixels, OPTICAL, lonlat, torch.full((items,), 18000.0), torch.full((items,), 0.0256))


class Values(nn.Module):
    """A generator that gives what it was told."""

    def __init__(self, kernel: torch.Tensor) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        return self.kernel


def painter(config: DecoderConfig, kernel: torch.Tensor) -> Decoder:
    """A decoder whose generated kernel is known."""
    decoder = Decoder(config, 32)
    decoder.spectral = Values(kernel)  # type: ignore[assignment]
    return decoder


def test_a_decoder_lays_pixels_out_as_patches_are_cut() -> None:
    """Law 4 at the decoder: token t paints t x (its kernel), which unpatchify puts back as a picture."""
    kernel = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    decoder = painter(replace(LINEAR, width=4, heads=2, base_px=8), kernel)
    x = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(1))
    pixels = decoder._pixels(x, OPTICAL, torch.zeros(3, 128), 8)
    picture = unpatchify(pixels, 8, rows=2, columns=3)
    want = torch.einsum("bnd,dcij->bncij", x, kernel * 0.01)
    for n in range(6):
        row, col = divmod(n, 3)
        assert_close(picture[0, :, row * 8 : row * 8 + 8, col * 8 : col * 8 + 8], want[0, n])
    assert_close(patchify(picture, 8), pixels)


def test_fine_patches_are_laid_out_as_patches_are_cut() -> None:
    """A kernel that paints each fine patch in one value shows where each fine patch has gone."""
    decoder = painter(replace(FINE, fine_width=1, base_px=4), torch.full((1, 3, 4, 4), 4.0))
    decoder.unstem = _Numbers()
    pixels = decoder._pixels(torch.zeros(1, 4, 16), OPTICAL, torch.zeros(3, 128), 16)
    picture = unpatchify(pixels, 16, rows=2, columns=2)[0]
    tile = torch.arange(16.0).reshape(4, 4).repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert_close(picture, tile.repeat(2, 2).expand(3, 32, 32))


class _Numbers(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.arange(16.0).reshape(1, 1, 16, 1).expand(*x.shape[:2], 16, 1)


def test_upstream_rule_for_synthesis_kernels_dims_large_patches_and_the_default_does_not() -> None:
    """Spec item 9: amplitudes x (16 / k)^2."""
    flat = torch.ones(16, 1, 16, 16)
    x = torch.ones(1, 1, 16)
    one = OPTICAL[:1]
    bright = {
        quirk: float(
            painter(replace(LINEAR, base_px=16, pseudo_inverse=quirk), flat)
            ._pixels(x, one, torch.zeros(1, 128), 64)
            .mean()
        )
        for quirk in (False, True)
    }
    assert bright[False] == pytest.approx(0.16, rel=1e-4)
    assert bright[True] == pytest.approx(0.16 / 16, rel=1e-3)


def test_pixels_of_hidden_patches_leave_the_prediction_alone(mae: MaskedAutoencoder) -> None:
    batch, at = batch_of(2), mask_random(9, 0.7, [1, 2])
    rebuilt = mae(batch, at)
    patches = patchify(batch.pixels, 16)
    other = torch.where(rebuilt.hidden[..., None], patches + 100.0, patches)
    changed = replace(batch, pixels=unpatchify(other, 16, rows=3, columns=3))
    assert_close(mae(changed, at).pixels, rebuilt.pixels, rtol=0, atol=0)


def test_pixels_of_visible_patches_do_not(mae: MaskedAutoencoder) -> None:
    batch, at = batch_of(1), mask_random(9, 0.7, [1])
    changed = replace(batch, pixels=batch.pixels + 1.0)
    assert not torch.allclose(mae(changed, at).pixels, mae(batch, at).pixels, atol=1e-3)


def test_upstream_padding_shows_a_token_pixels_of_its_hidden_neighbours_and_ours_does_not() -> None:
    """Spec item 4: one row and one column of the patch above and to the left."""
    for quirks, leaks in ((COMPATIBLE, True), (CORRECT, False)):
        model = random_model(replace(PAPERS, quirks=quirks), seed=1)
        pixels = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)).requires_grad_()
        model.embed_patches(Batch(pixels, OPTICAL))[0, :, 1, 1].square().sum().backward()
        assert pixels.grad is not None
        seen = pixels.grad.abs().sum(dim=(0, 1)) > 0
        assert bool(seen[15].any()) == leaks
        assert bool(seen[:, 15].any()) == leaks
        assert int(seen.sum()) == 256
        assert bool(seen[31, 31]) != leaks


def test_with_a_stem_hidden_pixels_change_nothing_that_is_shown(own: CopernicusFM) -> None:
    """A stem sees beyond a patch, so what is hidden is taken away before it."""
    mae = MaskedAutoencoder(own, DecoderConfig(width=16, depth=1, heads=2, base_px=4, hidden=32, fine_width=8))
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, 3, 48, 48, generator=rng)
    at = torch.tensor([[0, 4]])
    other = torch.randn(1, 3, 48, 48, generator=rng)
    for i in (0, 1):
        other[:, :, 16 * i : 16 * i + 16, 16 * i : 16 * i + 16] = pixels[
            :, :, 16 * i : 16 * i + 16, 16 * i : 16 * i + 16
        ]
    shown, grid = mae.show(Batch(pixels, OPTICAL), at)
    assert grid == (3, 3)
    assert_close(mae.show(Batch(other, OPTICAL), at)[0], shown)


def test_batches_of_several_lengths_are_rebuilt_as_each_on_its_own(mae: MaskedAutoencoder) -> None:
    several = [
        (batch_of(2), mask_random(9, 0.7, [1, 2])),
        (batch_of(1, side_px=64, seed=1), mask_random(16, 0.7, [3])),
        (batch_of(1, seed=2), mask_random(9, 0.7, [4])),
    ]
    for (batch, at), found in zip(several, mae.rebuild(several), strict=True):
        alone = mae(batch, at)
        assert_close(found.pixels, alone.pixels)
        assert torch.equal(found.hidden, alone.hidden)


def test_an_item_is_rebuilt_the_same_whatever_its_neighbours(mae: MaskedAutoencoder) -> None:
    batch, at = batch_of(3), mask_random(9, 0.7, [1, 2, 3])
    assert_close(mae(batch, at).pixels[1:2], mae(batch[1:2], at[1:2]).pixels)


def test_one_unknown_place_spoils_both_halves_for_the_batch_only_with_the_quirk() -> None:
    batch, at = batch_of(2), mask_random(9, 0.7, [1, 2])
    assert batch.lonlat is not None
    spoiled = replace(batch, lonlat=torch.tensor([[10.0, 50.0], [torch.nan, torch.nan]]))
    for spoils in (True, False):
        quirks = replace(COMPATIBLE, unknown_spoils_batch=spoils)
        mae = MaskedAutoencoder(random_model(replace(PAPERS, quirks=quirks), seed=1), LINEAR, seed=2)
        same = torch.equal(mae(batch, at).pixels[0], mae(spoiled, at).pixels[0])
        assert same != spoils
        assert mae.decoder.where.unknown_spoils_batch == spoils


def test_upstreams_unused_bias_never_learns_and_the_default_has_none() -> None:
    """Spec section 14: the layer is used nowhere; its token is, by the codes that attend to it."""
    for quirk in (True, False):
        mae = MaskedAutoencoder(random_model(PAPERS, seed=1).train(), replace(LINEAR, bias_token=quirk), seed=2)
        mae(batch_of(1), mask_random(9, 0.7, [1])).pixels.square().sum().backward()
        spectral = mae.decoder.spectral
        assert (spectral.to_bias is not None) == quirk
        if spectral.to_bias is not None and spectral.bias_token is not None:
            assert spectral.to_bias.weight.grad is None
            assert spectral.bias_token.grad is not None


def test_the_decoder_learns_through_the_codes_of_the_encoder(mae: MaskedAutoencoder) -> None:
    mae(batch_of(1), mask_random(9, 0.7, [1])).pixels.square().sum().backward()
    frozen = {n for n, p in mae.named_parameters() if not p.requires_grad}
    dead = {n for n, p in mae.named_parameters() if p.requires_grad and p.grad is None}
    assert frozen == {"encoder.position.table", "decoder.position.table", "decoder.position.cls_token"}
    assert dead == {"encoder.sentence.weight", "encoder.sentence.bias"}


def test_the_first_values_depend_on_the_seed_alone() -> None:
    one, two, other = (MaskedAutoencoder(random_model(OWN, seed=1), FINE, seed=s).decoder for s in (3, 3, 4))
    state = {"one": one.state_dict(), "two": two.state_dict(), "other": other.state_dict()}
    assert all(torch.equal(state["one"][k], state["two"][k]) for k in state["one"])
    assert not torch.equal(state["one"]["mask_token"], state["other"]["mask_token"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 18}, "width=18 and heads=2 was asked; the width must be a multiple of 4"),
        ({"width": 20, "heads": 3}, "width=20 and heads=3"),
        ({"depth": 0, "hidden": -1}, "at least 1, got depth=0, hidden=-1"),
        ({"fine_width": 0}, "at least 1, got fine_width=0"),
    ],
)
def test_sizes_of_which_no_decoder_can_be_made_are_refused(change: dict[str, int], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        replace(FINE, **change)  # type: ignore[arg-type]
