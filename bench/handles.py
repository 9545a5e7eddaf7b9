"""Reading a JPEG 2000 crop by crop: datasets kept open beside a dataset opened for each crop.

Writes a synthetic 4096 x 4096 band in tiles of 1024 x 1024, reads a quarter of it in crops of 256 x 256 both ways and
prints the times and their ratio.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from armillary.scene.access import handles

SIDE, CROP = 4096, 256


def write(path: Path) -> None:
    """A random walk, so that the codec has something to do."""
    walk = np.cumsum(np.random.default_rng(0).normal(size=(SIDE, SIDE)), axis=0)
    counts = (1500 + 200 * walk % 3000).astype(np.uint16)
    options = {"QUALITY": 100, "REVERSIBLE": "YES", "YCBCR420": "NO", "crs": "EPSG:32633"}
    place = {"transform": rasterio.Affine(10, 0, 300000, 0, -10, 4600020)}
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", height=SIDE, width=SIDE, count=1, dtype="uint16", **options, **place
    ) as file:
        file.write(counts, 1)


def opened_anew(path: Path, rows: slice, cols: slice) -> object:
    """The usual way."""
    with rasterio.open(path) as file:
        return file.read(1, window=Window(cols.start, rows.start, CROP, CROP))


def seconds(read: Callable[[slice, slice], object]) -> float:
    """Time for all crops of the upper left quarter."""
    start = time.perf_counter()
    for r in range(0, SIDE // 2, CROP):
        for c in range(0, SIDE // 2, CROP):
            read(slice(r, r + CROP), slice(c, c + CROP))
    return time.perf_counter() - start


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        band = Path(folder) / "band.jp2"
        write(band)
        rival = seconds(lambda rows, cols: opened_anew(band, rows, cols))
        ours = seconds(lambda rows, cols: handles.read(str(band), 1, rows, cols))
    print(f"opened anew {rival:.2f} s, kept open {ours:.2f} s, ratio {rival / ours:.1f}")
