"""Store: arrays that are filled piece by piece, in memory or in a folder."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Store(Protocol):
    """Arrays by name."""

    def array(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
        """The array of that name, zeros where nothing was written yet; writing to it keeps."""


@dataclass(frozen=True, eq=False)
class Memory:
    """Arrays in memory."""

    kept: dict[str, np.ndarray] = field(default_factory=dict)

    def array(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
        """The array of that name."""
        return self.kept.setdefault(name, np.zeros(shape, dtype))


@dataclass(frozen=True)
class Folder:
    """Arrays in files of a folder, of which only what is looked at is in memory."""

    folder: Path

    def array(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
        """The array of that name, mapped."""
        path = self.folder / f"{name}.npy"
        fits = path.exists() and np.load(path, mmap_mode="r").shape == shape
        mode = "r+" if fits else "w+"
        found: np.ndarray = np.lib.format.open_memmap(path, mode, np.dtype(dtype), shape)
        if not fits:
            _reserve(path)
        return found


def _reserve(path: Path) -> None:
    """Take the room of a file now: a mapped file that finds none later ends the process without a word.

    Raises:
        OSError: there is no room; the file is gone again.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as cause:
            if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                path.unlink()
                raise
