"""Guidance: what is given counts for more, or less, than the network says.

Classifier-free guidance (Ho & Salimans, arXiv:2207.12598) needs a network that also answers without conditions. A joint
model does: it is asked once more with the given strands kept out, as ignored ones are (arXiv:2303.06555, section 3.4).
Predictions at one x are linear in each other, so it does not matter which kind is mixed.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.generate.condition import Roles
from armillary.generate.denoiser import ByStrand, Denoise
from armillary.models.path import UNITS


def guided(
    denoise: Denoise, roles: Roles, shown: ByStrand, blind: ByStrand, times: Float[Tensor, "b m"]
) -> dict[str, Tensor]:
    """Predictions for the moving strands: without + guidance x (with - without).

    Args:
        denoise: what is asked, once where the guidance is 1 and twice elsewhere.
        roles: of every strand, with the guidance.
        shown: every strand that the network sees.
        blind: noise to show in place of the given strands.
        times: of every strand.
    """
    said = denoise({s: shown[s] for s in roles.shown}, times)
    if not roles.guided:
        return {s: said[s] for s in roles.moving}
    given = set(roles.named("given"))
    kept = roles.shown if roles.ignoring != "left out" else tuple(s for s in roles.shown if s not in given)
    column = torch.tensor([s in given for s in roles.strands], device=times.device)
    alone = denoise({s: blind.get(s, shown[s]) for s in kept}, torch.where(column, UNITS, times))
    return {s: torch.lerp(alone[s], said[s], roles.guidance) for s in roles.moving}
