import torch
from tests.models.cop_gens import CLASSES, GROUND, SKY, lively, noise
from torch.testing import assert_close

from armillary.models.cop_gen import CopGenConfig, numbers
from armillary.models.ground import Ground, is_laid

STRANDS = (SKY, GROUND, CLASSES, numbers("place"))
CONFIG = CopGenConfig(STRANDS, width=32, depth=2, heads=2, any_side=True, pre_norm=True, ground=8)


def test_at_birth_it_adds_nothing() -> None:
    with torch.device("meta"):
        path = Ground(STRANDS, 8, 32)
    path = path.to_empty(device="cpu")
    path.reset_parameters(torch.Generator().manual_seed(0))
    pictures = {i: torch.randn(2, s.channels, s.height, s.width) for i, s in enumerate(STRANDS) if is_laid(s)}
    grids = {i: torch.randn(2, 32, *STRANDS[i].grid(*p.shape[-2:])) for i, p in pictures.items()}
    out = path(pictures, grids, torch.randn(2, 4, 32), None)
    assert out.keys() == pictures.keys()
    assert all(o.abs().max() == 0 and o.shape == pictures[i].shape for i, o in out.items())


def test_a_strand_that_is_not_there_says_nothing_and_one_left_out_is_the_same() -> None:
    model, (x, times) = lively(CONFIG), noise(CONFIG)
    present = torch.ones(2, 4, dtype=torch.bool)
    present[:, 0] = False
    with torch.inference_mode():
        one, other = model(x, times, present), model(x | {"sky": x["sky"] + 100}, times, present)
        without = model({k: v for k, v in x.items() if k != "sky"}, times)
    for name in ("ground", "classes", "place"):
        assert torch.equal(one[name], other[name])
        assert_close(without[name], one[name], atol=1e-3, rtol=1e-3)


def test_a_pixel_of_one_strand_moves_the_same_ground_of_another_more_than_ground_far_away() -> None:
    model = lively(CONFIG)
    with torch.no_grad():
        for head in model.heads:
            head.weight.zero_()
    x, times = noise(CONFIG, items=1)
    wide = {k: v.repeat(1, 1, 6, 6) if v.shape[-2] > 1 else v for k, v in x.items()}
    grown = {k: v.clone() for k, v in wide.items()}
    grown["sky"][..., 20, 30] += 5
    with torch.inference_mode():
        moved = (model(grown, times)["ground"] - model(wide, times)["ground"]).abs().sum(dim=1)[0]
    assert moved[8:13, 13:18].max() == moved.max()
    assert moved[:, 30:].max() < 0.1 * moved.max()


def test_items_do_not_hear_of_each_other() -> None:
    model, (x, times) = lively(CONFIG), noise(CONFIG)
    with torch.inference_mode():
        both = model(x, times)
        alone = model({k: v[1:] for k, v in x.items()}, times[1:])
    for name, v in alone.items():
        assert_close(both[name][1:], v, atol=1e-4, rtol=1e-4)
