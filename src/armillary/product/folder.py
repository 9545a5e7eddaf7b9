"""Folder: one run at a time writes into an output folder, and what lies there belongs to one run only."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

from armillary.errors import OutputRefused

try:
    import fcntl
except ImportError:  # Windows: runs at the same time are not told apart there
    fcntl = None  # type: ignore[assignment]

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
_LOCK = ".armillary.lock"


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold a folder, made when absent; on leaving it goes again if it is empty, and so do the parents that were made.

    Its lock names the process that holds it. A process that was killed lets go by itself: the next takes over.

    Raises:
        OutputRefused: the folder cannot be written, or another run is writing it now.
    """
    made = [p for p in out.parents if not p.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as cause:
        raise OutputRefused(f"{out} cannot be written ({cause.strerror}); choose another -o") from cause
    try:
        _lock(descriptor, out)
        try:
            yield
        finally:
            (out / _LOCK).unlink(missing_ok=True)
            for folder in (out, *made):
                with suppress(OSError):  # it holds something
                    folder.rmdir()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, out: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        raise _refusal(out, descriptor) from cause
    except OSError:  # a file system without locks
        return
    here = out / _LOCK
    if not here.exists() or here.stat().st_ino != os.fstat(descriptor).st_ino:
        raise _refusal(out, descriptor)  # it ended between our opening and our locking, and took this file with it
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())


def _refusal(out: Path, descriptor: int) -> OutputRefused:
    process = os.read(descriptor, 20).decode("ascii", "replace")
    which = f" (process {process})" if process.isdecimal() else ""
    return OutputRefused(f"another run is writing {out} at this moment{which}; wait for it, or choose another -o")


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
