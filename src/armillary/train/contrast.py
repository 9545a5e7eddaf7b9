"""Contrast: what belongs together lies close, what does not lies apart. InfoNCE, SupCon and the sigmoid loss.

Rows of a table of *logits* are queries, columns are keys. A loss gives each query a sum and a count: a mean over
processes is the mean over all their queries. Everything is computed in float32 at least, whatever autocast wants.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize

PerQuery = tuple[Float[Tensor, " q"], Float[Tensor, " q"]]
"""Sum and count of each query."""

KHOSLA = 0.07
"""Temperature, and base temperature, of SupCon's published code."""


def likeness(queries: Float[Tensor, "q d"], keys: Float[Tensor, "k d"]) -> Float[Tensor, "q k"]:
    """The cosine of each query with each key, in float32 or better."""
    wide = torch.promote_types(queries.dtype, torch.float32)
    with torch.autocast(queries.device.type, enabled=False):
        return normalize(queries.to(wide), dim=1) @ normalize(keys.to(wide), dim=1).T


def weighted_contrast(
    logits: Float[Tensor, "q k"], weights: Float[Tensor, "q k"], among: Bool[Tensor, "q k"]
) -> PerQuery:
    """For each query the weighted mean of -log share over its positives: - sum of w log share / sum of w.

    The share of a key is exp(its logit) / sum over the keys among which it is. So the loss is the log of that sum less
    the weighted mean of logits, and no table of shares is made.

    Args:
        logits: cosine / temperature.
        weights: of each key as a positive of a query; 0 is none. Keys outside `among` must have 0.
        among: the keys whose share is asked; the denominator.

    Returns:
        The loss of each query, 0 where it has no positive, and 1 or 0 for whether it has one.
    """
    total = weights.sum(dim=1)
    has = total > 0
    mean = (weights * logits).sum(dim=1) / torch.where(has, total, 1.0)
    whole = logits.masked_fill(~among, -torch.inf).logsumexp(dim=1)
    return torch.where(has, whole - mean, 0.0), has.to(logits.dtype)


def info_nce(
    z: Float[Tensor, "b d"], places: Sequence[str], *, temperature: float
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """For each view, -log of the share that its positives have among all others; the mean over its positives.

    L_i = -1/|P(i)| sum over p in P(i) of log(exp(z_i.z_p / t) / sum over a != i of exp(z_i.z_a / t)), with z of length
    1 and P(i) the other views of the same place (arXiv:1807.03748; SupCon's L_out with places as classes).

    Args:
        z: one vector per view.
        places: of each view.
        temperature: t.

    Returns:
        The loss of each view, 0 where it has no positive, and 1 or 0 for whether it has one.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(places))}
    of = torch.tensor([names[p] for p in places], device=z.device)
    others = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = likeness(z, z) / temperature
    return weighted_contrast(logits, ((of[:, None] == of[None]) & others).to(logits.dtype), others)


def sup_con(
    z: Float[Tensor, "b v d"],
    alike: Bool[Tensor, "b b"] | Float[Tensor, "b b"],
    *,
    temperature: float = KHOSLA,
    base_temperature: float | None = None,
    anchors: Literal["all", "one"] = "all",
) -> PerQuery:
    """Supervised contrast (arXiv:2004.11362, eq. 2, L_out) of several views of each item.

    L_i = -(t / t_base) / |P(i)| sum over p in P(i) of log(exp(z_i.z_p / t) / sum over a != i of exp(z_i.z_a / t)); P(i)
    are the other views of the items that are alike, i's own among them where alike[i, i]. Anchors without a positive
    count 0, where the published code divides by 1 and counts them.

    Args:
        z: items, their views, and the width; the length of a vector does not matter.
        alike: which items are positives of which, or with what weight; it need not be symmetric. The identity gives
            SimCLR's loss (arXiv:2002.05709), one class per item equal weights to all of a class.
        temperature: t.
        base_temperature: t_base, by which the published code makes losses of several temperatures alike; None: t, so
            that the loss is the formula's.
        anchors: every view is an anchor, or the first of each item ("one").

    Returns:
        Loss and count of each anchor, view by view: all items' first views, then all second ones.
    """
    items, views = z.shape[:2]
    if items == 0:
        return z.new_zeros(0), z.new_zeros(0)
    flat = rearrange(z, "b v d -> (v b) d")
    n = items if anchors == "one" else items * views
    logits = likeness(flat[:n], flat) / temperature
    others = torch.ones_like(logits, dtype=torch.bool).fill_diagonal_(fill_value=False)
    sums, counts = weighted_contrast(logits, alike.to(logits.dtype).repeat(n // items, views) * others, others)
    return sums * (temperature / (base_temperature or temperature)), counts


def sigmoid_contrast(logits: Float[Tensor, "q k"], same: Bool[Tensor, "q k"]) -> PerQuery:
    """Every pair asked on its own whether it belongs together (SigLIP, arXiv:2303.15343, eq. 1).

    L_i = - sum over j of log sigmoid(s_ij logit_ij), s_ij = 1 where `same`, else -1; a query counts 1.

    Args:
        logits: scale x cosine + bias; the paper begins with scale 10 and bias -10, both learned.
        same: pairs that belong together.
    """
    sign = torch.where(same, 1.0, -1.0).to(logits.dtype)
    return -logsigmoid(sign * logits).sum(dim=1), torch.ones_like(logits[:, 0])
