"""Contrast: views of one place lie close together, views of other places apart (InfoNCE, arXiv:1807.03748)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


def info_nce(
    z: Float[Tensor, "b d"], places: Sequence[str], *, temperature: float
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """For each view, -log of the share that its positives have among all others; the mean over its positives.

    L_i = -1/|P(i)| sum over p in P(i) of log(exp(z_i.z_p / t) / sum over a != i of exp(z_i.z_a / t)), with z of length
    1 and P(i) the other views of the same place (SupCon's L_out, arXiv:2004.11362, eq. 2, with places as classes).

    Args:
        z: one vector per view.
        places: of each view.
        temperature: t.

    Returns:
        The loss of each view, 0 where it has no positive, and 1 or 0 for whether it has one.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(places))}
    of = torch.tensor([names[p] for p in places], device=z.device)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positive = (of[:, None] == of[None]) & ~itself
    unit = normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)
    likeness = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    log_share = likeness - likeness.logsumexp(dim=1, keepdim=True)
    many = positive.sum(dim=1)
    loss = -torch.where(positive, log_share, 0.0).sum(dim=1) / many.clamp_min(1)
    return loss, (many > 0).float()
