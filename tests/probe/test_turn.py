import pytest
import torch

from armillary.probe.answer import IGNORE
from armillary.probe.turn import turned, turned_truth, varied

RNG = torch.Generator().manual_seed(0)
X = torch.randn(2, 6, 6, generator=RNG)
T = torch.randint(0, 4, (6, 6), generator=RNG)


def test_a_quarter_turn_only_moves_pixels() -> None:
    torch.testing.assert_close(turned(X, 90.0), torch.rot90(X, 1, (-2, -1)), atol=1e-5, rtol=1e-5)
    assert torch.equal(turned_truth(T, 90.0), torch.rot90(T, 1))


def test_no_turn_moves_nothing() -> None:
    torch.testing.assert_close(turned(X, 0.0), X, atol=1e-5, rtol=1e-5)
    assert torch.equal(turned_truth(T, 0.0), T)


def test_corners_of_a_turned_truth_are_unknown_and_never_a_class() -> None:
    side = 200
    flat = turned_truth(torch.zeros(side, side, dtype=torch.int64), 45.0)
    assert set(flat.unique().tolist()) == {0, IGNORE}
    kept = 2 * (2**0.5 - 1)  # of a square turned by 45 degrees
    assert float((flat == 0).float().mean()) == pytest.approx(kept, abs=0.01)
    assert bool(torch.isnan(turned_truth(torch.zeros(9, 9), 45.0))[0, 0])


def test_an_unknown_value_stays_one_pixel() -> None:
    truth = torch.zeros(8, 8)
    truth[2, 3] = torch.nan
    assert int(torch.isnan(turned_truth(truth, 90.0)).sum()) == 1


def test_an_unknown_pixel_does_not_spread() -> None:
    x = torch.ones(1, 8, 8)
    x[0, 2, 3] = torch.nan
    assert bool(torch.isfinite(turned(x, 30.0)).all())


def test_pixels_and_truth_move_together_and_so_do_all_samples_of_an_item() -> None:
    planes = torch.rand(3, 1, 12, 12, generator=RNG).round()
    pixels = torch.cat([planes[:1], planes[:1], planes[1:]])  # the first item has two equal samples
    truths = [planes[0, 0].long(), planes[1, 0].long(), planes[2, 0].long()]
    moved = 0
    for seed in range(12):
        shown, told = varied(pixels, (2, 1, 1), truths, torch.Generator().manual_seed(seed))
        assert torch.equal(shown[0], shown[1])
        for x, t, before in zip(shown[1:], told, truths, strict=True):
            sure = (t != IGNORE) & ((x[0] < 0.1) | (x[0] > 0.9))  # elsewhere two classes are mixed
            assert torch.equal(x[0][sure].round().long(), t[sure])
            moved += int(not torch.equal(t, before))
    assert moved > 12


def test_a_truth_without_a_map_stays_and_its_pixels_are_flipped_alone() -> None:
    shown, told = varied(X[None], (1,), [torch.tensor(2)], torch.Generator().manual_seed(1))
    assert int(told[0]) == 2
    assert torch.equal(shown.flatten().sort().values, X.flatten().sort().values)
