import pytest
import torch
from torch import nn

from armillary.errors import OutOfRange
from armillary.nn.low_rank import SCALE, LowRank, adapt
from armillary.nn.trunk import Trunk


def _trunk() -> Trunk:
    torch.manual_seed(0)
    return Trunk(16, depth=2, heads=2)


X = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(1))


def test_at_birth_nothing_changes() -> None:
    trunk = _trunk()
    before = trunk(X, ())[-1]
    assert len(adapt(trunk, 4, torch.Generator().manual_seed(0))) == 8
    assert torch.equal(trunk(X, ())[-1], before)


def test_only_corrections_learn() -> None:
    trunk = _trunk()
    frozen = {n: p.detach().clone() for n, p in trunk.named_parameters()}
    adapt(trunk, 4, torch.Generator().manual_seed(0))
    learning = [p for p in trunk.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=0.1)
    before = trunk(X, ())[-1].detach()
    trunk(X, ())[-1].square().sum().backward()
    optimiser.step()
    assert len(learning) == 2 * 8
    assert not torch.allclose(trunk(X, ())[-1], before)
    after = {n.replace(".base.", "."): p for n, p in trunk.named_parameters() if not p.requires_grad}
    assert {n: bool(torch.equal(p, frozen[n])) for n, p in after.items()} == dict.fromkeys(frozen, True)


def test_a_correction_is_the_product_of_its_two_matrices() -> None:
    layer = LowRank(nn.Linear(6, 5), 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.up.normal_(generator=torch.Generator().manual_seed(1))
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(2))
    whole = layer.base.weight + SCALE * layer.up @ layer.down
    torch.testing.assert_close(layer(x), x @ whole.T + layer.base.bias)


def test_a_rank_above_the_layer_is_refused() -> None:
    with pytest.raises(OutOfRange, match="give 1 to 5"):
        LowRank(nn.Linear(6, 5), 6, torch.Generator())


def test_a_module_without_such_layers_is_refused() -> None:
    with pytest.raises(OutOfRange, match="no linear layer"):
        adapt(nn.Sequential(nn.Linear(2, 2)), 1, torch.Generator())
