"""Company: one sensor told from another that looks at the same ground, its own patches hidden wholly or in part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor

from armillary.models.card import Card
from armillary.models.mae import MaskedAutoencoder
from armillary.probe import fills
from armillary.probe.fills import Pixels
from armillary.tokens.mask import mask_random
from armillary.tokens.unpatch import unpatchify
from armillary.train.together import encode_together
from crops import MASKED, Crop
from rebuilding import ORACLE, OURS, Baselines, Score, Seen, batch_of, in_kinds, rebuilt, score, seen_of

Pair = tuple[Crop, Crop]
"""The sensor that is asked for, and the one that is seen."""

MEAN, PATCHES, SAME = "train mean", "linear: the other's patch means", "linear: the other's same pixel"
ALL, SOME = f"{OURS}, all of the other seen", f"{OURS}, 30 % of the other seen"
ALONE, BOTH = f"{OURS}, 30 % of its own seen", f"{OURS}, 30 % of its own and of the other seen"
PENALTY = 1e-3


@dataclass(frozen=True, eq=False)
class Ridge:
    """Sums of products of clues and targets."""

    clues: Float[np.ndarray, "k k"]
    both: Float[np.ndarray, "k c"]
    count: int

    @classmethod
    def of(cls, a: Float[np.ndarray, "n k"], t: Float[np.ndarray, "n c"]) -> "Ridge":
        """Sums over the rows."""
        a1 = np.concatenate([np.ones((len(a), 1)), a], axis=1).astype(np.float64)
        return cls(a1.T @ a1, a1.T @ t, len(a))

    def __add__(self, other: "Ridge") -> "Ridge":
        return Ridge(self.clues + other.clues, self.both + other.both, self.count + other.count)

    def tell(self, a: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n c"]:
        """Targets of other rows."""
        ridge = np.full(len(self.clues), PENALTY * self.count)
        ridge[0] = 0.0
        weights = np.linalg.solve(self.clues + np.diag(ridge), self.both)
        told: np.ndarray = weights[0] + a @ weights[1:]
        return told


Kind = tuple[str, tuple[str, ...], str, tuple[str, ...]]


def kind_of(pair: Pair) -> Kind:
    """Sensors and bands of both."""
    wanted, other = (c.sample.sensor for c in pair)
    return wanted.name, wanted.band_names, other.name, other.band_names


def both_ways(pairs: Iterator[Pair]) -> Iterator[Pair]:
    """Each sensor told from the other."""
    for radar, light in pairs:
        yield radar, light
        yield light, radar


def fit_pairs(pairs: Iterator[Pair], card: Card) -> dict[tuple[Kind, str], Ridge]:
    """Regressions of patch means on patch means, and of pixels on pixels."""
    found: dict[tuple[Kind, str], Ridge] = {}
    for pair in pairs:
        wanted, other = (seen_of(c, card) for c in pair)
        for name, told in ((PATCHES, _by_patch), (SAME, _by_pixel)):
            ridge = Ridge.of(told(other), told(wanted))
            key = kind_of(pair), name
            found[key] = found[key] + ridge if key in found else ridge
    return found


def _by_patch(seen: Seen) -> Float[np.ndarray, "n c"]:
    p = seen.crop.sample.sensor.patch_px
    rows: np.ndarray = reduce(seen.x, "c (r p) (s q) -> (r s) c", "mean", p=p, q=p)
    return rows


def _by_pixel(seen: Seen) -> Float[np.ndarray, "n c"]:
    rows: np.ndarray = rearrange(seen.x, "c h w -> (h w) c")
    return rows


@torch.inference_mode()
def told_from(
    mae: MaskedAutoencoder, wanted: Sequence[Crop], other: Sequence[Crop], own: Int[Tensor, "b k"] | None, ratio: float
) -> Float[np.ndarray, "b c h w"]:
    """The wanted sensor from what is seen of the other, and from its own patches at `own`, if any."""
    a, b = batch_of(mae.encoder.card, wanted), batch_of(mae.encoder.card, other)
    rows, columns = other[0].grid
    n = rows * columns
    theirs = mask_random(n, ratio, [c.seed + 1 for c in other]) if ratio else torch.arange(n).expand(len(b), n)
    at = {"b": theirs} if own is None else {"a": own, "b": theirs}
    seen, grids = encode_together(mae, {"a": a, "b": b}, at)
    first = seen["b"][:, :1] if own is None else seen["a"]
    where = torch.empty(len(a), 0, dtype=torch.long) if own is None else own
    pixels = mae.decoder(first, where, a, mae.encoder.codes(a.bands), grids["a"], seen["b"][:, 1:])
    if own is not None and mae.decoder.config.around:
        pixels = pixels + mae.start(a, own)
    return unpatchify(pixels.float(), a.patch_px, rows=grids["a"][0], columns=grids["a"][1]).numpy()


def scores_of_pairs(
    pairs: Sequence[Pair],
    baselines: Baselines,
    ridges: Mapping[tuple[Kind, str], Ridge],
    mae: MaskedAutoencoder,
) -> Iterator[tuple[str, Score]]:
    """Which sensor is seen, and every method's score on the one that is wanted."""
    of = {id(wanted): other for wanted, other in pairs}
    groups: dict[Kind, list[Crop]] = {}
    for pair in pairs:
        groups.setdefault(kind_of(pair), []).append(pair[0])
    for kind, crops in groups.items():
        for wanted in in_kinds(crops):
            other = [of[id(c)] for c in wanted]
            made = _made(mae, wanted, other)
            for i, crop in enumerate(wanted):
                seen, theirs = seen_of(crop, baselines.card), seen_of(other[i], baselines.card)
                for method, told in _without_learning(seen, theirs, kind, baselines, ridges):
                    yield kind[2], score(seen, method, told, seen.measured)
                for method, x in made.items():
                    asked = seen.asked if method in (ALONE, BOTH) else seen.measured
                    if asked.any():
                        yield kind[2], score(seen, method, x[i], asked)


def _made(mae: MaskedAutoencoder, wanted: Sequence[Crop], other: Sequence[Crop]) -> dict[str, np.ndarray]:
    rows, columns = wanted[0].grid
    own = mask_random(rows * columns, MASKED, [c.seed for c in wanted])
    return {
        ALL: told_from(mae, wanted, other, None, 0.0),
        SOME: told_from(mae, wanted, other, None, MASKED),
        ALONE: rebuilt(mae, wanted),
        BOTH: told_from(mae, wanted, other, own, MASKED),
    }


def _without_learning(
    seen: Seen, other: Seen, kind: Kind, baselines: Baselines, ridges: Mapping[tuple[Kind, str], Ridge]
) -> Iterator[tuple[str, Pixels]]:
    x, sensor = seen.x, seen.crop.sample.sensor
    means = np.array([baselines.means[sensor.name, b] for b in sensor.band_names], x.dtype)
    yield MEAN, np.broadcast_to(means[:, None, None], x.shape)
    p, (rows, columns) = sensor.patch_px, seen.crop.grid
    if (kind, PATCHES) in ridges:
        told = ridges[kind, PATCHES].tell(_by_patch(other))
        by_patch = rearrange(told, "(r s) c -> c r s", r=rows, s=columns)
        yield PATCHES, np.repeat(np.repeat(by_patch, p, axis=1), p, axis=2).astype(x.dtype)
        told = ridges[kind, SAME].tell(_by_pixel(other))
        yield SAME, rearrange(told, "(h w) c -> c h w", h=rows * p).astype(x.dtype)
    yield ORACLE, fills.oracle(x, seen.measured, p)
