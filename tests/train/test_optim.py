import torch
from torch import nn

from armillary.models.copernicus_fm import CopernicusFMConfig, random_model
from armillary.train.optim import OptimConfig, groups

TINY = CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4, sentence_route=True)


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.patch = nn.Conv2d(3, 4, 2)
        self.norm = nn.LayerNorm((4, 4))
        self.words = nn.Embedding(10, 4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.weight_tokens = nn.Parameter(torch.zeros(8, 4))
        self.frozen = nn.Linear(4, 4).requires_grad_(False)


def test_matrices_decay_and_nothing_else_does() -> None:
    decayed, bare = groups(Odd())
    assert [n for n, _ in decayed] == ["layer.weight", "patch.weight"]
    assert {n for n, _ in bare} == {
        "cls_token", "weight_tokens", "layer.bias", "patch.bias", "norm.weight", "norm.bias", "words.weight",
    }  # fmt: skip


def test_every_trained_parameter_of_copernicus_fm_is_in_one_group() -> None:
    model = random_model(TINY)
    decayed, bare = groups(model)
    names = [n for n, _ in decayed + bare]
    assert sorted(names) == sorted(n for n, p in model.named_parameters() if p.requires_grad)
    assert len(names) == len(set(names))
    assert all(n.endswith(".weight") and p.ndim >= 2 for n, p in decayed)
    assert {"position.cls_token", "where.place.unknown", "spectral.weight_tokens"} <= {n for n, _ in bare}


def test_what_is_frozen_is_in_no_group() -> None:
    module = Odd()
    optimiser = OptimConfig().build(module)
    held = {id(p) for g in optimiser.param_groups for p in g["params"]}
    assert not held & {id(p) for p in module.frozen.parameters()}


def test_without_a_gradient_decay_alone_moves_a_matrix_by_its_closed_form() -> None:
    module = Odd()
    optimiser = OptimConfig(lr=0.1, weight_decay=0.5).build(module)
    before = module.layer.weight.detach().clone(), module.layer.bias.detach().clone()
    for p in module.parameters():
        p.grad = torch.zeros_like(p)
    optimiser.step()
    torch.testing.assert_close(module.layer.weight, before[0] * (1 - 0.1 * 0.5))
    assert torch.equal(module.layer.bias, before[1])
