import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss, multilabel_soft_margin_loss

from armillary.probe.answer import Answer, AnyOf, OneOf, Value
from armillary.probe.sweep import NORM_EPS, Heads, Pace, first, sweep

N, D, K = 50, 7, 3
RATES = (0.05, 0.5)
X = torch.from_numpy(np.random.default_rng(0).normal(2, 3, size=(N, D)).astype(np.float32))
ONE = torch.from_numpy(np.random.default_rng(1).integers(0, K, size=N))
ANY = torch.from_numpy((np.random.default_rng(2).random((N, K)) < 0.4).astype(np.float32))
LEVEL = torch.from_numpy(np.random.default_rng(3).normal(size=N).astype(np.float32))
LOSSES = {
    OneOf: cross_entropy,
    AnyOf: multilabel_soft_margin_loss,
    Value: lambda s, y: l1_loss(s[:, 0], y),
}


def _plain(answer: Answer, y: Tensor, lr: float, start: Heads, pace: Pace, seed: int) -> nn.Sequential:
    """The published recipe in PyTorch's own parts, one learning rate at a time."""
    norm, layer = nn.BatchNorm1d(D, affine=False), nn.Linear(D, start.weight.shape[1])
    with torch.no_grad():
        layer.weight.copy_(start.weight[0])
        layer.bias.copy_(start.bias[0])
    head, rng = nn.Sequential(norm, layer), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(layer.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    steps = pace.epochs * -(-N // pace.batch)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(pace.epochs):
        for items in torch.randperm(N, generator=rng).split(pace.batch):
            loss = LOSSES[type(answer)](head(X[items]), y[items])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cosine.step()
    return head.eval()


@pytest.mark.parametrize(
    ("answer", "y", "k"), [(OneOf(("a", "b", "c")), ONE, K), (AnyOf(("a", "b", "c")), ANY, K), (Value("m"), LEVEL, 1)]
)
def test_all_learning_rates_at_once_are_the_published_recipe_one_by_one(answer: Answer, y: Tensor, k: int) -> None:
    pace = Pace(RATES, epochs=4, batch=16)
    start = first(D, k, len(RATES), torch.Generator().manual_seed(5))
    *_, heads = sweep(answer, X, y, start, pace, torch.Generator().manual_seed(9))
    for ours, lr in zip(heads(X), RATES, strict=True):
        torch.testing.assert_close(ours, _plain(answer, y, lr, start, pace, 9)(X).detach(), atol=2e-4, rtol=2e-4)


def test_running_moments_are_those_of_batch_norm() -> None:
    answer, pace = OneOf(("a", "b", "c")), Pace((0.1,), epochs=3, batch=16)
    start = first(D, K, 1, torch.Generator().manual_seed(5))
    *_, heads = sweep(answer, X, ONE, start, pace, torch.Generator().manual_seed(9))
    norm = _plain(answer, ONE, 0.1, start, pace, 9)[0]
    assert norm.eps == NORM_EPS
    torch.testing.assert_close(heads.mean, norm.running_mean)
    torch.testing.assert_close(heads.var, norm.running_var)


def _trained(pace: Pace, x: Tensor = X, y: Tensor = ONE) -> Heads:
    start = first(D, K, len(pace.rates), torch.Generator().manual_seed(1))
    *_, last = sweep(OneOf(("a", "b", "c")), x, y, start, pace, torch.Generator().manual_seed(2))
    return last


def test_a_rate_does_not_see_the_others() -> None:
    together, alone = _trained(Pace(RATES, 2, 16)), _trained(Pace(RATES[1:], 2, 16))
    torch.testing.assert_close(together.weight[1], alone.weight[0])


def test_one_item_is_enough_to_take_a_step() -> None:
    heads = _trained(Pace((0.1,), 5, 4), X[:1], ONE[:1])
    assert bool(torch.isfinite(heads(X)).all())
    assert int(heads(X[:1]).argmax()) == int(ONE[0])
