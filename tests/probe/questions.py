"""Synthetic questions with a known answer, for tests of probes."""

import numpy as np

from armillary.probe.answer import AnyOf, ClassMap, OneOf, Value, ValueMap
from armillary.probe.asked import Asked, Parts, Seen

CLASSES = ("a", "b", "c")


def parts(n: int) -> Parts:
    """Half teaches, a quarter chooses, a quarter is asked."""
    order = np.random.default_rng(5).permutation(n)
    return Parts(order[: n // 2], order[n // 2 : 3 * n // 4], order[3 * n // 4 :])


def one_of(n: int = 80, width: int = 6, seed: int = 0) -> Asked:
    """Three classes, each around a corner."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, size=n)
    x = rng.normal(size=(n, width)) + 2 * np.eye(width)[y]
    return Asked(OneOf(CLASSES), Seen(x.astype(np.float32)), tuple(np.array(c) for c in y), parts(n))


def any_of(n: int = 80, width: int = 6, seed: int = 0) -> Asked:
    """Three classes, each told by one feature and noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width))
    y = x[:, :3] + 0.5 * rng.normal(size=(n, 3)) > 0
    return Asked(AnyOf(CLASSES), Seen(x.astype(np.float32)), tuple(y), parts(n))


def value(n: int = 80, width: int = 6, seed: int = 0) -> Asked:
    """A linear function and noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width))
    y = 5 + x @ np.arange(width) + 0.3 * rng.normal(size=n)
    return Asked(Value("m"), Seen(x.astype(np.float32)), tuple(np.array(v, dtype=np.float32) for v in y), parts(n))


def class_map(n: int = 16, grid: int = 4, zoom: int = 3, seed: int = 0) -> Asked:
    """Blocks of pixels of three classes, which the maps tell point by point."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, size=(n, grid, grid))
    maps = [np.moveaxis(3 * np.eye(5)[y], -1, 1) + 0.3 * rng.normal(size=(n, 5, grid, grid)) for _ in range(4)]
    truths = y.repeat(zoom, axis=1).repeat(zoom, axis=2)
    seen = Seen(np.zeros((n, 1), dtype=np.float32), tuple(m.astype(np.float16) for m in maps))
    return Asked(ClassMap(CLASSES), seen, tuple(truths), parts(n))


def value_map(n: int = 16, grid: int = 4, zoom: int = 3, seed: int = 0) -> Asked:
    """Blocks of pixels, whose value is a linear function of the first map."""
    rng = np.random.default_rng(seed)
    maps = [rng.normal(size=(n, 5, grid, grid)) for _ in range(4)]
    y = (10 + 3 * maps[0][:, 0] - 2 * maps[0][:, 1]).repeat(zoom, axis=1).repeat(zoom, axis=2)
    seen = Seen(np.zeros((n, 1), dtype=np.float32), tuple(m.astype(np.float16) for m in maps))
    return Asked(ValueMap("m"), seen, tuple(y.astype(np.float32)), parts(n))
