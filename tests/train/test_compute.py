import pytest
import torch
from tests.train.tiny import OWN, draw_of, tiny_mae
from torch import nn

from armillary.errors import BadInput
from armillary.models.copernicus_fm import random_model
from armillary.sample.stream import Draw
from armillary.train.compute import flops_of, steps_for
from armillary.train.objective import Term
from armillary.train.pretrain import PretrainConfig, Pretraining
from armillary.train.softcon import SceneConfig, SceneContrast


class Product(nn.Module):
    """A layer of 8 to 4 numbers on 3 rows, and attention over 5 tokens of 6 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)
        self.tokens = nn.Parameter(torch.ones(1, 1, 5, 6))

    def forward(self, draw: Draw) -> dict[str, Term]:
        seen = nn.functional.scaled_dot_product_attention(self.tokens, self.tokens, self.tokens)
        return {"sum": Term(self.layer(torch.ones(len(draw), 8)).sum() + seen.sum(), torch.tensor(1.0))}


def test_a_step_is_counted_by_its_products_forward_and_backward() -> None:
    layer = 2 * 3 * 8 * 4 * 2  # forward, and the gradient of the weight; the input asks for none
    attention = (2 + 4) * 2 * 5 * 5 * 6
    assert flops_of(Product(), [draw_of({}, 3)]) == layer + attention


def test_measuring_changes_nothing_that_is_kept() -> None:
    made = SceneContrast(random_model(OWN), SceneConfig(soft=0.0, queue=8, hidden=8, projected=4), steps=3)
    before = {k: v.clone() for k, v in made.state_dict().items()}
    assert flops_of(made, [draw_of({"s2-l2a": (0, 1)}, 2, step=1)]) > 0
    torch.testing.assert_close(dict(made.state_dict()), before, rtol=0, atol=0, equal_nan=True)
    assert all(p.grad is None for p in made.parameters())


def test_steps_times_their_cost_is_the_budget_whatever_is_learned() -> None:
    draws = [draw_of({"s2-l2a": (0, 1)}, 2)]
    two = SceneContrast(random_model(OWN), SceneConfig(learn="info-nce", hidden=8, projected=4), steps=3)
    for made in (two, Pretraining(tiny_mae(), PretrainConfig())):
        assert steps_for(1.0, made, draws) * flops_of(made, draws) == pytest.approx(1e12, rel=1e-3)


def test_without_a_draw_nothing_can_be_weighed() -> None:
    with pytest.raises(BadInput, match="no draw was given"):
        flops_of(Product(), [])
