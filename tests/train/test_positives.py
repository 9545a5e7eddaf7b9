"""Rules of positives against sets, and SupCon on them against loops."""

import math

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from armillary.train.contrast import likeness, weighted_contrast
from armillary.train.positives import RULES, Rule, alikeness, known, positive_rate, positives, present

SETS = ({0, 1}, {0, 1}, {1}, {2}, {0, 1, 2}, set())
NOWHERE = 5
"""The item without labels."""


def labels() -> torch.Tensor:
    return torch.tensor([[float(c in s) for c in range(3)] for s in SETS], dtype=torch.float64)


def by_sets(rule: Rule, a: set[int], b: set[int]) -> float:
    if not a or not b:
        return 0.0
    return {
        "all": float(a == b),
        "any": float(bool(a & b)),
        "mulsup": float(bool(a & b)),
        "jaccard": len(a & b) / len(a | b),
        "cosine": len(a & b) / math.sqrt(len(a) * len(b)),
    }[rule]


def two_views() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels, own and among of two views of each item."""
    n = len(SETS)
    z = torch.randn(2 * n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    of = torch.arange(n).repeat(2)
    among = ~torch.eye(2 * n, dtype=torch.bool)
    return likeness(z, z) / 0.3, labels().repeat(2, 1), (of[:, None] == of[None]) & among, among


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_of_two_items_what_their_sets_say(rule: Rule) -> None:
    expected = torch.tensor([[by_sets(rule, a, b) for b in SETS] for a in SETS], dtype=torch.float64)
    assert_close(alikeness(rule, labels(), labels()), expected)


def test_jaccard_has_a_power_and_takes_shares() -> None:
    shares = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]], dtype=torch.float64)
    assert_close(alikeness("jaccard", shares, shares)[0, 1], torch.tensor(0.5 / 1.5, dtype=torch.float64))
    assert_close(alikeness("jaccard", shares, shares, power=2.0)[0, 1], torch.tensor(1 / 9, dtype=torch.float64))


@pytest.mark.parametrize("rule", RULES)
def test_an_item_without_labels_is_alike_to_its_other_view_alone(rule: Rule) -> None:
    _, y, own, among = two_views()
    y = torch.where(torch.arange(len(y))[:, None] % len(SETS) == NOWHERE, torch.nan, y)
    found = positives(rule, y, y, own=own, among=among)
    assert_close(found.weights[NOWHERE], own[NOWHERE].to(y.dtype))
    assert float(found.votes[NOWHERE]) == 1
    assert float(found.weights[0, NOWHERE]) == 0


def test_mulsup_is_the_mean_over_labels_of_sup_con_with_that_label() -> None:
    logits, y, own, among = two_views()
    terms = []
    for i in range(len(y)):
        whole = sum(math.exp(float(logits[i, j])) for j in range(len(y)) if j != i)
        for c in [c for c in range(3) if y[i, c]] or [None]:
            having = [j for j in range(len(y)) if j != i and (own[i, j] if c is None else y[j, c])]
            terms.append(-sum(math.log(math.exp(float(logits[i, j])) / whole) for j in having) / len(having))
    found = positives("mulsup", y, y, own=own, among=among)
    sums, counts = weighted_contrast(logits, found.weights, among)
    assert float(found.votes.sum()) == len(terms)
    mean = (sums * found.votes).sum() / (counts * found.votes).sum()
    assert_close(mean, torch.tensor(sum(terms) / len(terms), dtype=torch.float64))


@pytest.mark.parametrize("rule", RULES)
def test_one_label_per_item_makes_every_rule_the_same(rule: Rule) -> None:
    logits, _, own, among = two_views()
    y = torch.eye(3, dtype=torch.float64)[[0, 1, 0, 2, 1, 0]].repeat(2, 1)
    found = positives(rule, y, y, own=own, among=among)
    plain = positives("all", y, y, own=own, among=among)
    assert_close(weighted_contrast(logits, found.weights, among), weighted_contrast(logits, plain.weights, among))
    assert_close(found.votes, torch.ones_like(found.votes))


@pytest.mark.parametrize("rule", RULES)
def test_reordered_items_have_reordered_positives(rule: Rule) -> None:
    _, y, own, among = two_views()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(2))
    square = own[order][:, order], among[order][:, order]
    found = positives(rule, y, y, own=own, among=among)
    shuffled = positives(rule, y[order], y[order], own=square[0], among=square[1])
    assert_close(shuffled.weights, found.weights[order][:, order])
    assert_close(shuffled.votes, found.votes[order])


def test_the_positive_rate_is_the_mean_over_pairs_that_are_asked() -> None:
    y = labels()
    pairs = known(y)[:, None] & known(y)[None] & ~torch.eye(len(y), dtype=torch.bool)
    total, count = positive_rate(alikeness("any", y, y), pairs)
    assert (float(total), float(count)) == (14.0, 20.0)


def test_a_class_is_present_from_a_share_on_and_unknown_stays_unknown() -> None:
    shares = torch.tensor([[0.0, 0.005, 0.995], [torch.nan] * 3])
    assert present(shares)[0].tolist() == [0.0, 1.0, 1.0]
    assert present(shares, 0.01)[0].tolist() == [0.0, 0.0, 1.0]
    assert known(present(shares)).tolist() == [True, False]


def test_counting_survives_autocast() -> None:
    y = torch.ones(300, 3)
    among = ~torch.eye(300, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        found = positives("mulsup", y, y, own=~among, among=among)
    assert_close(found.weights.sum(dim=1), torch.full((300,), 3.0))


def test_normalised_labels_have_length_one_in_the_cosine() -> None:
    y = torch.rand(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_close(alikeness("cosine", y, y), normalize(y, dim=1) @ normalize(y, dim=1).T)
