"""Find near duplicates among the patches of s2_l2a_weak, which have no georeference, and write their clusters.

    python studies/near_duplicates.py DATA studies/s2_l2a_weak_clusters.csv

Each patch is reduced to 16 x 16 pixels. Two patches are near duplicates when their values, in units of the set's
standard deviation per band, differ by less than 0.15 (root mean square), or when their patterns, each band normalised
within its patch, correlate by more than 0.8. Clusters are the connected components, named by their first patch.
Neighbouring patches of one scene that do not overlap are not found.
"""

import csv
import sys
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse.csgraph import connected_components

from armillary.scene.open import open

CLOSE = 0.15
ALIKE = 0.8


def near(patches: Float[np.ndarray, "n c 16 16"]) -> Bool[np.ndarray, "n n"]:
    """True for pairs of near duplicates."""
    mean, std = patches.mean((0, 2, 3), keepdims=True), patches.std((0, 2, 3), keepdims=True)
    z = ((patches - mean) / std).reshape(len(patches), -1)
    square = (z**2).sum(1)
    apart = np.sqrt(np.maximum(square[:, None] + square[None] - 2 * z @ z.T, 0) / z.shape[1])
    pattern = patches - patches.mean((2, 3), keepdims=True)
    pattern = (pattern / (pattern.std((2, 3), keepdims=True) + 1e-6)).reshape(len(patches), -1)
    return np.asarray((apart < CLOSE) | (pattern @ pattern.T / pattern.shape[1] > ALIKE))


def main(data: Path, page: Path) -> None:
    """Write file and cluster of every patch."""
    warnings.simplefilter("ignore", UserWarning)
    files = sorted((data / "s2_l2a_weak" / "jp2").glob("*.jp2"))
    patches = np.stack([np.nan_to_num(open(f).values).reshape(-1, 16, 4, 16, 4).mean((2, 4)) for f in files])
    _, labels = connected_components(near(patches))
    first = {label: files[i].stem for i, label in reversed(list(enumerate(labels)))}
    with page.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("file", "cluster"))
        table.writerows((f.name, first[label]) for f, label in zip(files, labels, strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
