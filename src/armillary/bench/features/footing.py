"""Footing: maps of features brought onto the footprint of the truth, where the two are not the same.

Labels of 100 m under samples of 300 m often end a pixel earlier. The published protocol stretches one over the other.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch.nn.functional import grid_sample

from armillary.earth.window import Window

NEAR = 0.002
"""Footprints that differ by less than this share of their side are the same."""


def onto(plane: Float[np.ndarray, "e h w"], seen: Window, grid: Window | None) -> Float[np.ndarray, "e h w"]:
    """The same number of rows and columns over another footprint; beyond its own, the edge goes on.

    Args:
        plane: features over the whole of `seen`.
        seen: where the sample is.
        grid: where the truth is; None, another CRS or a turned grid: the map stays as it is.
    """
    if grid is None or seen.crs is None or grid.crs != seen.crs or not (seen.is_upright and grid.is_upright):
        return plane
    rows, columns = seen.shape
    (left, top), (right, bottom) = (
        ~seen.affine @ (grid.affine @ corner) for corner in ((0, 0), (grid.shape[1], grid.shape[0]))
    )
    ends = np.array([left / columns, right / columns, top / rows, bottom / rows])
    if np.abs(ends - (0, 1, 0, 1)).max() < NEAR:
        return plane
    h, w = plane.shape[1:]
    x = ends[0] + (np.arange(w) + 0.5) / w * (ends[1] - ends[0])
    y = ends[2] + (np.arange(h) + 0.5) / h * (ends[3] - ends[2])
    at = np.stack(np.broadcast_arrays(2 * x[None] - 1, 2 * y[:, None] - 1), axis=-1).astype(np.float32)
    source = torch.from_numpy(np.ascontiguousarray(plane, dtype=np.float32))[None]
    taken = grid_sample(source, torch.from_numpy(at)[None], mode="bilinear", padding_mode="border", align_corners=False)
    moved: np.ndarray = taken[0].numpy()
    return moved
