"""Land cover of a scene: how much of its ground each class holds, and which classes it is labelled with.

The rule of SSL4EO-S12-ML was never published; its examples carry up to seven of nine classes for 2.6 km, so that a
single pixel seems to suffice. That is the rule *paper*; *clean* asks for one percent of the ground.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Integer, Shaped

from armillary.earth.ellipsoid import belt_km2
from armillary.earth.legend import CLASSES, Legend
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange

ANCHORS = 9
"""Rows and columns at which the area of a pixel is computed, where it must be followed over a grid."""

How = Literal["top", "mean"]
"""What probabilities become: the share of ground whose likeliest class it is, or their mean."""


@dataclass(frozen=True)
class Cover:
    """What the ground of a scene is covered with.

    Args:
        fractions: share of each class in the area that is known; NaN where nothing is.
        valid: share of the area that is known.
        how: "top": shares of pixels of a class; "mean": mean probabilities, none of which is ever 0.

    Raises:
        OutOfRange: not nine shares that add up to 1, or a share that is none.
    """

    fractions: tuple[float, ...]
    valid: float
    how: How = "top"

    def __post_init__(self) -> None:
        whole = abs(sum(self.fractions) - 1) < 1e-3 if self.valid > 0 else True
        if len(self.fractions) != len(CLASSES) or not 0 <= self.valid <= 1 or not whole:
            raise OutOfRange(
                f"fractions {self.fractions} of a valid share of {self.valid} were given; give {len(CLASSES)} that add "
                "up to 1"
            )


@dataclass(frozen=True)
class Rule:
    """When a scene is labelled with a class.

    Args:
        threshold: least share of the known area; 0: a single pixel.
        least_valid: a scene of which less is known has no label.
    """

    threshold: float = 0.0
    least_valid: float = 0.5

    def __post_init__(self) -> None:
        if not (0 <= self.threshold < 1 and 0 <= self.least_valid <= 1):
            raise OutOfRange(
                f"threshold={self.threshold} and least_valid={self.least_valid} were asked for; give shares of the area"
            )

    def labels(self, cover: Cover) -> tuple[int, ...]:
        """The classes of a scene, ascending; none where too little is known.

        Raises:
            BadInput: mean probabilities with a threshold of 0, under which every scene has all nine classes.
        """
        if cover.how == "mean" and self.threshold == 0:
            raise BadInput(
                "a threshold of 0 was asked of mean probabilities, none of which is ever 0, so that every scene would "
                "have all nine classes; give a threshold such as 0.1, or take the likeliest class of each pixel"
            )
        if not cover.valid > 0 or cover.valid < self.least_valid:
            return ()
        return tuple(c for c, share in enumerate(cover.fractions) if share > 0 and share >= self.threshold)


RULES: Mapping[str, Rule] = MappingProxyType({"paper": Rule(), "clean": Rule(threshold=0.01)})
"""Name -> rule."""


def cover_of_classes(
    codes: Integer[np.ndarray, "h w"],
    legend: Legend,
    *,
    window: Window | None = None,
    known: Bool[np.ndarray, "h w"] | None = None,
    href: str = "the map",
) -> Cover:
    """Cover of a map of codes.

    Args:
        codes: as the map stores them.
        legend: what they mean.
        window: the place, whose pixels count by their area; None: all count alike.
        known: False where the file says that nothing was seen; None: the legend alone tells.
        href: what to call the map in messages.

    Raises:
        BadInput: a code that the legend does not know.
    """
    table = np.full(1 + max(255, *legend.codes, *legend.unsorted, *legend.empty), -2)
    table[list(legend.codes)] = list(legend.codes.values())
    table[[*legend.unsorted, *legend.empty]] = -1
    seen = np.ones(codes.shape, bool) if known is None else known
    inside = (codes >= 0) & (codes < len(table))
    classes = np.where(seen, np.where(inside, table[np.where(inside, codes, 0)], -2), -1)
    if (classes == -2).any():
        odd = ", ".join(str(int(v)) for v in np.unique(codes[classes == -2])[:5])
        raise BadInput(
            f"{href} holds {odd}, which the legend {legend.name} does not know; it knows "
            f"{', '.join(map(str, legend.codes))}; give the legend of this map, or what means nodata"
        )
    area = np.broadcast_to(pixel_areas(codes.shape, window), codes.shape)
    shares = np.bincount(classes[classes >= 0], weights=area[classes >= 0], minlength=len(CLASSES))
    return _cover(shares, classes >= 0, area, "top")


def cover_of_probabilities(
    probabilities: Float[np.ndarray, "9 h w"], *, window: Window | None = None, how: How = "top"
) -> Cover:
    """Cover of maps of the probability of each class, in the order of `CLASSES`; NaN where nothing was seen.

    Args:
        probabilities: 0 to 1; where they do not add up to 1, they are scaled so.
        window: as for `cover_of_classes`.
        how: "top" gives each pixel to its likeliest class, as Dynamic World's own label does; "mean" averages.

    Raises:
        OutOfRange: numbers that are no probabilities.
    """
    known = np.isfinite(probabilities).all(axis=0)
    p = np.where(known, probabilities, 0.0).astype(np.float64)
    if p.min() < 0 or p.max() > 1:
        raise OutOfRange(f"probabilities from {p.min():g} to {p.max():g} were given; give shares from 0 to 1")
    total = p.sum(axis=0)
    known &= total > 0
    area = np.broadcast_to(pixel_areas(known.shape, window), known.shape)
    if how == "top":
        shares = np.bincount(p.argmax(axis=0)[known], weights=area[known], minlength=len(CLASSES))
    else:
        shares = (p / np.where(known, total, 1.0) * np.where(known, area, 0.0)).sum(axis=(1, 2))
    return _cover(shares, known, area, how)


def pixel_areas(shape: tuple[int, int], window: Window | None) -> Float[np.ndarray, "h w"]:
    """Area of each pixel in km2, as an array that can be broadcast; 1 where the place is unknown.

    Exact for upright geographic grids. Elsewhere computed at a few rows and columns and interpolated between them,
    which follows the stretch of any map projection (Web Mercator's pixels are four times too large at 60 degrees).
    """
    if window is None or window.crs is None:
        return np.ones((1, 1))
    h, w = shape
    if window.crs.geographic and window.is_upright:
        a = window.affine
        return np.array([[belt_km2(a.f + r * a.e, a.f + (r + 1) * a.e, abs(a.a))] for r in range(h)])
    rows, cols = (np.unique(np.linspace(0, n - 1, min(n, ANCHORS)).round().astype(int)) for n in (h, w))
    at = np.array([[_pixel(window, int(r), int(c)).pixel_km2 for c in cols] for r in rows])
    across = np.stack([np.interp(np.arange(w), cols, line) for line in at])
    return np.stack([np.interp(np.arange(h), rows, line) for line in across.T], axis=1)


def multi_hot(labels: tuple[int, ...]) -> Float[np.ndarray, "9"]:
    """1 for each class of a scene, 0 for the others.

    Example:
        >>> multi_hot((0, 4)).astype(int).tolist()
        [1, 0, 0, 0, 1, 0, 0, 0, 0]
    """
    out = np.zeros(len(CLASSES))
    out[list(labels)] = 1.0
    return out


def _pixel(window: Window, row: int, col: int) -> Window:
    return window.crop(rows=slice(row, row + 1), cols=slice(col, col + 1))


def _cover(
    shares: Shaped[np.ndarray, "9"], known: Bool[np.ndarray, "h w"], area: Float[np.ndarray, "h w"], how: How
) -> Cover:
    valid = 1.0 if known.all() else float(area[known].sum() / area.sum())
    fractions = shares / shares.sum() if valid > 0 else np.full(len(CLASSES), np.nan)
    return Cover(tuple(float(f) for f in fractions), valid, how)
