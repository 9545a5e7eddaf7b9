"""Pixels as items: dense questions put to probes that answer one item at a time.

A map of features is coarser than the truth. Between its points it is interpolated linearly, so a linear answer may be
computed on the coarse map and interpolated afterwards: the same numbers, far fewer of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from armillary.errors import OutOfRange
from armillary.probe.answer import ClassMap, is_dense
from armillary.probe.asked import Asked
from armillary.probe.choosing import stacked, vectors, with_truth

PIXELS = 20_000
"""Pixels that teach, at most, shared out evenly over the items; as many choose."""

PER_POINT = 4
"""Pixels of an item for each point of its finest map, at most: more would say the same again."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What one regression is fitted on: features and truth, row by row.

    Args:
        x: features.
        y: class number, classes that are there, or value.
        item: number of the item that a row comes from.
    """

    x: Float[np.ndarray, "p d"]
    y: Shaped[np.ndarray, "p ..."]
    item: Int[np.ndarray, " p"]

    def of(self, items: Int[np.ndarray, " m"]) -> "Rows":
        """Those of some items."""
        mine = np.isin(self.item, items)
        return Rows(self.x[mine], self.y[mine], self.item[mine])


@dataclass(frozen=True, eq=False)
class Affine:
    """(x - mean) weight + offset; a feature that is missing counts as its mean."""

    mean: Float[np.ndarray, " d"]
    weight: Float[np.ndarray, "d k"]
    offset: Float[np.ndarray, " k"]

    def __call__(self, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Row by row."""
        out: Float[np.ndarray, "n k"] = np.where(np.isfinite(x), x - self.mean, 0.0) @ self.weight + self.offset
        return out


def rows_of(asked: Asked, seed: int) -> Rows:
    """Training and validation items with a known truth as rows: their vectors, or some of their pixels (in float32).

    Raises:
        OutOfRange: nothing is known of any training item.
    """
    parts = asked.parts
    if is_dense(asked.answer):
        rng = np.random.default_rng(seed)
        drawn = [draw(asked, part, rng) for part in (parts.train, parts.val) if len(part)]
        x, y, item = (np.concatenate([getattr(r, name) for r in drawn]) for name in ("x", "y", "item"))
        return Rows(x, y, item)
    items = np.concatenate([with_truth(asked, part) for part in (parts.train, parts.val) if len(part)])
    return Rows(vectors(asked, items), stacked(asked, items), items)


def maps_of(asked: Asked, item: int) -> Float[Tensor, "d h w"]:
    """All maps of an item, above each other, on the grid of the first; numbers that are missing stay nan."""
    maps = [torch.from_numpy(m[item].astype(np.float32)) for m in asked.seen.maps]
    size = maps[0].shape[-2:]
    return torch.cat([m if m.shape[-2:] == size else resized(m[None], size)[0] for m in maps])


def resized(x: Float[Tensor, "b c _ _"], size: tuple[int, int] | torch.Size) -> Float[Tensor, "b c _ _"]:
    """Bilinear, pixels as areas: corners lie on corners."""
    return interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def draw(asked: Asked, items: Int[np.ndarray, " m"], rng: np.random.Generator, most: int = PIXELS) -> Rows:
    """Known pixels of these items, drawn without looking at their classes.

    Between the points of a map features are interpolated, so an item gives at most `PER_POINT` pixels for each.

    Args:
        asked: maps and truths.
        items: where to draw.
        rng: draws.
        most: pixels in all.

    Raises:
        OutOfRange: not one pixel is known.
    """
    points = max(int(np.prod(m.shape[2:])) for m in asked.seen.maps)
    each = min(max(most // len(items), 1), PER_POINT * points)
    order = items if len(items) <= most else rng.permutation(items)[:most]
    rows: list[Rows] = []
    for item in order.tolist():
        truth = np.asarray(asked.truths[item])
        known = np.flatnonzero((truth >= 0) if isinstance(asked.answer, ClassMap) else np.isfinite(truth))
        at = np.sort(rng.choice(known, min(each, len(known)), replace=False))
        if len(at):
            x = _at(maps_of(asked, item), truth.shape, at)
            rows.append(Rows(x, truth.ravel()[at], np.full(len(at), item, dtype=np.int64)))
    if not rows:
        raise OutOfRange(f"no pixel of {len(items)} items has a known truth; give items that have some")
    x, y, item_of = (np.concatenate([getattr(r, part) for r in rows]) for part in ("x", "y", "item"))
    return Rows(x, y, item_of)


def rendered(asked: Asked, items: Int[np.ndarray, " q"], answer: Affine) -> Iterator[Float[np.ndarray, "k h w"]]:
    """An affine answer for every pixel, on the truth's own grid, of which the shape alone is looked at."""
    mean, weight, offset = (torch.from_numpy(a.astype(np.float32)) for a in (answer.mean, answer.weight, answer.offset))
    for item in items.tolist():
        x = torch.nan_to_num(maps_of(asked, item) - mean[:, None, None])
        coarse = torch.einsum("dhw,dk->khw", x, weight) + offset[:, None, None]
        yield resized(coarse[None], np.asarray(asked.truths[item]).shape)[0].numpy()


def _at(x: Float[Tensor, "d h w"], shape: tuple[int, ...], at: Int[np.ndarray, " p"]) -> Float[np.ndarray, "p d"]:
    """What `resized` to this shape would give at pixels counted row by row."""
    rows, cols = np.divmod(at, shape[1])
    place = np.stack([(cols + 0.5) / shape[1], (rows + 0.5) / shape[0]], axis=-1) * 2 - 1
    grid = torch.from_numpy(place.astype(np.float32))[None, None]
    taken = grid_sample(x[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    out: Float[np.ndarray, "p d"] = taken[0, :, 0].T.numpy()
    return out
