import torch
from torch.testing import assert_close

from armillary.tokens.around import fill_around
from armillary.tokens.mask import hidden_of, mask_random
from armillary.tokens.patch import patchify

AT = mask_random(16, 0.7, [0, 1, 2])


def noise(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 2, 64, 64, generator=torch.Generator().manual_seed(seed))  # synthetic


def test_a_constant_scene_is_filled_without_error() -> None:
    x = torch.tensor([1.5, -2.0]).view(1, 2, 1, 1).expand(3, 2, 64, 64)
    assert_close(fill_around(x, AT, 16), patchify(x, 16))


def test_hidden_patches_are_not_looked_at() -> None:
    x = noise()
    hidden = hidden_of(16, AT)
    other = patchify(x, 16).masked_fill(hidden[..., None], 1e4)
    other = other.unflatten(1, (4, 4)).unflatten(-1, (2, 16, 16)).permute(0, 3, 1, 4, 2, 5).reshape(3, 2, 64, 64)
    assert_close(fill_around(other, AT, 16), fill_around(x, AT, 16))


def test_each_item_is_filled_on_its_own() -> None:
    x = noise()
    assert_close(fill_around(x, AT, 16)[1:2], fill_around(x[1:2], AT[1:2], 16))


def test_a_change_of_unit_goes_through() -> None:
    x = noise()
    assert_close(fill_around(3 * x + 2, AT, 16), 3 * fill_around(x, AT, 16) + 2, atol=1e-4, rtol=1e-4)


def test_halfway_between_two_seen_patches_is_their_mean() -> None:
    x = torch.zeros(1, 1, 16, 48)
    x[..., 32:] = 1.0
    filled = fill_around(x, torch.tensor([[0, 2]]), 16)[0, 1].view(16, 16)
    assert_close(filled + filled.flip(1), torch.ones(16, 16))
    assert (filled.diff(dim=1) >= -1e-6).all()


def test_with_nothing_seen_the_start_is_the_mean_of_the_sensor() -> None:
    empty = torch.empty(3, 0, dtype=torch.long)
    assert_close(fill_around(noise(), empty, 16), torch.zeros(3, 16, 512))


def test_pixels_that_were_not_measured_count_as_the_mean() -> None:
    x = noise()
    holes = x.clone()
    holes[:, :, ::7, ::5] = torch.nan
    assert_close(fill_around(holes, AT, 16), fill_around(holes.nan_to_num(0.0), AT, 16))


def test_a_patch_may_be_as_small_as_its_cells_and_pixels_beyond_whole_patches_are_left_out() -> None:
    x = noise()[..., :18, :17]
    assert fill_around(x, AT, 4).shape == (3, 16, 32)
