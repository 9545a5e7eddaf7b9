"""Splits: which items teach and which are asked. Places, events and near-duplicates stay on one side.

A *draw* is one split; its randomness is an argument. Items are numbers into a labelled set.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from armillary.errors import OutOfRange


@dataclass(frozen=True, eq=False)
class Split:
    """Items to learn from and items to ask, disjoint.

    Args:
        train: numbers of the items that teach.
        test: numbers of the items that are asked.
    """

    train: Int[np.ndarray, " m"]
    test: Int[np.ndarray, " q"]

    def __post_init__(self) -> None:
        shared = np.intersect1d(self.train, self.test)
        if len(shared) or not len(self.train) or not len(self.test):
            what = f"items {shared[:3].tolist()} on both sides" if len(shared) else "an empty side"
            raise OutOfRange(f"a split has {what}; both sides need items, and no item is on both")


def folds(y: Int[np.ndarray, " n"], count: int, rng: np.random.Generator) -> tuple[Split, ...]:
    """Stratified folds: each item is asked once, each class is spread over all folds as evenly as it goes."""
    _enough(len(y), count)
    return _splits(_dealt(y, count, rng), count)


def group_folds(
    groups: Int[np.ndarray, " n"], count: int, rng: np.random.Generator, *, y: Int[np.ndarray, " n"] | None = None
) -> tuple[Split, ...]:
    """Folds that never cut a group: large groups first, each to the fold that then is most even.

    Args:
        groups: number of each item's group.
        count: of folds.
        rng: breaks ties.
        y: classes to be spread evenly as well; None: only the number of items counts.
    """
    names, group = np.unique(groups, return_inverse=True)
    _enough(len(names), count)
    kinds = np.zeros(len(groups), dtype=np.int64) if y is None else np.unique(y, return_inverse=True)[1]
    content = np.zeros((len(names), kinds.max() + 1))
    np.add.at(content, (group, kinds), 1)
    shares = content / content.sum(axis=0)
    order = rng.permutation(len(names))
    order = order[np.argsort(-content[order].sum(axis=1), kind="stable")]
    held, fold_of = np.zeros((count, kinds.max() + 1)), np.empty(len(names), dtype=np.int64)
    for g in order:
        cost = np.square(held + shares[g]).sum(axis=1) - np.square(held).sum(axis=1)
        fold_of[g] = int(np.argmin(cost))
        held[fold_of[g]] += shares[g]
    return _splits(fold_of[group], count)


def leave_one_out(groups: Int[np.ndarray, " n"]) -> tuple[Split, ...]:
    """One split per group: it is asked, all others teach."""
    names, group = np.unique(groups, return_inverse=True)
    _enough(len(names), 2)
    return _splits(group, len(names))


def shots(
    y: Int[np.ndarray, " n"],
    per_class: int,
    rng: np.random.Generator,
    *,
    groups: Int[np.ndarray, " n"] | None = None,
) -> Split:
    """So many items of each class teach, and all others are asked; with groups, only those of untouched groups.

    Raises:
        OutOfRange: a class has no more items than that.
    """
    taken = []
    for label in np.unique(y):
        items = np.flatnonzero(y == label)
        if len(items) <= per_class:
            raise OutOfRange(f"{per_class} items of class {label} were asked for, it has {len(items)}; take fewer")
        taken.append(rng.permutation(items)[:per_class])
    train = np.sort(np.concatenate(taken))
    free = np.ones(len(y), dtype=bool)
    free[train] = False
    if groups is not None:
        free &= ~np.isin(groups, groups[train])
    return Split(train, np.flatnonzero(free))


def halves(y: Int[np.ndarray, " n"], seed: int = 0) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " q"]]:
    """A fixed half for decisions and the other for the final word, each class cut in two; the first is the larger.

    Example:
        >>> first, last = halves(np.array([0, 0, 0, 1, 1]))
        >>> len(first), len(last)
        (3, 2)
    """
    fold = _dealt(y, 2, np.random.default_rng(seed))
    return np.flatnonzero(fold == 0), np.flatnonzero(fold == 1)


def blocks(lonlat: Float[np.ndarray, "n 2"], side_deg: float = 1.0) -> Int[np.ndarray, " n"]:
    """The number of the square of so many degrees in which each place lies; -1 for an unknown place.

    Squares of longitude are widened away from the equator, so that blocks have about one size on the ground.

    Example:
        >>> blocks(np.array([[0.2, 0.2], [0.7, 0.3], [5.0, 0.2], [np.nan, 0.0]])).tolist()
        [0, 0, 1, -1]
    """
    known = np.isfinite(lonlat).all(axis=1)
    row = np.floor(lonlat[known, 1] / side_deg)
    width = side_deg / np.cos(np.deg2rad((row + 0.5) * side_deg)).clip(0.05)
    cell = np.stack([row, np.floor(lonlat[known, 0] / width)], axis=1)
    out = np.full(len(lonlat), -1, dtype=np.int64)
    out[known] = np.unique(cell, axis=0, return_inverse=True)[1].reshape(-1)
    return out


def repeated(y: Int[np.ndarray, " n"], count: int, repeats: int, seed: int) -> Iterator[tuple[Split, ...]]:
    """Stratified folds, drawn anew each time; draw k depends on (seed, k) alone."""
    for k in range(repeats):
        yield folds(y, count, np.random.default_rng((seed, k)))


def _dealt(y: Int[np.ndarray, " n"], count: int, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Items of each class dealt like cards; the next class goes on where the last one stopped."""
    out, at = np.empty(len(y), dtype=np.int64), 0
    for label in np.unique(y):
        items = rng.permutation(np.flatnonzero(y == label))
        out[items] = (at + np.arange(len(items))) % count
        at += len(items)
    return out


def _splits(fold: Int[np.ndarray, " n"], count: int) -> tuple[Split, ...]:
    return tuple(Split(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count))


def _enough(have: int, folds: int) -> None:
    if not 2 <= folds <= have:
        raise OutOfRange(f"{folds} folds of {have} were asked for; there are at least 2, and not more than there are")
