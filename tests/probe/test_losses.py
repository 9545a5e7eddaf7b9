import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from armillary.probe.answer import IGNORE, AnyOf, ClassMap, OneOf, Value, ValueMap
from armillary.probe.losses import Level, channels, cost, finished, level_of
from probe.questions import value, value_map

RNG = torch.Generator().manual_seed(0)
OUT = torch.randn(2, 3, 4, 4, generator=RNG)


def _maps(*shapes: tuple[int, int]) -> list[torch.Tensor]:
    return [torch.randint(0, 3, s, generator=RNG) for s in shapes]


def test_a_map_as_fine_as_its_truth_costs_the_cross_entropy_of_its_pixels() -> None:
    truths = _maps((4, 4), (4, 4))
    truths[1][:2] = IGNORE
    expected = cross_entropy(OUT, torch.stack(truths), ignore_index=IGNORE)
    torch.testing.assert_close(cost(ClassMap(tuple("abc")), OUT, truths, Level()), expected)


def test_truths_of_different_sizes_cost_what_their_pixels_cost_together() -> None:
    truths, answer = _maps((4, 4), (8, 8)), ClassMap(tuple("abc"))
    each = [float(cost(answer, OUT[i : i + 1], truths[i : i + 1], Level())) for i in (0, 1)]
    together = float(cost(answer, OUT, truths, Level()))
    assert together == pytest.approx((16 * each[0] + 64 * each[1]) / 80, rel=1e-5)


def test_unknown_values_cost_nothing_and_have_no_slope() -> None:
    out = torch.ones(1, 1, 2, 2, requires_grad=True)
    truth = torch.tensor([[3.0, float("nan")], [float("nan"), float("nan")]])
    loss = cost(ValueMap("m"), out, [truth], Level(1.0, 2.0))
    loss.backward()
    assert loss.item() == 0.0
    assert bool(torch.isfinite(out.grad).all())
    nothing = cost(ValueMap("m"), out, [torch.full((2, 2), torch.nan)], Level())
    assert nothing.item() == 0.0


def test_values_are_standardised_for_the_loss_and_told_in_their_unit() -> None:
    assert float(cost(Value("m"), torch.tensor([[1.0]]), [torch.tensor(7.0)], Level(3.0, 2.0))) == pytest.approx(1.0)
    assert finished(Value("m"), torch.tensor([1.0]), (), Level(3.0, 2.0)) == pytest.approx(5.0)


def test_predictions_are_probabilities_on_the_grid_of_the_truth() -> None:
    told = finished(ClassMap(tuple("abc")), OUT[0], (9, 7), Level())
    assert told.shape == (3, 9, 7)
    np.testing.assert_allclose(told.sum(axis=0), 1.0, atol=1e-5)
    assert finished(OneOf(tuple("abc")), torch.zeros(3), (), Level()).tolist() == pytest.approx([1 / 3] * 3)
    assert finished(AnyOf(tuple("abc")), torch.zeros(3), (), Level()).tolist() == pytest.approx([0.5] * 3)


def test_the_level_is_that_of_the_training_items_known_values() -> None:
    for asked in (value(), value_map()):
        known = np.concatenate([np.ravel(asked.truths[i]) for i in asked.parts.train]).astype(np.float64)
        level = level_of(asked, asked.parts.train)
        assert (level.mean, level.std) == pytest.approx((known.mean(), known.std()), rel=1e-6)


def test_a_head_gives_one_number_per_class_or_one() -> None:
    assert (channels(ClassMap(tuple("abcd"))), channels(Value("m"))) == (4, 1)
