"""Synthetic cells: finished answers that nobody gave, in the files a run writes. Their numbers mean nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ENCODERS = (
    ("none", (), "constant"),
    ("pixels", (), "boosting"),
    ("nano", (), "logistic"),
    ("nano", ("place",), "logistic"),
)
CLASSES = ("a", "b", "c")


def cell(task: str = "toy", main: str | None = "OA", value: float = 0.5, **changes: Any) -> dict[str, Any]:
    """One cell; `changes` go into its question where it has such a key, else into the cell."""
    told: dict[str, Any] = {
        "question": {
            "suite": "toys",
            "task": task,
            "encoder": "nano",
            "knows": [],
            "probe": "logistic",
            "protocol": "official",
            "fraction": 1.0,
            "seed": 0,
            "official": False,
        },
        "measures": {main: value, "ECE": 0.1, "F1 a": 0.3},
        "intervals": {main: [value - 0.1, value + 0.1]},
        "worst_region": None,
        "main": main,
        "official_score": None,
        "items": {"train": 60, "val": 20, "test": 20},
        "confusion": None,
        "choices": {"C": 1.0},
        "regions": None,
        "examples": None,
        "facts": {"config": "c0", "data": "d0", "weights": "w0", "environment": "e0", "seconds": 1.5, "version": "0"},
        "error": None,
    }
    for name, new in changes.items():
        (told["question"] if name in told["question"] else told)[name] = new
    return told


def write_cells(folder: Path, cells: Sequence[dict[str, Any]]) -> Path:
    """Files of cells under a folder, as a run leaves them."""
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    for n, told in enumerate(cells):
        (folder / "cells" / f"{n:03d}.json").write_text(json.dumps(told))
    return folder


def whole_run(folder: Path) -> Path:
    """A run of two questions: one of classes with folds, shares, places, counts and examples, and one of values."""
    rng, cells = np.random.default_rng(0), []
    write_examples(folder / "examples" / "toy.npz")
    for k, (encoder, knows, probe) in enumerate(ENCODERS):
        for fraction in (0.01, 0.1, 1.0):
            for seed in range(3):
                for fold in "12":
                    value = float(np.clip(0.3 + 0.12 * k + 0.1 * np.log10(fraction) + rng.normal(0, 0.01), 0, 1))
                    cells.append(
                        cell(
                            f"toy.{fold}",
                            value=value,
                            encoder=encoder,
                            knows=list(knows),
                            probe=probe,
                            fraction=fraction,
                            seed=seed,
                            confusion=rng.integers(0, 20, (3, 3)).tolist(),
                            regions=_regions(rng, value),
                            examples="examples/toy.npz" if encoder == "nano" else None,
                        )
                    )
        cells += [
            cell(
                "values", "RMSE", 5.0 - k + rng.normal(0, 0.05), encoder=encoder, knows=list(knows), probe=probe, seed=s
            )
            for s in range(3)
        ]
    cells.append(cell("values", encoder="broken", error="chip7.tif cannot be read; fetch the file again"))
    return write_cells(folder, cells)


def write_examples(path: Path, items: int = 4, side: int = 24) -> Path:
    """Synthetic examples of classes of whole items."""
    rng = np.random.default_rng(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        pixels=rng.random((items, side, side, 3), dtype=np.float32),
        truths=np.arange(items) % 3,
        predictions=np.zeros(items, dtype=np.int64),
        keys=np.array([f"chip{n}" for n in range(items)]),
    )
    return path


def _regions(rng: np.random.Generator, value: float) -> list[dict[str, float]]:
    places = ((10.0, 50.0), (20.0, 45.0), (-3.0, 40.0))
    return [{"lon": x, "lat": y, "n": 7, "score": value + float(rng.normal(0, 0.05))} for x, y in places]
