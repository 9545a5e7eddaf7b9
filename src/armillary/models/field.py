"""Field: what strands tell of each other as one Gaussian random field, exactly; the project's own.

Some twenty places do not teach a network what a few covariances say: how bands follow each other, at every scale of
the ground. Here all strands are one stationary, isotropic Gaussian field. In the cosine transform its scales do not mix
and white noise stays white, so the best answer, E[z | x] = m + C A M^-1 (x - A m) with M = A C A + S^2 as in
`generate.gaussian`, is one small matrix per ring of frequencies: a Wiener filter over all strands at once, each at a
time of its own, whatever is given. A network beside it learns what is not Gaussian.

A cosine of k half-waves over a tile is the same ground in pixels of any size, so coarse strands take part in the
frequencies that they have, and a strand of one pixel in the first of them, the mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from armillary.errors import BadInput
from armillary.models.path import UNITS, Path
from armillary.models.strand import Strand

RING = 1.4
"""Outer over inner radius of a ring of frequencies, in half-waves over a tile of the model's own side. The first ring
is the mean alone, the second begins at 1."""

LEAST_SIGMA = 1e-6
"""With less noise there is none to tell: the answer is 0."""

Shape = tuple[int, int]


class Field(nn.Module):
    """The exact answer of a Gaussian field.

    At birth every number is independent of all others, with mean 0 and deviation 1; `train.field` learns it from
    places.

    Args:
        strands: of the model; those of one row of several numbers take no part.
        path: noise and prediction, which is v.

    Raises:
        BadInput: another prediction.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, strands: Sequence[Strand], path: Path) -> None:
        super().__init__()
        if path.prediction != "v":
            raise BadInput(f"a field answers v, and {path.prediction!r} was asked; take a path with prediction='v'")
        self.strands = tuple(strands)
        self.path = path
        ends = np.cumsum([0, *(s.channels for s in strands)]).tolist()
        self.channels = tuple(range(a, b) for a, b in pairwise(ends))
        """Of every strand, among all."""
        h, w = max((s.height, s.width) for s in strands)
        rings = _last_ring((h, w)) + 1
        self.register_buffer("mean", torch.empty(ends[-1]))
        self.register_buffer("factor", torch.empty(rings, ends[-1], ends[-1]))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Mean 0, every covariance the identity."""
        self.mean.zero_()
        self.factor.copy_(torch.eye(len(self.mean)).expand_as(self.factor))

    @torch.no_grad()
    def forward(
        self,
        pictures: Mapping[int, Float[Tensor, "b _ _ _"]],
        times: Float[Tensor, "b m"],
        present: Bool[Tensor, "b m"] | None,
    ) -> tuple[dict[int, Float[Tensor, "b _ _ _"]], dict[int, Float[Tensor, "b _ _ _"]]]:
        """What is said of every strand, v, and the clean values that it means.

        Args:
            pictures: number of a strand -> its values, 0 where an item has none.
            times: of all strands of the model, 0 (clean) to 1000.
            present: whether an item has a strand; None: all.
        """
        here = [i for i in pictures if takes_part(self.strands[i])]
        with torch.autocast(times.device.type, enabled=False):
            asked = times if present is None else torch.cat((times, present.to(times.dtype)), dim=1)
            distinct, back = torch.unique(asked, dim=0, return_inverse=True)
            alpha, sigma = self._noise(distinct)
            x = {i: pictures[i].float() for i in here}
            own = {i: self.mean[list(self.channels[i])][:, None, None] for i in here}
            at = {i: (alpha[back, i, None, None, None].float(), sigma[back, i, None, None, None].float()) for i in here}
            shown = {i: torch.ones_like(at[i][0]) if present is None else present[:, i, None, None, None] for i in here}
            wanted = {i: torch.where(shown[i] > 0, x[i] - at[i][0] * own[i], 0.0) for i in here}
            said = self._filtered(wanted, alpha, sigma, back)
            v = {i: said[i] - at[i][1] * own[i] for i in here}
            return v, {i: at[i][0] * x[i] - at[i][1] * v[i] for i in here}

    def rings(self, shapes: Mapping[int, Shape]) -> "Rings":
        """Which frequencies pictures of these sides have together."""
        return _rings(
            tuple(shapes),
            tuple(shapes.values()),
            tuple((self.strands[i].height, self.strands[i].width) for i in shapes),
        )

    def _noise(self, asked: Float[Tensor, "u _"]) -> tuple[Float[Tensor, "u m"], Float[Tensor, "u m"]]:
        """Alpha and sigma of every strand; what is absent is noise alone."""
        m = len(self.strands)
        t = asked[:, :m].double() / UNITS
        alpha, sigma = self.path.alpha(t), self.path.sigma(t)
        if asked.shape[1] == m:
            return alpha, sigma
        there = asked[:, m:] > 0
        return torch.where(there, alpha, 0.0), torch.where(there, sigma, 1.0)

    def _filtered(
        self, x: Mapping[int, Float[Tensor, "b _ _ _"]], alpha: Tensor, sigma: Tensor, back: Int[Tensor, " b"]
    ) -> dict[int, Float[Tensor, "b _ _ _"]]:
        """V of every strand, of values about their mean."""
        rings = self.rings({i: (v.shape[-2], v.shape[-1]) for i, v in x.items()})
        waves = transformed(x, rings)
        out = torch.zeros_like(waves)
        for members, parts in rings.parts.items():
            rows = [r for i in members for r in rows_of(i, x)]
            told = self._answers(members, [ring for ring, _, _ in parts], rings.wider, alpha, sigma)[back]
            for k, (_, start, stop) in enumerate(parts):
                out[:, rows, start:stop] = told[:, k] @ waves[:, rows, start:stop]
        return restored(out, x, rings)

    def _answers(
        self, members: Sequence[int], rings: Sequence[int], wider: Mapping[int, float], alpha: Tensor, sigma: Tensor
    ) -> Float[Tensor, "u k c c"]:
        """What v is of the channels of these strands, as a matrix per time and ring.

        With E[z | x] = G x, v = (alpha x - G x) / sigma, since alpha^2 + sigma^2 = 1.
        """
        strand = [i for i in members for _ in self.channels[i]]
        c = self.covariance(members, rings, wider)
        a, s = alpha[:, None, strand], sigma[:, None, strand]
        total = a[..., None] * c * a[..., None, :] + torch.diag_embed(s.square() + LEAST_SIGMA**2)
        gain = torch.linalg.solve(total, a[..., None] * c).mT
        told = (torch.diag_embed(a) - gain) / s.clamp(min=LEAST_SIGMA)[..., None]
        return torch.where(s[..., None] > LEAST_SIGMA, told, 0.0).float()

    def covariance(
        self, members: Sequence[int], rings: Sequence[int], wider: Mapping[int, float]
    ) -> Float[Tensor, "k c c"]:
        """Of the channels of these strands at these rings, in double precision.

        Args:
            members: numbers of the strands.
            rings: of frequencies.
            wider: number of a strand -> how many tiles of the model's own side its picture is.
        """
        factor = self.factor[list(rings)][:, [c for i in members for c in self.channels[i]]].double()
        if 0 in rings:  # a mean is the sum of a wider tile's numbers over the root of how many there are
            scale = torch.tensor(
                [wider[i] ** 0.5 for i in members for _ in self.channels[i]], dtype=factor.dtype, device=factor.device
            )
            first = torch.tensor([ring == 0 for ring in rings], device=factor.device)[:, None, None]
            factor = torch.where(first, factor * scale[:, None], factor)
        return factor @ factor.mT


@dataclass(frozen=True, eq=False)
class Rings:
    """The frequencies of pictures of some sides, sorted by ring and by which of the pictures have them.

    Args:
        side: rows and columns of the finest picture.
        order: its frequencies, row by row, so sorted.
        parts: numbers of strands -> ring, first and last place in that order.
        wider: number of a strand -> how many tiles of the model's own side its picture is.
    """

    side: Shape
    order: Int[np.ndarray, " n"]
    parts: Mapping[tuple[int, ...], tuple[tuple[int, int, int], ...]]
    wider: Mapping[int, float]


def rows_of(i: int, x: Mapping[int, Float[Tensor, "b _ _ _"]]) -> range:
    """Rows of one strand among the channels of all that are given, one strand after the other."""
    start = sum(v.shape[1] for j, v in list(x.items())[: list(x).index(i)])
    return range(start, start + x[i].shape[1])


def transformed(x: Mapping[int, Float[Tensor, "b _ _ _"]], rings: Rings) -> Float[Tensor, "b c n"]:
    """Cosine transforms of pictures, their channels one after the other, frequencies sorted; 0 where one has none."""
    first = next(iter(x.values()))
    out = first.new_zeros((len(first), sum(v.shape[1] for v in x.values()), *rings.side))
    for i, v in x.items():
        h, w = v.shape[-2:]
        out[:, list(rows_of(i, x)), :h, :w] = cosines(h).to(v) @ v @ cosines(w).to(v).mT
    return out.flatten(2)[..., torch.from_numpy(rings.order).to(first.device)]


def restored(waves: Float[Tensor, "b c n"], x: Mapping[int, Tensor], rings: Rings) -> dict[int, Tensor]:
    """The pictures of such transforms, of the shapes of x."""
    full = torch.empty_like(waves)
    full[..., torch.from_numpy(rings.order).to(waves.device)] = waves
    full = full.view(*full.shape[:2], *rings.side)
    out = {}
    for i, v in x.items():
        h, w = v.shape[-2:]
        out[i] = cosines(h).to(waves).mT @ full[:, list(rows_of(i, x)), :h, :w] @ cosines(w).to(waves)
    return out


def takes_part(strand: Strand) -> bool:
    """Whether a strand is a picture or one pixel; a row of numbers is neither."""
    return strand.height > 1 or strand.width == 1


def ring_of(radius: Float[np.ndarray, "*s"]) -> Int[np.ndarray, "*s"]:
    """The ring of frequencies in half-waves over a tile of the model's own side."""
    inside: Int[np.ndarray, "*s"] = 1 + np.floor(np.log(np.maximum(radius, 1)) / math.log(RING) + 1e-9).astype(int)
    return np.where(radius == 0, 0, inside)


def _last_ring(side: Shape) -> int:
    return int(ring_of(np.hypot(*np.array([[side[0] - 1.0], [side[1] - 1.0]])))[0])


@lru_cache(maxsize=32)
def cosines(n: int) -> Float[Tensor, "n n"]:
    """The orthonormal cosine transform: one row per half-wave."""
    k = torch.arange(n, dtype=torch.float64)
    waves = torch.cos(math.pi / n * k[:, None] * (k + 0.5)) * math.sqrt(2 / n)
    waves[0] /= math.sqrt(2)
    return waves.float()


@lru_cache(maxsize=32)
def _rings(numbers: tuple[int, ...], shapes: tuple[Shape, ...], own: tuple[Shape, ...]) -> Rings:
    h, w = max(shapes)
    oh, ow = own[shapes.index((h, w))]
    ky, kx = np.mgrid[:h, :w]
    ring = ring_of(np.hypot(ky * (oh / h), kx * (ow / w))).ravel()
    has = np.stack([((ky < a) & (kx < b)).ravel() for a, b in shapes], axis=1)
    sets, which = np.unique(has, axis=0, return_inverse=True)
    order = np.lexsort((ring, which.ravel()))
    ring, which = np.minimum(ring[order], _last_ring((oh, ow))), which.ravel()[order]
    cuts = np.flatnonzero((np.diff(ring) != 0) | (np.diff(which) != 0)) + 1
    parts: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), h * w], strict=True):
        members = tuple(i for i, there in zip(numbers, sets[which[start]], strict=True) if there)
        parts.setdefault(members, []).append((int(ring[start]), start, stop))
    wider = {i: a * b / (c * d) for i, (a, b), (c, d) in zip(numbers, shapes, own, strict=True)}
    return Rings((h, w), order, {m: tuple(p) for m, p in parts.items()}, wider)
