"""Law 2: an item's tokens never depend on its neighbours in the batch."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import armillary as arm
from armillary.models.copernicus_fm import random_model
from armillary.models.sizes import CopernicusFMConfig

MODEL = random_model(CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4))
BANDS = (arm.Spectral(665, 30), arm.Spectral(490, 65))
UNKNOWN = st.tuples(*[st.booleans()] * 4)


@settings(max_examples=25, deadline=None)
@given(unknown=st.lists(UNKNOWN, min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_each_item_of_a_batch_equals_itself_alone(unknown: list[tuple[bool, ...]], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    n = len(unknown)
    facts = torch.rand(n, 4, generator=rng) * torch.tensor([360.0, 180.0, 20000.0, 20.0])
    facts -= torch.tensor([180.0, 90.0, 0.0, 0.0])
    facts = facts.masked_fill(torch.tensor(unknown), torch.nan)
    pixels = torch.randn(n, 2, 16, 24, generator=rng)
    batch = arm.Batch(pixels, BANDS, facts[:, :2], facts[:, 2], facts[:, 3], patch_px=8)
    with torch.inference_mode():
        together = MODEL(batch)
        for i in range(n):
            alone = MODEL(batch[i : i + 1])
            assert_close(together.pooled[i : i + 1], alone.pooled, atol=1e-5, rtol=0)
            assert_close(together.cls[i : i + 1], alone.cls, atol=1e-5, rtol=0)
            assert_close(together.grid[i : i + 1], alone.grid, atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    patch_px=st.integers(4, 32),
    size=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    n=st.integers(1, 5),
    order=st.permutations(range(13)),
    count=st.integers(1, 13),
    seed=st.integers(0, 1000),
)
def test_neither_neighbours_nor_band_order_matter_for_any_kernel_and_rectangle(
    patch_px: int, size: tuple[int, int], n: int, order: list[int], count: int, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    sensor = arm.sensors["s2-l1c"]
    bands = tuple(sensor.bands[i] for i in order[:count])
    pixels = torch.randn(n, count, patch_px + size[0], patch_px + size[1], generator=rng)
    pixels[0, 0, 0, 0] = torch.nan
    days = torch.rand(n, generator=rng) * 20000
    days[::2] = torch.nan
    shuffled = torch.randperm(count, generator=rng).tolist()
    with torch.inference_mode():
        batch = arm.Batch(pixels, bands, days=days, patch_px=patch_px)
        together = MODEL(batch)
        mixed = MODEL(arm.Batch(pixels[:, shuffled], tuple(bands[i] for i in shuffled), days=days, patch_px=patch_px))
        assert_close(mixed.pooled, together.pooled, atol=1e-5, rtol=0)
        for i in range(n):
            alone = MODEL(batch[i : i + 1])
            assert_close(together.pooled[i : i + 1], alone.pooled, atol=1e-5, rtol=0)
            assert_close(together.cls[i : i + 1], alone.cls, atol=1e-5, rtol=0)
