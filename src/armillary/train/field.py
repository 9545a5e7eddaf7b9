"""The field of a joint model, estimated from places: means, and covariances of all strands in every ring.

Places have some strands and lack others, so covariances are those of the most likely Gaussian given what is there
(expectation-maximisation: Dempster, Laird & Rubin 1977), drawn towards what all rings have in common as far as places
are few. One piece of ground counts as one observation of each ring of frequencies up to a bound, since its
coefficients are no independent witnesses.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput
from armillary.models.field import Field, rows_of, takes_part, transformed
from armillary.sample.strands import Strands

ROUNDS = 30
"""Of expectation and maximisation."""

WITNESSES = 6.0
"""As so many independent observations counts, at most, what one place tells of one ring."""

REACH = 2.0
"""Of rings so far apart, correlations tell each other a third."""

FLOOR, LEAST = 3e-3, 1e-4
"""Variance that no number shares with any other: as a share of its own, and at least, so that a class that was never
seen tells nothing when it is."""

KNOWN = 0.98
"""A picture of which less is known is passed over."""

Channels = tuple[int, ...]


@dataclass
class _Sums:
    """Of items that show the same channels: how many numbers, the numbers of the first ring, products of all."""

    counts: Tensor
    firsts: Tensor
    products: Tensor
    places: set[str] = field(default_factory=set)


def estimate(into: Field, batches: Iterable[tuple[Strands, Sequence[str]]]) -> None:
    """Give a field the means and covariances of places.

    Args:
        into: the field; its own covariances before are forgotten.
        batches: network numbers in the model's order, and the name of the place of each item; items of one name are
            one witness.

    Raises:
        BadInput: nothing was seen.
    """
    kept = [(strands, places) for strands, places in batches]
    mean = _means(into, kept)
    sums = _gathered(into, kept, mean)
    if not sums:
        raise BadInput("no place showed any strand whole; give tiles without gaps")
    rings = len(into.factor)
    witnesses = _witnesses(sums, rings)
    start = _where_both_are(sums, rings, len(mean))
    found, shift = _most_likely(sums, start, _near(start, witnesses), witnesses)
    floor = torch.diag_embed(found.diagonal(dim1=1, dim2=2) * FLOOR + LEAST)
    area = [s.height * s.width for s in into.strands for _ in range(s.channels)]
    with torch.no_grad():
        into.mean.copy_(mean + shift / torch.tensor(area, dtype=torch.float64).sqrt())
        into.factor.copy_(torch.linalg.cholesky(found + floor))


def _whole(into: Field, strands: Strands, item: int) -> list[int]:
    """Strands of an item that are known all over."""
    return [
        i
        for i, name in enumerate(strands.x)
        if takes_part(into.strands[i]) and strands.known[name][item].float().mean() >= KNOWN
    ]


def _means(into: Field, kept: Sequence[tuple[Strands, Sequence[str]]]) -> Float[Tensor, " c"]:
    """Of every channel over places, each place counted once; 0 where nothing is known."""
    found: dict[int, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for strands, places in kept:
        for item, place in enumerate(places):
            for i in _whole(into, strands, item):
                found[i][place].append(list(strands.x.values())[i][item].double().mean(dim=(1, 2)))
    mean = torch.zeros(len(into.mean), dtype=torch.float64)
    for i, by_place in found.items():
        own = torch.stack([torch.stack(v).mean(dim=0) for v in by_place.values()])
        mean[list(into.channels[i])] = own.mean(dim=0)
    return mean


def _gathered(into: Field, kept: Sequence[tuple[Strands, Sequence[str]]], mean: Tensor) -> dict[Channels, _Sums]:
    """Products of the transforms of whole pictures, by which channels there are; every place weighs the same."""
    often: dict[str, int] = defaultdict(int)
    for _, places in kept:
        for place in places:
            often[place] += 1
    sums: dict[Channels, _Sums] = {}
    rings = len(into.factor)
    for strands, places in kept:
        values = list(strands.x.values())
        for item, place in enumerate(places):
            whole = _whole(into, strands, item)
            if not any(into.strands[i].height > 1 for i in whole):
                continue
            x = {i: (values[i][item].double() - mean[list(into.channels[i]), None, None])[None] for i in whole}
            layout = into.rings({i: (v.shape[-2], v.shape[-1]) for i, v in x.items()})
            waves = transformed(x, layout)[0]
            for members, parts in layout.parts.items():
                channels = tuple(c for i in members for c in into.channels[i])
                rows = [r for i in members for r in rows_of(i, x)]
                own = sums.setdefault(
                    channels,
                    _Sums(
                        torch.zeros(rings, dtype=torch.float64),
                        torch.zeros(len(channels), dtype=torch.float64),
                        torch.zeros(rings, len(channels), len(channels), dtype=torch.float64),
                    ),
                )
                own.places.add(place)
                for ring, start, stop in parts:
                    seen = waves[rows, start:stop]
                    own.counts[ring] += (stop - start) / often[place]
                    own.products[ring] += seen @ seen.mT / often[place]
                    if ring == 0:
                        own.firsts += seen[:, 0] / often[place]
    return sums


def _where_both_are(sums: dict[Channels, _Sums], rings: int, channels: int) -> Float[Tensor, "k c c"]:
    """Variances from all places that show a channel, correlations from those that show both; 1 and 0 without any.

    A table put together so need not be one of a Gaussian; the nearest one with the same variances is taken.
    """
    products, own, count = (torch.zeros(rings, channels, channels, dtype=torch.float64) for _ in range(3))
    for of, seen in sums.items():
        rows, columns = torch.tensor(of)[:, None], torch.tensor(of)
        products[:, rows, columns] += seen.products
        own[:, rows, columns] += seen.products.diagonal(dim1=1, dim2=2)[:, :, None]  # of the row's channel
        count[:, rows, columns] += seen.counts[:, None, None]
    correlations = products / (own * own.mT).sqrt().clamp(min=1e-12)
    values, vectors = torch.linalg.eigh((correlations + correlations.mT) / 2)
    near: Tensor = vectors * values.clamp(min=FLOOR)[:, None] @ vectors.mT
    total, shown = (t.diagonal(dim1=1, dim2=2) for t in (products, count))
    known = (total > 0) & (shown > 0)
    deviations = torch.where(known, total / shown.clamp(min=1e-12), 1.0).sqrt()
    scale = deviations * near.diagonal(dim1=1, dim2=2).rsqrt()
    return scale[:, :, None] * near * scale[:, None]


def _witnesses(sums: dict[Channels, _Sums], rings: int) -> Float[Tensor, " k"]:
    """Independent observations of each ring."""
    places = len(set().union(*(own.places for own in sums.values())))
    counts = sum(own.counts for own in sums.values())
    assert isinstance(counts, Tensor)  # noqa: S101 (there is one at least)
    return torch.minimum(counts, torch.full((rings,), places * WITNESSES))


def _near(c: Float[Tensor, "k c c"], witnesses: Float[Tensor, " k"]) -> Float[Tensor, "k c c"]:
    """Covariances with the variances of each ring and the correlations of the rings about it."""
    scale = c.diagonal(dim1=1, dim2=2).sqrt()
    correlations = c / (scale[:, :, None] * scale[:, None])
    ring = torch.arange(len(c), dtype=torch.float64)
    weight = witnesses * torch.exp(-(ring[:, None] - ring).abs() / REACH)
    around = torch.einsum("kj,jab->kab", weight / weight.sum(dim=1, keepdim=True), correlations)
    return scale[:, :, None] * around * scale[:, None]


def _most_likely(sums: dict[Channels, _Sums], start: Tensor, prior: Tensor, witnesses: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest covariance of each ring, drawn towards another one as if that had been seen once per channel.

    Besides, how far the means of the first ring lie from those of what was seen: places that show one strand are not
    those that show another.
    """
    n = start.shape[-1]
    held = n / (n + witnesses)[:, None, None]
    c, shift = start, start.new_zeros(n)
    for _ in range(ROUNDS):
        total, moved = torch.zeros_like(c), torch.zeros_like(shift)
        count = c.new_zeros(len(c))
        for of, own in sums.items():
            more, first = _expected(c, of, own, shift)
            total, moved, count = total + more, moved + first, count + own.counts
        seen = torch.where(count[:, None, None] > 0, total / count.clamp(min=1e-12)[:, None, None], prior)
        c = (1 - held) * seen + held * prior
        c = (c + c.mT) / 2
        shift = shift + moved / count[0].clamp(min=1e-12)
    return c, shift


def _expected(c: Tensor, of: Channels, own: _Sums, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Where only some channels were seen: the sum of products of all that is expected, and of the first ring itself.

    Both about the means as they are taken for now.
    """
    o = list(of)
    m = [k for k in range(c.shape[-1]) if k not in set(of)]
    about = shift[o]
    products, firsts = own.products.clone(), own.firsts - own.counts[0] * about
    products[0] -= torch.outer(own.firsts, about) + torch.outer(about, firsts)
    out, first = torch.zeros_like(c), torch.zeros_like(shift)
    out[:, torch.tensor(o)[:, None], torch.tensor(o)] = products
    first[o] = firsts
    if not m:
        return out, first
    rows, columns = torch.tensor(m)[:, None], torch.tensor(o)
    seen = c[:, columns[:, None], columns]
    jitter = torch.diag_embed(seen.diagonal(dim1=1, dim2=2) * FLOOR)
    across = torch.linalg.solve(seen + jitter, c[:, columns[:, None], rows[:, 0]]).mT
    crossed = across @ products
    left = c[:, rows, rows[:, 0]] - across @ c[:, columns[:, None], rows[:, 0]]
    out[:, rows, columns] = crossed
    out[:, columns[:, None], rows[:, 0]] = crossed.mT
    out[:, rows, rows[:, 0]] = crossed @ across.mT + own.counts[:, None, None] * left
    first[m] = across[0] @ firsts
    return out, first
