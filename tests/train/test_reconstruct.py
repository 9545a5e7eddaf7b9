from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.sample.batch import Batch
from armillary.tokens.patch import patchify
from armillary.train.reconstruct import UPSTREAM_FLOOR, Targets, reconstruction, term

VALUES = Targets(scale="values", limit=None)
PATCH = Targets(scale="patch", floor=0.0, limit=None)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def batch_of(pixels: torch.Tensor, sensor: str = "s2-l2a", patch_px: int = 4) -> Batch:
    return Batch(pixels, sensors[sensor].bands[: pixels.shape[1]], patch_px=patch_px)


def test_the_error_of_an_item_is_that_of_a_loop_over_its_hidden_patches() -> None:
    predicted, target = noise(3, 5, 7), noise(3, 5, 7, seed=1)
    hidden = noise(3, 5, seed=2) > 0
    sums, counts = reconstruction(predicted, target, hidden)
    for i in range(3):
        errors = [float(((predicted[i, n] - target[i, n]) ** 2).mean()) for n in range(5) if hidden[i, n]]
        assert float(sums[i]) == pytest.approx(sum(errors), rel=1e-5)
        assert float(counts[i]) == len(errors)


def test_a_prediction_of_what_is_wanted_costs_nothing_and_visible_patches_never_do() -> None:
    target = noise(2, 4, 3)
    hidden = torch.tensor([[True, False, True, False]] * 2)
    off = target + (~hidden)[..., None] * 100.0
    assert reconstruction(off, target, hidden)[0].tolist() == [0.0, 0.0]


def test_values_are_the_patches_themselves() -> None:
    x = noise(2, 3, 8, 8)
    assert_close(VALUES.of(batch_of(x)), patchify(x, 4), rtol=0, atol=0)


def test_a_patch_has_mean_0_and_unbiased_variance_1_over_all_bands_together() -> None:
    t = PATCH.of(batch_of(10 * noise(2, 3, 8, 8) + 5))
    assert_close(t.mean(dim=-1), torch.zeros(2, 4), atol=1e-5, rtol=0)
    assert_close(t.var(dim=-1), torch.ones(2, 4), atol=1e-4, rtol=0)


def test_a_band_has_mean_0_and_variance_1_for_itself() -> None:
    scale = torch.tensor([1.0, 10.0, 100.0])[:, None, None]
    t = replace(PATCH, scale="band").of(batch_of(noise(2, 3, 8, 8) * scale)).unflatten(2, (3, 16))
    assert_close(t.mean(dim=-1), torch.zeros(2, 4, 3), atol=1e-5, rtol=0)
    assert_close(t.var(dim=-1), torch.ones(2, 4, 3), atol=1e-4, rtol=0)


def test_a_patch_without_contrast_asks_for_nothing() -> None:
    assert Targets().of(batch_of(torch.full((1, 2, 8, 8), 3.0))).abs().max() == 0


def test_values_far_out_are_cut_off_and_those_that_are_no_numbers_are_the_mean() -> None:
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 0] = torch.tensor([1e6, torch.nan, torch.inf, -1e6])
    assert Targets(scale="values").of(batch_of(x))[0, 0, :4].tolist() == [8.0, 0.0, 0.0, -8.0]
    assert VALUES.of(batch_of(x))[0, 0, :4].tolist() == [1e6, 0.0, 0.0, -1e6]


def test_rows_and_columns_that_fill_no_patch_are_left_out() -> None:
    x = noise(1, 2, 11, 9)
    assert_close(VALUES.of(batch_of(x)), patchify(x[..., :8, :8], 4), rtol=0, atol=0)


def test_upstream_layout_gives_a_kernel_of_one_band_pixels_of_all_and_the_default_does_not() -> None:
    """Spec item 1: what the first third of a prediction, the kernel of the first of three bands, is compared with."""
    levels = torch.tensor([1.0, 2.0, 3.0])[:, None, None].expand(3, 4, 4)[None]
    own, theirs = (
        replace(VALUES, interleaved=mistake).of(batch_of(levels.contiguous()))[0, 0, :16] for mistake in (False, True)
    )
    assert set(own.tolist()) == {1.0}
    assert set(theirs.tolist()) == {1.0, 2.0, 3.0}


def test_upstream_layout_is_a_mistake_only_for_several_bands() -> None:
    x = noise(1, 1, 8, 8)
    assert_close(replace(VALUES, interleaved=True).of(batch_of(x)), VALUES.of(batch_of(x)), rtol=0, atol=0)


def test_in_upstream_layout_radar_must_say_the_same_of_the_upper_and_lower_half_of_a_patch() -> None:
    """Spec item 2: VV and VH share a kernel, so both halves of a prediction are equal; their targets are the halves."""
    x = noise(1, 2, 4, 4)
    t = replace(VALUES, interleaved=True).of(batch_of(x, "s1-grd"))[0, 0]
    assert_close(t[:16].reshape(2, 4, 2), x[0, :, :2].permute(1, 2, 0))
    assert_close(t[16:].reshape(2, 4, 2), x[0, :, 2:].permute(1, 2, 0))


def test_upstream_variance_floor_swamps_nitrogen_dioxide_and_a_floor_in_units_of_the_sensor_does_not() -> None:
    """Spec item 3: columns of (6 +- 2) x 10^-5 mol m-2, unscaled as upstream, against the same ones standardised."""
    columns = 6e-5 + 2e-5 * noise(4, 1, 28, 28)
    theirs = Targets(scale="patch", floor=UPSTREAM_FLOOR, limit=None).of(batch_of(columns, "s5p-no2"))
    own = Targets().of(batch_of((columns - 4e-5) / 6e-5, "s5p-no2"))
    assert float(theirs.square().mean()) == pytest.approx(4e-4, rel=0.1)
    assert float(own.square().mean()) > 0.8


def test_upstream_variance_floor_is_no_mistake_where_values_are_of_order_1() -> None:
    x = noise(2, 3, 8, 8)
    assert_close(replace(PATCH, floor=UPSTREAM_FLOOR).of(batch_of(x)), PATCH.of(batch_of(x)), atol=1e-5, rtol=1e-5)


def test_the_items_of_a_batch_make_one_term_whose_count_has_no_gradient() -> None:
    sums = noise(3).requires_grad_()
    t = term(sums, torch.tensor([1.0, 2.0, 3.0]), weight=0.5)
    assert_close(t.sum, sums.sum())
    assert float(t.count) == 6.0
    assert t.weight == 0.5
    assert t.sum.requires_grad
    assert not t.count.requires_grad


def holed(x: torch.Tensor) -> torch.Tensor:
    """The second half of the first patch of 4 px was never measured."""
    out = x.clone()
    out[..., 2:4, :4] = torch.nan
    return out


@pytest.mark.parametrize("scale", ["values", "patch", "band"])
def test_pixels_that_were_never_measured_ask_for_nothing(scale: str) -> None:
    targets = replace(PATCH, scale=scale)  # type: ignore[arg-type]
    batch = batch_of(holed(noise(1, 2, 8, 8)))
    target, asked, hidden = targets.of(batch), targets.asked(batch), torch.ones(1, 4, dtype=torch.bool)
    off = target + 1e3 * (1 - asked)
    assert float(asked.sum()) == 2 * 64 - 2 * 8
    assert float(reconstruction(off, target, hidden, asked)[0]) == 0.0
    sums, counts = reconstruction(target + 2.0, target, hidden, asked)
    assert (float(sums), float(counts)) == (pytest.approx(16.0, rel=1e-5), 4.0)


def test_a_patch_with_holes_is_standardised_by_what_was_measured_of_it() -> None:
    x = 10 * noise(1, 2, 8, 8) + 5
    first = PATCH.of(batch_of(holed(x)))[0, 0].view(2, 4, 4)
    known = x[0, :, :2, :4]
    assert_close(first[:, :2], (known - known.mean()) / known.std(), atol=1e-5, rtol=1e-5)
    assert first[:, 2:].abs().max() == 0


def test_a_patch_of_which_nothing_was_measured_is_not_counted() -> None:
    x = noise(1, 2, 8, 8)
    x[..., :4, :4] = torch.nan
    batch, hidden = batch_of(x), torch.ones(1, 4, dtype=torch.bool)
    sums, counts = reconstruction(noise(1, 4, 32), VALUES.of(batch), hidden, VALUES.asked(batch))
    assert float(counts) == 3.0
    assert torch.isfinite(sums).all()


@pytest.mark.parametrize("scale", ["values", "patch", "band"])
def test_where_all_is_measured_holes_make_no_difference(scale: str) -> None:
    batch = batch_of(noise(2, 3, 8, 8))
    own, upstream = (replace(PATCH, scale=scale, holes=holes) for holes in (False, True))  # type: ignore[arg-type]
    assert_close(own.of(batch), upstream.of(batch), atol=1e-6, rtol=1e-6)
    assert own.asked(batch).min() == 1


def test_upstream_takes_holes_for_the_mean_and_asks_for_it() -> None:
    batch, targets = batch_of(holed(noise(1, 2, 8, 8))), replace(PATCH, holes=True)
    assert targets.asked(batch).min() == 1
    assert_close(targets.of(batch), targets.of(batch_of(torch.nan_to_num(batch.pixels))), atol=0, rtol=0)
