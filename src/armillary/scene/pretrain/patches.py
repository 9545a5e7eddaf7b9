"""Patches: which squares of some 2.6 km within a cell become local patches of Sentinel-1 and -2.

A patch is 264 x 264 pixels of 10 m. Where a scene has 10 m pixels of its own in metres, patches lie on its pixels and
nothing is resampled; else they lie in the UTM zone of its middle. A scene that is smaller than a patch becomes one
patch of its own size.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from armillary.earth.cells import Cell
from armillary.earth.window import Window
from armillary.scene.pretrain.names import utm_window
from armillary.scene.scene import Scene

SIDE_PX, GSD_M = 264, 10.0

OVERLAP = 0.1
"""Two patches of a cell share at most this part of their side in both directions."""


def choose(scenes: Sequence[Scene], cell: Cell, limit: int) -> tuple[Window, ...]:
    """At most `limit` patches whose centre lies in the cell, in an order that only the cell's id decides.

    Scenes that come first are asked first: give those of Sentinel-2 before those of Sentinel-1.
    """
    rng = np.random.default_rng(cell.id)
    chosen: list[Window] = []
    for scene in scenes:
        found = [w for w in candidates(scene) if Cell.at(*w.center) == cell]
        for i in rng.permutation(len(found)):
            if len(chosen) < limit and all(_apart(found[i], other) for other in chosen):
                chosen.append(found[i])
    return tuple(chosen)


def candidates(scene: Scene) -> Iterator[Window]:
    """Patches side by side over a scene, none reaching beyond it."""
    grid = scene.window if _is_ten_metres(scene.window) else _in_metres(scene.window)
    rows, cols = grid.shape
    for row in _starts(rows):
        for col in _starts(cols):
            yield grid.crop(
                rows=slice(row, min(row + SIDE_PX, rows)),
                cols=slice(col, min(col + SIDE_PX, cols)),
            )


def _starts(size: int) -> range:
    count = max(1, size // SIDE_PX)
    first = max(0, size - count * SIDE_PX) // 2
    return range(first, first + count * SIDE_PX, SIDE_PX)


def _is_ten_metres(window: Window) -> bool:
    six = window.affine
    projected = window.crs is not None and window.crs.projected
    return bool(projected and window.is_upright and abs(six.a - GSD_M) < 1e-6 and abs(six.e + GSD_M) < 1e-6)


def _in_metres(window: Window) -> Window:
    """A 10 m grid round the middle of a window, as large as its shorter sides allow."""
    gsd_m = window.gsd_m
    rows, cols = (max(1, int(n * gsd_m / GSD_M)) for n in window.shape)
    return utm_window(*window.center, (rows, cols), GSD_M)


def _apart(a: Window, b: Window) -> bool:
    """Whether two patches share no more than a little, by their centres."""
    (lon, lat), (east, north) = a.center, b.center
    metres = 111_195.0
    across = abs((lon - east + 180) % 360 - 180) * metres * float(np.cos(np.radians(lat)))
    down = abs(lat - north) * metres
    sides = [(x + y) / 2 * GSD_M * (1 - OVERLAP) for x, y in zip(a.shape, b.shape, strict=True)]
    return down >= sides[0] or across >= sides[1]
