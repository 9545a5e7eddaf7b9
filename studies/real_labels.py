"""The labelled real sets, as the studies of this folder read them."""

from pathlib import Path

from armillary.bench import labels
from armillary.bench.kept import Kept
from armillary.probe.features import Shelf

CLUSTERS = Path(__file__).parent / "s2_l2a_weak_clusters.csv"


def eurosat(data: Path, shelf: Shelf) -> Kept:
    """150 patches with true classes, Sentinel-2 level 1C."""
    return Kept.of(labels.eurosat_ms(data), shelf)


def weak(data: Path, shelf: Shelf) -> Kept:
    """1,065 patches with weak classes, Sentinel-2 level 2A, groups by near-duplicate cluster."""
    return Kept.of(labels.s2_l2a_weak(data, CLUSTERS), shelf)
