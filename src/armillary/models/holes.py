"""Holes: what a Gaussian field expects where numbers are missing from pictures that are known elsewhere.

A cloud leaves a hole in every band, a broken detector takes one band away. Shown as 0, a hole would be a measurement of
the mean. Here it becomes E[unknown | known], of which E[anything | known] is the same linear function as of true
numbers: what is expected of other strands is then right for a Gaussian field; how far samples spread does not count
what the holes may hide.

With Q the inverse of the covariance of all numbers (and a little noise), the unknown ones u solve Q_uu u = -Q_uk k. Q
and its inverse are small matrices per frequency, so conjugate gradients, led by the covariance itself, need some
twenty products.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from armillary.models.field import Field, restored, rows_of, transformed

NOISE = 0.03
"""Deviation of the noise that every known number is taken to have."""

MOST_PRODUCTS = 40
NEAR = 1e-3
"""Conjugate gradients end after so many products, or when the residual has become so small a part of the first."""

Pictures = Mapping[int, Float[Tensor, "b _ _ _"]]
Product = Callable[[Pictures], dict[int, Tensor]]


@torch.no_grad()
def filled(field: Field, pictures: Pictures, known: Mapping[int, Bool[Tensor, "b _ _ _"]]) -> dict[int, Tensor]:
    """Pictures with what the field expects where they are not known.

    Args:
        field: of all strands.
        pictures: number of a strand that takes part -> its clean values; any where they are not known.
        known: which values are.
    """
    mean = {i: field.mean[list(field.channels[i])][:, None, None] for i in pictures}
    about = {i: torch.where(known[i], x.float() - mean[i], 0.0) for i, x in pictures.items()}
    covariance, precision = _products(field, about)
    holes = {i: (~k).float() for i, k in known.items()}
    right = {i: -holes[i] * v for i, v in precision(about).items()}
    u = _solved(
        lambda x: {i: holes[i] * v for i, v in precision(x).items()},
        lambda x: {i: holes[i] * v for i, v in covariance(x).items()},
        right,
    )
    return {i: torch.where(known[i], x.float(), mean[i] + u[i]) for i, x in pictures.items()}


def _products(field: Field, like: Pictures) -> tuple[Product, Product]:
    """Products with the covariance of all numbers and with its inverse."""
    rings = field.rings({i: (v.shape[-2], v.shape[-1]) for i, v in like.items()})
    parts = []
    for members, some in rings.parts.items():
        c = field.covariance(members, [ring for ring, _, _ in some], rings.wider)
        c = c + NOISE**2 * torch.eye(c.shape[-1], dtype=c.dtype, device=c.device)
        rows = [r for i in members for r in rows_of(i, like)]
        parts += [
            (rows, start, stop, a, b)
            for (_, start, stop), a, b in zip(some, c.float(), torch.linalg.inv(c).float(), strict=True)
        ]

    def product(which: int) -> Product:
        def apply(x: Pictures) -> dict[int, Tensor]:
            waves = transformed(x, rings)
            out = torch.zeros_like(waves)
            for rows, start, stop, *both in parts:
                out[:, rows, start:stop] = both[which] @ waves[:, rows, start:stop]
            return restored(out, x, rings)

        return apply

    return product(0), product(1)


def _solved(times: Product, lead: Product, right: Pictures) -> dict[int, Tensor]:
    """Conjugate gradients, every item on its own."""
    u = {i: torch.zeros_like(v) for i, v in right.items()}
    r = dict(right)
    z = lead(r)
    p, rho = dict(z), _dot(r, z)
    enough = NEAR**2 * rho
    for _ in range(MOST_PRODUCTS):
        if bool((rho <= enough).all()):
            break
        q = times(p)
        a = torch.where(rho > enough, rho / _dot(p, q).clamp(min=torch.finfo(rho.dtype).tiny), 0.0)
        u = {i: u[i] + _each(a, p[i]) for i in u}
        r = {i: r[i] - _each(a, q[i]) for i in r}
        z = lead(r)
        after = _dot(r, z)
        p = {i: z[i] + _each(torch.where(rho > enough, after / rho, 0.0), p[i]) for i in p}
        rho = torch.where(rho > enough, after, 0.0)
    return u


def _dot(a: Pictures, b: Pictures) -> Float[Tensor, " b"]:
    """Scalar product of each item, in double precision."""
    parts = [(a[i].double() * b[i].double()).flatten(1).sum(dim=1) for i in a]
    return torch.stack(parts).sum(dim=0)


def _each(factor: Float[Tensor, " b"], x: Tensor) -> Tensor:
    return factor.to(x.dtype)[:, None, None, None] * x
