import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.errors import BandMismatch, OutOfRange
from armillary.models.descriptors import (
    RandomPatches,
    band_means,
    band_statistics,
    draw_patches,
    gradient,
    index_planes,
    percentiles,
    rich_statistics,
)

S2, S1 = sensors["s2-l2a"], sensors["s1-grd"]
TURN = [3, 0, 7, 11, 1, 2, 10, 5, 4, 9, 8, 6]


def _pixels(b: int = 4, c: int = 12, side: int = 16) -> torch.Tensor:
    return torch.rand(b, c, side, side, generator=torch.Generator().manual_seed(0)) * 0.4


def _bank(x: torch.Tensor, seed: int = 0) -> RandomPatches:
    return draw_patches(x, S2, rng=torch.Generator().manual_seed(seed), count=8, sides_px=(3, 5))


def test_means_and_statistics_move_with_their_bands() -> None:
    x = _pixels()
    assert_close(band_means(x[:, TURN]), band_means(x)[:, TURN])
    four = band_statistics(x).unflatten(1, (4, 12))
    assert_close(band_statistics(x[:, TURN]).unflatten(1, (4, 12)), four[:, :, TURN])


def test_indices_know_their_bands_by_name() -> None:
    x = _pixels()
    turned = S2.select([S2.band_names[i] for i in TURN])
    assert_close(index_planes(x[:, TURN], turned), index_planes(x, S2))


def test_the_first_index_is_the_vegetation_index() -> None:
    x = _pixels()
    planes = index_planes(x, S2)
    red, near = x[:, S2.index(("B04",))[0]], x[:, S2.index(("B08",))[0]]
    assert planes is not None
    assert_close(planes[:, 0], (near - red) / (near + red))


def test_a_sensor_without_pairs_has_no_index() -> None:
    assert index_planes(torch.rand(2, 1, 8, 8), sensors["dem"]) is None


def test_percentiles_are_those_of_numpy_over_valid_pixels() -> None:
    x = _pixels()
    x[0, 2, :5] = torch.nan
    expected = np.nanpercentile(x.flatten(2).numpy(), [2, 50, 98], axis=2)
    assert_close(percentiles(x, (2.0, 50.0, 98.0)), torch.from_numpy(expected).movedim(0, 2).float(), atol=1e-5, rtol=0)


def test_a_plane_has_the_gradient_of_its_slope() -> None:
    row, col = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    assert_close(gradient((3 * row + 4 * col)[None, None]), torch.full((1, 1, 7, 7), 5.0))


def test_a_constant_item_has_its_value_everywhere_and_no_spread() -> None:
    four = band_statistics(torch.full((1, 2, 8, 8), 0.25))
    assert_close(four, torch.tensor([[0.25, 0.25, 0.0, 0.0, 0.25, 0.25, 0.25, 0.25]]))


def test_turning_the_ground_changes_no_statistic_but_the_direction_of_steps() -> None:
    x = _pixels()
    assert_close(band_statistics(x.rot90(1, (2, 3))), band_statistics(x))


def test_a_hole_in_one_item_leaves_the_others_alone() -> None:
    x = _pixels()
    holed = x.clone()
    holed[1, 3, 2:9] = torch.nan
    for describe in (band_means, band_statistics, lambda v: rich_statistics(v, S2), _bank(x)):
        whole, part = describe(x), describe(holed)
        assert_close(part[[0, 2, 3]], whole[[0, 2, 3]])
        assert torch.isfinite(part).all()


def test_a_band_without_any_value_gives_nan_in_its_own_place() -> None:
    x = _pixels()
    x[2, 5] = torch.nan
    missing = torch.isnan(band_statistics(x)).unflatten(1, (4, 12))
    assert missing[2, :, 5].all()
    assert missing.sum() == 4


@pytest.mark.parametrize("name", ["s1-grd", "s2-l1c", "s2-l2a", "s3-olci", "s5p-no2", "dem"])
def test_every_sensor_has_finite_descriptors(name: str) -> None:
    sensor = sensors[name]
    x = torch.rand(3, len(sensor.bands), 16, 16, generator=torch.Generator().manual_seed(1)) + 1
    bank = draw_patches(x, sensor, rng=torch.Generator().manual_seed(0), count=4)
    assert torch.isfinite(rich_statistics(x, sensor)).all()
    assert torch.isfinite(bank(x)).all()


def test_the_same_seed_draws_the_same_patches_and_another_does_not() -> None:
    x = _pixels()
    assert_close(_bank(x)(x), _bank(x)(x), atol=0, rtol=0)
    assert not torch.allclose(_bank(x)(x), _bank(x, seed=1)(x))


def test_drawing_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    _bank(_pixels())
    assert torch.equal(torch.get_rng_state(), before)


def test_responses_of_a_bank_have_unit_variance_where_it_was_drawn() -> None:
    x = _pixels(16)
    bank = draw_patches(x, S2, rng=torch.Generator().manual_seed(0), count=8, sides_px=(3,))
    z = (x - bank.mean[:, None, None]) / bank.std[:, None, None]
    response = torch.nn.functional.conv2d(z, bank.filters[0])
    assert_close(response.std(dim=(0, 2, 3)), torch.ones(8), atol=0.05, rtol=0)


def test_whitened_filters_answer_to_noise_of_any_mixture_alike() -> None:
    x = _pixels(32, side=12)
    mixed = torch.einsum("dc,bchw->bdhw", torch.linalg.qr(torch.rand(12, 12)).Q + 0.5 * torch.eye(12), x)
    bank = draw_patches(mixed, S2, rng=torch.Generator().manual_seed(0), count=6, sides_px=(1,), ridge=1e-6)
    z = (mixed - bank.mean[:, None, None]) / bank.std[:, None, None]
    white = torch.nn.functional.conv2d(z, bank.filters[0]).flatten(2).transpose(0, 1).flatten(1)
    assert_close(white.std(dim=1), torch.ones(6), atol=0.05, rtol=0)


def test_pixels_of_another_number_of_bands_are_refused() -> None:
    with pytest.raises(BandMismatch, match="12 bands"):
        rich_statistics(_pixels(c=3), S2)


def test_patches_larger_than_the_pixels_are_refused() -> None:
    with pytest.raises(OutOfRange, match="7 px"):
        draw_patches(_pixels(side=5), S2, rng=torch.Generator(), sides_px=(7,))


def test_radar_is_described_by_the_ratio_of_its_polarisations() -> None:
    x = torch.rand(1, 2, 8, 8)
    planes = index_planes(x, S1)
    assert planes is not None
    assert_close(planes[:, 0], x[:, 0] - x[:, 1])
