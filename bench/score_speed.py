"""Maps per second that are scored: our sums beside torchmetrics, on the same stream of probabilities.

Run: python bench/score_speed.py [--maps 200] [--side 288] [--classes 23] [--rounds 5]

Both are given float32 probabilities [k h w] and truths [h w] of one map at a time, a tenth of the pixels unknown, and
must agree on mIoU, overall accuracy and macro F1 to 1e-5, and on calibration error to 1e-4, for which torchmetrics adds
millions of confidences in float32. torchmetrics runs as a MetricCollection with shared states and without validation of
its arguments, which is its fast way; its calibration error keeps the confidence of every pixel, of which the table has
the memory. Rounds are interleaved; times are medians. Synthetic data.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassF1Score,
    MulticlassJaccardIndex,
)

from armillary.bench.scores.measures import measures
from armillary.bench.scores.sums import Sums, tally
from armillary.probe.answer import IGNORE, ClassMap

MB = 1e6
TOLERANCE = {"mIoU": 1e-5, "OA": 1e-5, "macro F1": 1e-5, "ECE": 1e-4}
Maps = list[tuple[np.ndarray, np.ndarray]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=200)
    parser.add_argument("--side", type=int, default=288)
    parser.add_argument("--classes", type=int, default=23)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    few = list(drawn(asked.classes, asked.side, 4))
    maps = [few[i % len(few)] for i in range(asked.maps)]
    ways: dict[str, Callable[[Maps, int], tuple[dict[str, float], int]]] = {"ours": ours, "torchmetrics": theirs}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for _ in range(asked.rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            found[name] = way(maps, asked.classes)
            seconds[name].append(time.perf_counter() - start)
    for measure, value in found["ours"][0].items():
        other = found["torchmetrics"][0][measure]
        assert abs(value - other) < TOLERANCE[measure], f"{measure}: {value} and {other}"
    print(f"{asked.maps} maps of {asked.classes} classes, {asked.side} x {asked.side} px; same scores")
    print("| way | maps per second | state, MB |\n|---|---|---|")
    for name, times in seconds.items():
        print(f"| {name} | {asked.maps / statistics.median(times):.1f} | {found[name][1] / MB:.3f} |")
    print(f"ratio: {statistics.median(seconds['torchmetrics']) / statistics.median(seconds['ours']):.2f}")


def drawn(classes: int, side: int, maps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Synthetic probabilities that favour the truth, and truths."""
    rng = np.random.default_rng(0)
    for _ in range(maps):
        y = rng.integers(classes, size=(side, side))
        p = rng.random((classes, side, side), dtype=np.float32) ** 8
        np.put_along_axis(p, y[None], np.take_along_axis(p, y[None], 0) + 0.5, 0)
        y[rng.random(y.shape) < 0.1] = IGNORE
        yield p / p.sum(axis=0), y


def ours(maps: Maps, classes: int) -> tuple[dict[str, float], int]:
    """Scores, and the bytes that were kept."""
    answer = ClassMap(tuple(map(str, range(classes))))
    sums = Sums()
    for p, y in maps:
        sums = sums + tally(answer, p, y)
    found = measures(answer, sums)
    names = ("mIoU", "OA", "macro F1", "ECE")
    return {name: found[name] for name in names}, sum(count.nbytes for count in sums.counts.values())


def theirs(maps: Maps, classes: int) -> tuple[dict[str, float], int]:
    """The same of torchmetrics."""
    given: dict[str, Any] = {"num_classes": classes, "ignore_index": IGNORE, "validate_args": False}
    metrics = MetricCollection(
        {
            "mIoU": MulticlassJaccardIndex(**given),
            "OA": MulticlassAccuracy(**given, average="micro"),
            "macro F1": MulticlassF1Score(**given, average="macro"),
            "ECE": MulticlassCalibrationError(**given, n_bins=15, norm="l1"),
        }
    )
    for p, y in maps:
        metrics.update(torch.from_numpy(p)[None], torch.from_numpy(y)[None])
    found = {name: float(value) for name, value in metrics.compute().items()}
    states = [state for metric in metrics.values() for state in metric.metric_state.values()]
    tensors = [t for state in states for t in (state if isinstance(state, list) else [state])]
    return found, sum(t.nbytes for t in tensors)


if __name__ == "__main__":
    main()
