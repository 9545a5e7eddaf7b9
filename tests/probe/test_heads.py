import pytest
import torch

from armillary.probe.heads import ConvHead, Head, UPerHead, VectorHead, born

WIDTHS = (6, 6, 6, 6)
MAKERS = {"conv": lambda: ConvHead(WIDTHS, 3, 8), "upernet": lambda: UPerHead(WIDTHS, 3, 8, 4)}


def _born(name: str, seed: int = 0) -> Head:
    return born(MAKERS[name], torch.Generator().manual_seed(seed))


def _maps(h: int, w: int, b: int = 2) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    return [torch.randn(b, 6, h, w, generator=rng) for _ in range(4)]


@pytest.mark.parametrize(("name", "finer"), [("conv", 2), ("upernet", 4)])
@pytest.mark.parametrize(("h", "w"), [(1, 1), (2, 3), (7, 5)])
def test_a_head_gives_a_map_of_any_grid(name: str, finer: int, h: int, w: int) -> None:
    head = _born(name)
    outs = head(_maps(h, w))
    assert outs[0].shape == (2, 3, finer * h, finer * w)
    assert len(outs) == 1 + len(head.beside)
    assert all(bool(torch.isfinite(o).all()) for o in outs)


@pytest.mark.parametrize("name", MAKERS)
def test_a_new_head_depends_on_its_generator_alone(name: str) -> None:
    state = torch.get_rng_state()
    one, same, other = _born(name), _born(name), _born(name, 1)
    assert torch.equal(torch.get_rng_state(), state)
    maps = _maps(4, 4)
    torch.testing.assert_close(one(maps)[0], same(maps)[0])
    assert not torch.allclose(one(maps)[0], other(maps)[0])


def test_upernet_reads_all_four_taps() -> None:
    head = _born("upernet").eval()
    maps = _maps(4, 4)
    before = head(maps)[0]
    for i in range(4):
        changed = [m + 1 if j == i else m for j, m in enumerate(maps)]
        assert not torch.allclose(head(changed)[0], before)


def test_a_trained_head_answers_each_item_on_its_own() -> None:
    head = _born("upernet").eval()
    maps = _maps(4, 4, b=3)
    torch.testing.assert_close(head([m[:1] for m in maps])[0], head(maps)[0][:1], atol=1e-5, rtol=1e-4)


def test_the_head_of_items_is_a_norm_and_a_linear_layer() -> None:
    head = born(lambda: VectorHead(5, 2), torch.Generator().manual_seed(0))
    assert sum(p.numel() for p in head.parameters()) == 5 * 2 + 2
    assert head(torch.randn(4, 5))[0].shape == (4, 2)
