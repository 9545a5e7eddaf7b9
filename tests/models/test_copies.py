"""A copied, pickled, saved, switched or shared model computes what the first one computed."""

import copy
import io
import pickle
import threading

import pytest
import torch
from torch.testing import assert_close

import armillary as arm
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import CopernicusFMConfig

BANDS = arm.sensors["s2-l1c"].bands


@pytest.fixture
def batch() -> arm.Batch:
    return arm.Batch(torch.randn(2, 3, 20, 32, generator=torch.Generator().manual_seed(0)), BANDS[:3], patch_px=8)


def test_copies_compute_the_same_and_are_independent(tiny: CopernicusFM, batch: arm.Batch) -> None:
    with torch.inference_mode():
        first = tiny(batch).pooled
    other, thawed = copy.deepcopy(tiny), pickle.loads(pickle.dumps(tiny))  # noqa: S301
    with torch.no_grad():
        other.spectral.to_kernel.weight.mul_(2)
        assert_close(tiny(batch).pooled, first, atol=0, rtol=0)
        assert_close(thawed(batch).pooled, first, atol=0, rtol=0)
        assert float((other(batch).pooled - first).abs().max()) > 1e-3


def test_a_state_dict_through_a_file_computes_the_same(
    tiny: CopernicusFM, tiny_config: CopernicusFMConfig, batch: arm.Batch
) -> None:
    file = io.BytesIO()
    torch.save(tiny.state_dict(), file)
    file.seek(0)
    other = random_model(tiny_config, seed=9)
    with torch.no_grad():
        other(batch)  # fills the memory of kernels
        other.load_state_dict(torch.load(file, weights_only=True))
        assert_close(other(batch).pooled, tiny(batch).pooled, atol=0, rtol=0)


def test_weights_assigned_again_and_again_never_meet_an_old_kernel(
    tiny_config: CopernicusFMConfig, batch: arm.Batch
) -> None:
    model = random_model(tiny_config, seed=0)
    with torch.no_grad():
        for seed in range(8):
            source = random_model(tiny_config, seed=seed)
            model.load_state_dict({k: v.clone() for k, v in source.state_dict().items()}, assign=True)
            assert_close(model(batch).pooled, source(batch).pooled, atol=0, rtol=0)


def test_training_mode_and_gradients_change_no_value(tiny: CopernicusFM, batch: arm.Batch) -> None:
    with torch.inference_mode():
        quiet = tiny(batch).pooled
    assert_close(tiny.train()(batch).pooled, quiet)
    graded = tiny.eval()(batch).pooled
    graded.sum().backward()
    assert_close(graded, quiet)
    assert tiny.spectral.to_kernel.weight.grad is not None


def test_gradients_reach_the_pixels_of_a_frozen_model(tiny: CopernicusFM, batch: arm.Batch) -> None:
    tiny.requires_grad_(False)
    pixels = batch.pixels.clone().requires_grad_()
    tiny(arm.Batch(pixels, batch.bands, patch_px=8)).pooled.square().sum().backward()
    assert pixels.grad is not None
    assert bool((pixels.grad != 0).any())


def test_threads_share_a_model(tiny: CopernicusFM) -> None:
    failed: list[str] = []

    def work(start: int) -> None:
        try:
            with torch.inference_mode():
                for i in range(20):
                    tiny.kernel(BANDS[(start + i) % 13 : (start + i) % 13 + 1], 4 + (7 * start + i) % 29)
        except (KeyError, RuntimeError) as error:
            failed.append(repr(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_pixels_of_any_type_are_read_as_numbers(tiny: CopernicusFM, batch: arm.Batch, dtype: torch.dtype) -> None:
    whole = (batch.pixels * 8).round()
    with torch.inference_mode():
        same = tiny(arm.Batch(whole.to(dtype), batch.bands, patch_px=8))
        assert same.pooled.dtype == torch.float32
        assert_close(same.pooled, tiny(arm.Batch(whole, batch.bands, patch_px=8)).pooled)


def test_an_empty_batch_gives_empty_tokens(tiny: CopernicusFM, batch: arm.Batch) -> None:
    with torch.inference_mode():
        tokens = tiny(batch[:0])
    assert tokens.pooled.shape == (0, 32)
    assert tokens.grid.shape == (0, 32, 2, 4)
    assert tiny.batch(torch.zeros(0, 13, 16, 16), "s2-l1c").pixels.shape == (0, 13, 16, 16)
