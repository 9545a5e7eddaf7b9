"""Positives: which items several labels make alike, and how much. Rules for SupCon on multi-label scenes.

*Labels* of an item are a row of numbers, one per class: 1 and 0 for what is there, or shares of the area. A row that
holds a NaN, or nothing but 0, says nothing: such an item is alike to its own other views alone.

SupCon's paper has one class per picture, so what several labels mean is a choice, made by name:

    all       the same set of labels
    any       one label in common; says nothing when every scene has most classes
    mulsup    each label on its own: the mean over an anchor's labels l of SupCon with P_l(i), all that have l
    jaccard   weight (sum of least / sum of greatest) ** power: |A & B| / |A | B| of sets
    cosine    weight y.y' / (|y| |y'|), the target of SoftCon
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from armillary.errors import BadInput

Rule = Literal["all", "any", "mulsup", "jaccard", "cosine"]
RULES: tuple[Rule, ...] = get_args(Rule)

TOO_MANY = 0.5
"""Positive rate above which a rule hardly tells items apart."""


@dataclass(frozen=True, eq=False)
class Positives:
    """What a rule makes of labels.

    Args:
        weights: of each key as a positive of each query; 0 is none.
        votes: terms that a query stands for: 1, or with mulsup the number of its labels that others share.
    """

    weights: Float[Tensor, "q k"]
    votes: Float[Tensor, " q"]


def known(labels: Float[Tensor, "b l"]) -> Bool[Tensor, " b"]:
    """Which items have labels."""
    return torch.isfinite(labels).all(dim=1) & (labels.nan_to_num(0.0) != 0).any(dim=1)


def present(labels: Float[Tensor, "b l"], at_least: float = 0.0) -> Float[Tensor, "b l"]:
    """1 where a class has a share above 0 and no less than `at_least`, else 0; NaN stays NaN."""
    there = ((labels > 0) & (labels >= at_least)).to(labels.dtype)
    return torch.where(torch.isfinite(labels), there, labels)


def alikeness(
    rule: Rule, labels: Float[Tensor, "q l"], others: Float[Tensor, "k l"], *, power: float = 1.0
) -> Float[Tensor, "q k"]:
    """How alike two items' labels are, 0 to 1; 0 where either has none. For mulsup, as `any`.

    Args:
        rule: by name; see the head of this file.
        labels: of the queries.
        others: of the keys.
        power: of jaccard.
    """
    both = known(labels)[:, None] & known(others)[None]
    y, x = (torch.nan_to_num(v if v.is_floating_point() else v.float()) for v in (labels, others))
    if rule == "all":
        found = _same(y, x).to(y.dtype)
    elif rule in ("any", "mulsup"):
        found = (_product(y, x.T) > 0).to(y.dtype)
    elif rule == "jaccard":
        least = _least(y, x)
        most = y.sum(dim=1)[:, None] + x.sum(dim=1)[None] - least
        found = (least / most.clamp_min(torch.finfo(y.dtype).tiny)) ** power
    elif rule == "cosine":
        found = _product(normalize(y, dim=1), normalize(x, dim=1).T).clamp(0.0, 1.0)
    else:
        raise BadInput(f"no rule of positives is called {rule!r}; known are {', '.join(RULES)}")
    return torch.where(both, found, 0.0)


def positives(
    rule: Rule,
    labels: Float[Tensor, "q l"],
    others: Float[Tensor, "k l"],
    *,
    own: Bool[Tensor, "q k"],
    among: Bool[Tensor, "q k"],
    power: float = 1.0,
) -> Positives:
    """Positives of each query among the keys; further views of its own item always are, with weight 1.

    Args:
        rule: by name.
        labels: of the queries.
        others: of the keys.
        own: keys that are of the query's own item.
        among: keys that may be positives; a query is not among its own.
        power: of jaccard.
    """
    if rule == "mulsup":
        return _by_label(labels, others, own & among, among)
    weights = torch.where(own, 1.0, alikeness(rule, labels, others, power=power)) * among
    return Positives(weights, (weights.sum(dim=1) > 0).to(weights.dtype))


def positive_rate(alike: Float[Tensor, "q k"], pairs: Bool[Tensor, "q k"]) -> tuple[Tensor, Tensor]:
    """Sum and count of the alikeness of pairs; its mean is the positive rate. Ask of different items with labels."""
    return (alike * pairs).sum(), pairs.sum().to(alike.dtype)


def _by_label(
    labels: Float[Tensor, "q l"], others: Float[Tensor, "k l"], own: Bool[Tensor, "q k"], among: Bool[Tensor, "q k"]
) -> Positives:
    """Each of a query's labels has one vote, shared evenly by the keys that have it; no label, one vote for its own.

    Since all labels of an anchor have the same denominator, the sum over them is a weighted sum over keys.
    """
    y, x = (present(torch.where(known(t)[:, None], t, 0.0)) for t in (labels, others))
    having = _product(among.to(y.dtype), x)
    weights = _product(y / having.clamp_min(1), x.T) * among
    votes = ((y > 0) & (having > 0)).sum(dim=1).to(y.dtype)
    alone = (votes == 0)[:, None]
    weights = torch.where(alone, own.to(y.dtype), weights)
    return Positives(weights, torch.where(votes == 0, own.any(dim=1).to(y.dtype), votes))


def _product(a: Float[Tensor, "q l"], b: Float[Tensor, "l k"]) -> Float[Tensor, "q k"]:
    """The matrix product in the precision of its factors, whatever autocast wants: it counts."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


def _same(y: Float[Tensor, "q l"], x: Float[Tensor, "k l"]) -> Bool[Tensor, "q k"]:
    """Class by class, so that no table of q x k x l is made."""
    found = torch.ones(len(y), len(x), dtype=torch.bool, device=y.device)
    for one, other in zip(y.T, x.T, strict=True):
        found &= one[:, None] == other[None]
    return found


def _least(y: Float[Tensor, "q l"], x: Float[Tensor, "k l"]) -> Float[Tensor, "q k"]:
    """Sum over classes of the smaller of two, likewise."""
    found = y.new_zeros(len(y), len(x))
    for one, other in zip(y.T, x.T, strict=True):
        found += torch.minimum(one[:, None], other[None])
    return found
