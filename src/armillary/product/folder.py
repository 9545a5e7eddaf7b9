"""Folder: what lies in an output folder belongs to one run only."""

import json
from pathlib import Path
from shutil import rmtree
from typing import Any

from armillary.errors import OutputRefused

RECEIPT = "receipt.json"
PRODUCTS = (
    "embedding.tif",
    "embedding.zarr",
    "tokens.parquet",
    "chips.parquet",
    "embedding.png",
    "scene.png",
)
"""How the names of products end, after the stem; its plain .json is removed only where a receipt lists it."""


def receipt_in(out: Path) -> dict[str, Any] | None:
    """The receipt of a finished run, None when there is none.

    Raises:
        OutputRefused: the file of that name is no receipt.
    """
    path = out / RECEIPT
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = None
    if isinstance(kept, dict) and isinstance(kept.get("config"), dict) and isinstance(kept.get("files"), dict):
        return kept
    raise OutputRefused(f"{path} is no receipt that can be read; choose another -o, or --overwrite")


def clear(out: Path, stem: str) -> None:
    """Take away a run's receipt, then the products it lists and those of this name: no two runs are ever mixed."""
    try:
        listed = [str(n) for n in (receipt_in(out) or {"files": {}})["files"]]
    except OutputRefused:
        listed = []
    (out / RECEIPT).unlink(missing_ok=True)
    for name in {*(n for n in listed if Path(n).name == n), *(f"{stem}.{end}" for end in PRODUCTS)}:
        path = out / name
        if path.is_dir() and path.suffix == ".zarr":
            rmtree(path)
        elif path.is_file():
            path.unlink()
