"""Synthetic cells: finished answers that nobody gave, in the files a run writes. Their numbers mean nothing."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from armillary.bench.arena.cell import Cell, Question

CONTENDERS = (
    ("none", (), "constant"),
    ("pixels", (), "boosting"),
    ("nano", (), "logistic"),
    ("nano", ("place",), "logistic"),
)
CLASSES = ("a", "b", "c")
ASKED = {f.name for f in fields(Question)}
FACTS = {
    "config": "c0",
    "data": "d0",
    "weights": "w0",
    "environment": {"python": "3"},
    "seconds": 1.5,
    "when": "2026-01-01T00:00:00Z",
    "version": "0",
    "git": None,
}


def cell(task: str = "toy", main: str = "OA", value: float = 0.5, **changes: Any) -> Cell:
    """One cell; `changes` go into its question where it has such a field, else into the cell."""
    asked = {k: v for k, v in changes.items() if k in ASKED}
    question = replace(Question("toys", task, "nano", (), "logistic"), **asked)
    made = Cell(
        question,
        main,
        measures={main: value, "ECE": 0.1, "F1 a": 0.3},
        intervals={main: (value - 0.1, value + 0.1)},
        items={"train": 60, "val": 20, "test": 20},
        choices={"C": 1.0},
        facts=FACTS,
    )
    return replace(made, **{k: v for k, v in changes.items() if k not in ASKED})


def write_cells(run: Path, cells: Sequence[Cell]) -> Path:
    """Cells as a run leaves them."""
    for one in cells:
        one.write(run)
    return run


def whole_run(run: Path) -> Path:
    """A run of two questions: one of classes with folds, shares, places, counts and examples, and one of values."""
    rng, cells = np.random.default_rng(0), []
    write_examples(run / "examples" / "toy.npz")
    for k, (encoder, knows, probe) in enumerate(CONTENDERS):
        for fraction, seed, fold in ((f, s, n) for f in (0.01, 0.1, 1.0) for s in range(3) for n in "12"):
            value = float(np.clip(0.3 + 0.12 * k + 0.1 * np.log10(fraction) + rng.normal(0, 0.01), 0, 1))
            cells.append(
                cell(
                    f"toy.{fold}",
                    value=value,
                    encoder=encoder,
                    knows=knows,
                    probe=probe,
                    fraction=fraction,
                    seed=seed,
                    confusion=rng.integers(0, 20, (3, 3)).tolist(),
                    regions=_regions(rng, value),
                    examples="examples/toy.npz" if encoder == "nano" else None,
                )
            )
        for seed in range(3):
            value = 5.0 - k + float(rng.normal(0, 0.05))
            cells.append(cell("values", "RMSE", value, encoder=encoder, knows=knows, probe=probe, seed=seed))
    broken = Question("toys", "values", "broken", (), "ridge")
    cells.append(Cell(broken, "RMSE", error="chip7.tif cannot be read; fetch the file again"))
    return write_cells(run, cells)


def write_examples(path: Path, items: int = 4, side: int = 24) -> Path:
    """Synthetic examples of classes of whole items."""
    rng = np.random.default_rng(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        pixels=rng.random((items, side, side, 3), dtype=np.float32),
        truths=np.arange(items) % 3,
        predictions=np.full((items, 3), 1 / 3, dtype=np.float32),
        keys=np.array([f"chip{n}" for n in range(items)]),
    )
    return path


def _regions(rng: np.random.Generator, value: float) -> tuple[dict[str, float], ...]:
    places = ((10.0, 50.0), (20.0, 45.0), (-3.0, 40.0))
    return tuple({"lon": x, "lat": y, "n": 7, "score": value + float(rng.normal(0, 0.05))} for x, y in places)
