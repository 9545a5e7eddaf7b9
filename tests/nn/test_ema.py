import pytest
import torch
from torch import nn

from armillary.errors import OutOfRange
from armillary.nn.ema import Ema


def one_number() -> nn.Module:
    module = nn.Module()
    module.x = nn.Parameter(torch.zeros(1))
    module.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
    return module


def put(module: nn.Module, value: float) -> None:
    with torch.no_grad():
        module.x.fill_(value)


def test_the_average_of_a_constant_is_the_constant() -> None:
    module = one_number()
    put(module, 3.0)
    ema = Ema(module, 0.99)
    for _ in range(5):
        ema.update(module)
    assert torch.equal(ema.averages["x"], torch.tensor([3.0]))


def test_after_a_step_up_the_average_follows_the_closed_form() -> None:
    module = one_number()
    ema = Ema(module, 0.5)
    put(module, 1.0)
    gap = 1.0
    for n in range(20):
        ema.update(module)
        gap *= min(0.5, (1 + n) / (10 + n))
        torch.testing.assert_close(ema.averages["x"], torch.tensor([1 - gap]), atol=1e-6, rtol=0)


def test_what_is_frozen_is_not_averaged() -> None:
    assert set(Ema(one_number(), 0.9).averages) == {"x"}


def test_swapped_averages_leave_even_when_the_block_fails() -> None:
    module = one_number()
    ema = Ema(module, 0.9)
    put(module, 5.0)
    seen = []
    with pytest.raises(RuntimeError, match="on purpose"), ema.swapped(module):  # noqa: PT012
        seen.append(module.x.item())
        raise RuntimeError("on purpose")
    assert [*seen, module.x.item(), ema.averages["x"].item()] == [0.0, 5.0, 0.0]


def test_a_decay_of_one_is_refused() -> None:
    with pytest.raises(OutOfRange, match="averages nothing"):
        Ema(one_number(), 1.0)
