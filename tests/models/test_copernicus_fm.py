import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

import armillary as arm
from armillary.errors import BandMismatch, OutOfRange, VectorMissing
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import SIZES, CopernicusFMConfig, Quirks
from armillary.models.weights import official_state

RGB = (arm.Spectral(665, 30), arm.Spectral(560, 35), arm.Spectral(490, 65))


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _batch(
    h: int = 64,
    w: int = 64,
    *,
    bands: tuple[arm.Spectral | arm.Named, ...] = RGB,
    lonlat: tuple[float, float] = (11.5, 48.25),
    km2: float = 0.0256,
    patch_px: int = 16,
) -> arm.Batch:
    return arm.Batch(
        _noise(2, len(bands), h, w),
        bands,
        torch.tensor([lonlat, lonlat]),
        torch.tensor([18500.0, 18501.0]),
        torch.tensor([km2, km2]),
        patch_px,
    )


@pytest.mark.parametrize(
    ("size", "keys", "floats"),
    [("small", 201, 48_823_168), ("base", 201, 139_451_008), ("large", 345, 375_108_736), ("huge", 441, 721_350_272)],
)
def test_each_size_has_the_published_number_of_keys_and_values(size: str, keys: int, floats: int) -> None:
    state = official_state(CopernicusFM(SIZES[f"copernicus-fm-{size}"]))
    assert len(state) == keys
    assert sum(v.numel() for v in state.values()) == floats


@pytest.mark.parametrize(("h", "w"), [(64, 64), (32, 80), (80, 32), (70, 33)])
def test_rectangles_give_a_rectangular_grid(tiny: CopernicusFM, h: int, w: int) -> None:
    with torch.inference_mode():
        tokens = tiny(_batch(h, w))
    assert tuple(tokens.grid.shape) == (2, 32, (h + 2) // 16, (w + 2) // 16)
    assert torch.isfinite(tokens.pooled).all()


@pytest.mark.parametrize("patch_px", [1, 2, 3, 4, 7, 8, 12, 14, 16, 20, 24, 31, 32])
def test_any_kernel_size_works(tiny: CopernicusFM, patch_px: int) -> None:
    side = 2 * patch_px + 3
    with torch.inference_mode():
        tokens = tiny(_batch(side, side, patch_px=patch_px))
    assert tokens.grid.shape[-1] == (side + 2) // patch_px


def test_a_change_in_the_upper_row_of_a_rectangle_shows_in_the_upper_row_of_its_grid(tiny: CopernicusFM) -> None:
    b = _batch(32, 64)
    marked = b.pixels.clone()
    marked[:, :, :14, :] += 3.0  # the first of two token rows
    with torch.inference_mode():
        change = (tiny(replace(b, pixels=marked)).taps[0] - tiny(b).taps[0]).abs().mean(dim=(0, 1))
    assert float(change[0].min()) > float(change[1].max())


def test_a_longitude_at_the_edge_is_computed_by_the_same_formula(tiny: CopernicusFM) -> None:
    edges = [(-180.0, -90.0), (-179.99995, 0.0), (-179.9999, 10.0), (180.0, 90.0), (0.0, -89.99995)]
    with torch.inference_mode():
        pooled = [tiny(_batch(lonlat=e)).pooled for e in edges]
    assert all(bool(torch.isfinite(p).all()) for p in pooled)
    assert float((pooled[0] - pooled[1]).abs().max()) > 1e-4


@pytest.mark.parametrize("km2", [0.0, 1e-9, 5e-4, 9.99e-4])
def test_a_token_smaller_than_upstream_allows_is_computed(tiny: CopernicusFM, km2: float) -> None:
    with torch.inference_mode():
        assert torch.isfinite(tiny(_batch(km2=km2)).pooled).all()


def test_a_width_under_1_nm_is_computed_and_differs_from_1_nm(tiny: CopernicusFM) -> None:
    with torch.inference_mode():
        narrow = tiny(_batch(bands=(arm.Spectral(665, 0.5),))).pooled
        wide = tiny(_batch(bands=(arm.Spectral(665, 1.0),))).pooled
    assert torch.isfinite(narrow).all()
    assert float((narrow - wide).abs().max()) > 1e-4


@pytest.mark.parametrize(
    ("lonlat", "km2", "width"),
    [((-179.99995, 0.0), 1.0, 10), ((0.0, -89.99999), 1.0, 10), ((0.0, 0.0), 5e-4, 10), ((0.0, 0.0), 1.0, 0.5)],
)
def test_edges_are_refused_when_upstream_is_to_be_followed(
    tiny_config: CopernicusFMConfig, lonlat: tuple[float, float], km2: float, width: float
) -> None:
    strict = random_model(replace(tiny_config, quirks=Quirks(refuse_edges=True)))
    with pytest.raises(OutOfRange, match="upstream refuses"):
        strict(_batch(bands=(arm.Spectral(665, width),), lonlat=lonlat, km2=km2))


def test_micrometres_are_refused(tiny: CopernicusFM) -> None:
    with pytest.raises(OutOfRange, match="nanometres, not micrometres"):
        tiny(_batch(bands=(arm.Spectral(0.665, 0.03),)))


def test_spoiling_the_batch_is_a_named_quirk(tiny_config: CopernicusFMConfig) -> None:
    upstream = random_model(replace(tiny_config, quirks=Quirks(unknown_spoils_batch=True)))
    b = _batch()
    assert b.lonlat is not None
    spoiled = replace(b, lonlat=b.lonlat.index_fill(0, torch.tensor([1]), torch.nan))
    with torch.inference_mode():
        difference = (upstream(spoiled).pooled[0] - upstream(b).pooled[0]).abs().max()
    assert float(difference) > 1e-3


def test_without_padding_each_token_sees_exactly_its_own_pixels(tiny_config: CopernicusFMConfig) -> None:
    right = random_model(replace(tiny_config, quirks=Quirks(padding_px=0)))
    b = _batch()
    changed = b.pixels.clone()
    changed[:, :, 16:32, 16:32] += 1.0
    with torch.inference_mode():
        moved = (right.embed_patches(replace(b, pixels=changed)) - right.embed_patches(b)).abs().sum(dim=(0, 1)) > 0
    assert moved.nonzero().tolist() == [[1, 1]]


def test_coordinates_may_keep_their_full_precision(tiny_config: CopernicusFMConfig) -> None:
    lonlat = torch.tensor([[11.500001, 48.25], [11.500001, 48.25]], dtype=torch.float64)
    b = replace(_batch(), lonlat=lonlat)
    exact = random_model(replace(tiny_config, quirks=Quirks(degrees_in_float32=False)), seed=3)
    rounded = random_model(tiny_config, seed=3)
    with torch.inference_mode():
        assert float((exact(b).pooled - rounded(b).pooled).abs().max()) > 1e-3


def test_not_finite_pixels_read_as_the_mean(tiny: CopernicusFM) -> None:
    b = _batch()
    holes = b.pixels.clone()
    holes[0, 0, :5] = torch.nan
    holes[1, 1, 7] = torch.inf
    zeros = torch.where(torch.isfinite(holes), holes, 0.0)
    with torch.inference_mode():
        assert_close(tiny(replace(b, pixels=holes)).pooled, tiny(replace(b, pixels=zeros)).pooled)


def test_kernels_are_generated_once_per_sensor_and_size(tiny: CopernicusFM) -> None:
    with torch.inference_mode():
        first = tiny.kernel(RGB, 16)[0]
        assert tiny.kernel(RGB, 16)[0] is first
        assert tiny.kernel(RGB[::-1], 16)[0] is not first
        assert tiny.kernel(RGB, 8)[0].shape[-1] == 8
    assert len(tiny.kernels_kept) == 3


def test_kernels_follow_an_optimiser_step(tiny: CopernicusFM) -> None:
    with torch.no_grad():
        before = tiny.kernel(RGB, 16)[0]
    optimiser = torch.optim.SGD(tiny.parameters(), lr=1.0)
    tiny.train()
    tiny(_batch()).pooled.square().sum().backward()
    optimiser.step()
    tiny.eval()
    with torch.no_grad():
        after = tiny.kernel(RGB, 16)[0]
    assert float((after - before).abs().max()) > 0


def test_kernels_follow_loaded_weights(tiny: CopernicusFM, tiny_config: CopernicusFMConfig) -> None:
    other = random_model(tiny_config, seed=4)
    with torch.inference_mode():
        tiny.kernel(RGB, 16)
        tiny.load_state_dict(other.state_dict())
        assert_close(tiny.kernel(RGB, 16)[0], other.kernel(RGB, 16)[0], atol=0, rtol=0)


def test_kernels_follow_the_type_of_the_weights(tiny: CopernicusFM) -> None:
    with torch.inference_mode():
        tiny.kernel(RGB, 16)
        tiny.to(torch.bfloat16)
        assert tiny.kernel(RGB, 16)[0].dtype == torch.bfloat16
        tokens = tiny(_batch())
    assert (tokens.grid.dtype, tokens.pooled.dtype) == (torch.bfloat16, torch.float32)


def test_autocast_gets_kernels_in_its_own_type(tiny: CopernicusFM) -> None:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert tiny.kernel(RGB, 16)[0].dtype == torch.bfloat16
        low = tiny(_batch()).pooled
    with torch.inference_mode():
        assert_close(low.float(), tiny(_batch()).pooled, atol=0.1, rtol=0.1)


def test_gradients_reach_the_generator_in_eval_mode_too(tiny: CopernicusFM) -> None:
    with torch.inference_mode():
        tiny(_batch())
    tiny(_batch()).pooled[:, 0].sum().backward()
    gradient = tiny.spectral.to_kernel.weight.grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0


def test_a_kernel_made_in_inference_mode_serves_a_frozen_model_with_gradients_elsewhere(tiny: CopernicusFM) -> None:
    tiny.requires_grad_(requires_grad=False)
    with torch.inference_mode():
        tiny(_batch())
    pixels = _batch().pixels.requires_grad_()
    tiny(replace(_batch(), pixels=pixels)).pooled[:, 0].sum().backward()
    assert pixels.grad is not None


def test_named_bands_pass_through_the_official_projection_when_a_vector_is_known(
    tiny_config: CopernicusFMConfig,
) -> None:
    vector = _noise(2048)
    model = random_model(tiny_config, vectors={"Methane": vector})
    with torch.inference_mode():
        table = model(_batch(bands=(arm.Named("Methane"),))).pooled
        given = model(_batch(bands=(arm.Named("anything", tuple(vector.tolist())),))).pooled
    assert_close(table, given, atol=0, rtol=0)


def test_the_vector_on_the_band_wins_over_the_table(tiny_config: CopernicusFMConfig) -> None:
    model = random_model(tiny_config, vectors={"Methane": _noise(2048)})
    mine = arm.Named("Methane", tuple(_noise(2048, seed=1).tolist()))
    with torch.inference_mode():
        table = model(_batch(bands=(arm.Named("Methane"),))).pooled
        given = model(_batch(bands=(mine,))).pooled
    assert float((table - given).abs().max()) > 1e-4


def test_a_named_band_without_a_vector_is_refused_and_told_what_to_do(tiny: CopernicusFM) -> None:
    with pytest.raises(VectorMissing, match=r"vectors=FILE.*sentence_route=True"):
        tiny(_batch(bands=(arm.Named("Sentinel 5P Ozone"),)))


def test_the_sentence_route_tells_the_fleets_variables_apart(tiny_config: CopernicusFMConfig) -> None:
    model = random_model(replace(tiny_config, sentence_route=True))
    with torch.inference_mode():
        ozone = model(_batch(bands=(arm.Named("Sentinel 5P Ozone"),))).pooled
        height = model(_batch(bands=(arm.Named("Copernicus Digital Elevation Model"),))).pooled
    assert float((ozone - height).abs().max()) > 1e-3


def test_official_and_sentence_vectors_never_share_a_batch(tiny_config: CopernicusFMConfig) -> None:
    model = random_model(replace(tiny_config, sentence_route=True), vectors={"Methane": _noise(2048)})
    with pytest.raises(BandMismatch, match="never share a projection"):
        model(_batch(bands=(arm.Named("Methane"), arm.Named("Sentinel 5P Ozone"))))


def test_several_named_bands_may_be_one_batch(tiny_config: CopernicusFMConfig) -> None:
    model = random_model(replace(tiny_config, sentence_route=True))
    bands = (arm.Named("Sentinel 5P Ozone"), arm.Named("Sentinel 5P Carbon Monoxide"))
    b = _batch(bands=bands)
    with torch.inference_mode():
        swapped = model(replace(b, pixels=b.pixels.flip(1), bands=bands[::-1])).pooled
        assert_close(model(b).pooled, swapped, atol=1e-5, rtol=0)


def test_named_and_spectral_bands_are_two_batches(tiny: CopernicusFM) -> None:
    with pytest.raises(BandMismatch, match="one batch of each"):
        tiny(_batch(bands=(arm.Named("Sentinel 5P Ozone"), arm.Spectral(665, 30))))


def test_random_weights_are_the_same_for_the_same_seed(tiny_config: CopernicusFMConfig) -> None:
    one, same, other = (random_model(tiny_config, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["position.cls_token"], other["position.cls_token"])
    assert all(bool(torch.isfinite(v).all()) for v in one.values())


def test_random_weights_see_the_pixels(tiny: CopernicusFM) -> None:
    with torch.inference_mode():
        size = tiny.embed_patches(_batch()).std()
    assert 0.2 < float(size) < 5


@pytest.mark.parametrize("given", ["torch.zeros(1, 3, 32, 32)", "None"])
def test_a_model_says_that_it_takes_a_batch(given: str) -> None:
    code = (  # in a process of its own: here the type checker of the tests would speak first
        "import torch\n"
        "from armillary.models.copernicus_fm import random_model\n"
        "from armillary.models.sizes import CopernicusFMConfig\n"
        "config = CopernicusFMConfig(width=24, depth=4, heads=2, taps=(0, 1, 2, 3))\n"
        f"random_model(config, seed=0, vectors=None)({given})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "BadInput: a model takes an arm.Batch, got" in done.stderr
