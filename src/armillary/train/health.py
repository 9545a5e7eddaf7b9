"""Health of embeddings: whether vectors of one place agree, fill their space, and know no sensor from another.

    alignment       mean squared distance of two vectors of one place; 0 is best (arXiv:2005.10242, alpha = 2)
    uniformity      log of the mean of exp(-2 distance^2) over different places; lower is better (the same, t = 2)
    effective rank  exp of the entropy of the shares of the singular values: how many directions are used, of d
    sensor gap      distance of the mean vectors of two sensors, on the same places; 0 is none (arXiv:2203.02053 calls
                    it by another name), the mean over pairs of sensors

The first two and the last are of vectors of length 1. An embedding that says the same of everything is perfectly
aligned, so the numbers belong together: one that aligns while uniformity rises and rank falls has collapsed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from armillary.models.visible import vectors
from armillary.sample.stream import Draw, place_of
from armillary.train.kin import kin_of
from armillary.train.teachers import Encoder

HEALTH = "health/"
"""What the names of these numbers begin with in a journal."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """Vectors of samples, with their places and sensors.

    Args:
        z: one per sample.
        places: of each.
        sensors: of each.
    """

    z: Float[Tensor, "n d"]
    places: tuple[str, ...]
    sensors: tuple[str, ...]


def alignment(z: Float[Tensor, "n d"], pairs: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
    """Mean squared distance, 0 to 4, of the pairs; vectors of any length count as of length 1."""
    return _squared(z)[pairs].mean()


def uniformity(z: Float[Tensor, "n d"], pairs: Bool[Tensor, "n n"], *, t: float = 2.0) -> Float[Tensor, ""]:
    """Log of the mean of exp(-t distance^2) over the pairs: 0 where all are one point, lower the further apart."""
    apart = -t * _squared(z)[pairs]
    return apart.logsumexp(dim=0) - math.log(max(len(apart), 1))


def effective_rank(z: Float[Tensor, "n d"]) -> float:
    """Exp of the entropy of singular values as shares (Roy and Vetterli 2007; RankMe, arXiv:2210.02885), 1 to d.

    Of the vectors as they are, not centred. 0 where all are 0.
    """
    s = torch.linalg.svdvals(z.double())
    if not float(s.sum()) > 0:
        return 0.0
    p = s / s.sum()
    return float(torch.special.entr(p).sum().exp())


def sensor_gap(z: Float[Tensor, "n d"], other: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """Distance, 0 to 2, of the means of two sets of vectors of length 1."""
    apart = normalize(z.double(), dim=1).mean(dim=0) - normalize(other.double(), dim=1).mean(dim=0)
    gap: Tensor = torch.linalg.vector_norm(apart)
    return gap


def health_of(embedded: Embedded) -> dict[str, float]:
    """All four by name; what cannot be told, such as alignment where every place was seen once, is left out."""
    z = embedded.z
    if len(z) < 2 or not bool(torch.isfinite(z).all()):
        return {}
    names = {p: i for i, p in enumerate(dict.fromkeys(embedded.places))}
    of = torch.tensor([names[p] for p in embedded.places], device=z.device)
    upper = torch.ones(len(z), len(z), dtype=torch.bool, device=z.device).triu(1)
    same = (of[:, None] == of[None]) & upper
    apart = (of[:, None] != of[None]) & upper
    found = {"effective-rank": effective_rank(z)}
    if bool(same.any()):
        found["alignment"] = float(alignment(z, same))
    if bool(apart.any()):
        found["uniformity"] = float(uniformity(z, apart))
    gaps = _gaps(embedded)
    if gaps:
        found["sensor-gap"] = sum(gaps.values()) / len(gaps)
    return {HEALTH + name: value for name, value in found.items()}


def gathered(several: Sequence[Embedded]) -> Embedded:
    """Several as one."""
    return Embedded(
        torch.cat([e.z for e in several if len(e.z)] or [torch.zeros(0, 1)]),
        tuple(p for e in several for p in e.places),
        tuple(s for e in several for s in e.sensors),
    )


@torch.no_grad()
def embed_draw(encoder: nn.Module, draw: Draw) -> Embedded:
    """Vectors of every sample of a draw that an encoder reads, nothing hidden; its parameters stay as they are."""
    assert isinstance(encoder, Encoder)  # noqa: S101 (what the zoo holds)
    device = next(encoder.parameters()).device
    found: list[Tensor] = []
    places: list[str] = []
    names: list[str] = []
    for kin in kin_of(draw):
        if kin.sensor.name in encoder.card.entries:
            found += vectors(encoder, [(encoder.card.collate(kin.samples).to(device), None)])
            places += [place_of(draw.keys[row]) for row in kin.rows]
            names += [kin.sensor.name] * len(kin.rows)
    z = torch.cat([x.float().cpu() for x in found]) if found else torch.zeros(0, 1)
    return Embedded(z, tuple(places), tuple(names))


def _gaps(embedded: Embedded) -> Mapping[tuple[str, str], float]:
    """Gap of each pair of sensors over the places that have both."""
    at: dict[str, dict[str, list[int]]] = {}
    for i, (place, sensor) in enumerate(zip(embedded.places, embedded.sensors, strict=True)):
        at.setdefault(sensor, {}).setdefault(place, []).append(i)
    found = {}
    for one, two in combinations(sorted(at), 2):
        both = at[one].keys() & at[two].keys()
        if both:
            sides = [embedded.z[[i for p in sorted(both) for i in at[s][p]]] for s in (one, two)]
            found[one, two] = float(sensor_gap(*sides))
    return found


def _squared(z: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """Squared distance of each pair of vectors of length 1."""
    unit = normalize(z.double(), dim=1)
    length = unit.square().sum(dim=1)  # 1, but 0 of what is 0
    return (length[:, None] + length[None] - 2 * (unit @ unit.T)).clamp_min(0)
