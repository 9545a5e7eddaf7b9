"""The soft loss against loops, and the identities that tie it to SupCon, InfoNCE and the sigmoid loss."""

import math

import pytest
import torch
from torch.testing import assert_close

from armillary.train.contrast import likeness, sigmoid_contrast, weighted_contrast
from armillary.train.soft import Form, Logits, soft_loss, soft_targets

N = 6
EYE = torch.eye(N, dtype=torch.bool)
ALL = torch.ones(N, N, dtype=torch.bool)


def table(seed: int = 0) -> torch.Tensor:
    return torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def labels() -> torch.Tensor:
    y = (torch.rand(N, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) > 0.4).double()
    y[:, 0] = 1  # nobody is without
    return y


def by_loop(logits: torch.Tensor, wanted: torch.Tensor, asked: torch.Tensor, form: Form) -> list[float]:
    out = []
    for i in range(N):
        js = [j for j in range(N) if asked[i, j]]
        if form == "ce":
            whole = sum(math.exp(float(logits[i, j])) for j in js)
            total = sum(float(wanted[i, j]) for j in js)
            told = sum(float(wanted[i, j]) / total * math.log(math.exp(float(logits[i, j])) / whole) for j in js)
            out.append(-told)
            continue
        loss = 0.0
        for j in js:
            p, s = 1 / (1 + math.exp(-float(logits[i, j]))), float(wanted[i, j])
            loss += (p - s) ** 2 if form == "mse" else -s * math.log(p) - (1 - s) * math.log(1 - p)
        out.append(loss)
    return out


@pytest.mark.parametrize("form", ["bce", "mse", "ce"])
def test_each_form_equals_a_loop_over_pairs(form: Form) -> None:
    y = labels()
    y[4] = torch.nan
    wanted, asked = soft_targets(y, y, EYE)
    sums, counts = soft_loss(table(), wanted, asked, form)
    asked_rows = [i for i in range(N) if i != 4]
    expected = torch.tensor(by_loop(table(), wanted, asked | EYE, form), dtype=torch.float64)
    assert_close(sums[asked_rows], expected[asked_rows])
    assert float(sums[4]) == 0
    assert counts.tolist() == [1.0 if form == "ce" else 5.0] * 4 + [0.0] + [1.0 if form == "ce" else 5.0]


@pytest.mark.parametrize("form", ["bce", "mse", "ce"])
def test_an_item_without_labels_is_asked_in_no_row_and_no_column(form: Form) -> None:
    y = labels()
    y[2] = 0.0  # an empty list of labels
    wanted, asked = soft_targets(y, y, EYE)
    other = table()
    other[2], other[:, 2] = 7.0, -7.0
    assert_close(soft_loss(other, wanted, asked, form), soft_loss(table(), wanted, asked, form))


@pytest.mark.parametrize("form", ["bce", "mse", "ce"])
def test_gradients_are_those_of_differences(form: Form) -> None:
    logits = table().requires_grad_()
    wanted, asked = soft_targets(labels(), labels(), EYE)
    assert torch.autograd.gradcheck(lambda x: soft_loss(x, wanted, asked, form)[0], (logits,))


def test_bce_pulls_each_pair_by_how_far_its_chance_is_from_its_target() -> None:
    logits = table().requires_grad_()
    wanted, asked = soft_targets(labels(), labels(), EYE)
    sums, counts = soft_loss(logits, wanted, asked)
    (sums.sum() / counts.sum()).backward()
    assert_close(logits.grad, (logits.detach().sigmoid() - wanted) / N**2)


def test_with_one_label_each_targets_are_the_same_class_and_ce_is_sup_con_with_the_own_key_as_a_positive() -> None:
    of = torch.tensor([0, 1, 0, 2, 1, 0])
    y = torch.eye(3, dtype=torch.float64)[of]
    wanted, asked = soft_targets(y, y, EYE)
    same = (of[:, None] == of[None]).double()
    assert_close(wanted, same)
    logits = table()
    loop = [
        -sum(float(logits[i].log_softmax(dim=0)[p]) for p in range(N) if same[i, p]) / float(same[i].sum())
        for i in range(N)
    ]
    assert_close(soft_loss(logits, wanted, asked, "ce")[0], torch.tensor(loop, dtype=torch.float64))


def test_with_all_labels_different_ce_is_info_nce() -> None:
    y = torch.eye(N, dtype=torch.float64)
    wanted, asked = soft_targets(y, y, EYE)
    expected = torch.nn.functional.cross_entropy(table(), torch.arange(N), reduction="none")
    assert_close(soft_loss(table(), wanted, asked, "ce")[0], expected)
    assert_close(weighted_contrast(table(), EYE.double(), ALL)[0], expected)


def test_with_all_labels_different_bce_is_the_sigmoid_loss() -> None:
    y = torch.eye(N, dtype=torch.float64)
    wanted, asked = soft_targets(y, y, EYE)
    assert_close(soft_loss(table(), wanted, asked)[0], sigmoid_contrast(table(), EYE)[0])


def test_targets_are_symmetric_with_one_on_the_diagonal_and_follow_their_items() -> None:
    y, order = labels(), torch.tensor([5, 3, 1, 0, 2, 4])
    wanted, asked = soft_targets(y, y, EYE)
    assert_close(wanted, wanted.T)
    assert wanted.diagonal().tolist() == [1.0] * N
    assert bool(asked.all())
    assert_close(soft_targets(y[order], y[order], EYE)[0], wanted[order][:, order])


def test_reordered_items_have_reordered_losses() -> None:
    y, order = labels(), torch.tensor([5, 3, 1, 0, 2, 4])
    sums, _ = soft_loss(table(), *soft_targets(y, y, EYE))
    shuffled, _ = soft_loss(table()[order][:, order], *soft_targets(y[order], y[order], EYE))
    assert_close(shuffled, sums[order])


def test_a_scale_and_a_bias_may_be_learned_and_the_scale_stays_above_zero() -> None:
    cosines = likeness(table(), table(1))
    plain, learned = Logits(10.0, -3.0), Logits(10.0, -3.0, learned=True)
    assert_close(plain(cosines), cosines * 10 - 3)
    assert [p.requires_grad for p in (*plain.parameters(), *learned.parameters())] == [False, False, True, True]
    soft_loss(learned(cosines), *soft_targets(labels(), labels(), EYE))[0].sum().backward()
    assert all(p.grad is not None and float(p.grad.abs()) > 0 for p in learned.parameters())
