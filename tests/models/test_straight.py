import torch
from tests.models.cop_gens import CLASSES, GROUND, SKY
from torch.testing import assert_close

from armillary.models.straight import QUICK, Straight

STRANDS = (SKY, GROUND, CLASSES)


def path(seed: int = 0) -> Straight:
    made = Straight(STRANDS, (0, 1, 2), 8)
    made.reset_parameters()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn(p.shape, generator=rng))
    return made


def pictures(seed: int = 1) -> dict[int, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {i: torch.randn(2, s.channels, s.height, s.width, generator=rng) for i, s in enumerate(STRANDS)}


def test_at_birth_nothing_is_added() -> None:
    made = Straight(STRANDS, (0, 1, 2), 8)
    made.reset_parameters()
    out = made(pictures(), torch.randn(2, 8), None)
    assert {i: o.shape for i, o in out.items()} == {i: p.shape for i, p in pictures().items()}
    assert all(o.abs().max() == 0 for o in out.values())


def test_it_is_one_table_of_weights_at_every_pixel() -> None:
    made, x = path(), pictures()
    torch.nn.init.zeros_(made.gates.weight)
    torch.nn.init.zeros_(made.gates.bias)
    i = max(x, key=lambda k: x[k].shape[-1])
    out = made({i: x[i]}, torch.zeros(2, 8), None)[i]
    start = sum(s.channels for s in STRANDS[:i])
    own = QUICK * made.weights[str(i)][:, start : start + STRANDS[i].channels]
    assert_close(out, torch.einsum("oc,bchw->bohw", own, x[i]), atol=1e-4, rtol=1e-4)


def test_what_an_item_has_not_says_nothing() -> None:
    made, x = path(), pictures()
    heard, present = torch.randn(2, 8), torch.tensor([[True, True, True], [False, True, True]])
    one = made(x, heard, present)
    other = made(x | {0: x[0] * torch.tensor([1.0, 7.0])[:, None, None, None]}, heard, present)
    assert_close(one[1], other[1])
    left_out = made({i: p for i, p in x.items() if i}, heard, None)
    assert_close(one[1][1], left_out[1][1])


def test_coarser_ground_is_stretched_and_finer_ground_averaged() -> None:
    made, x = path(), pictures()
    flat = {i: torch.ones_like(p) for i, p in x.items()}
    out = made(flat, torch.zeros(2, 8), None)
    for o in out.values():
        assert_close(o, o[..., :1, :1].expand_as(o))
