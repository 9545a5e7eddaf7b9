"""Alone: one process at a time works in a folder, though several runs are given it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from armillary.errors import OutputRefused

try:
    import fcntl
except ImportError:  # Windows: runs at the same time are not told apart there
    fcntl = None  # type: ignore[assignment]

LOCK = ".armillary.lock"

_log = logging.getLogger(__name__)


@contextmanager
def alone(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder, made when absent; on leaving it goes again if it is empty, and so do the parents that were made.

    Its lock names the process that holds it. A process that was killed lets go by itself: the next takes over. Where a
    file system knows no locks, nothing is held.

    Args:
        folder: what is held.
        wait: until another process lets go, instead of refusing.

    Raises:
        OutputRefused: the folder cannot be written to, or another process holds it and is not waited for.
    """
    made = [p for p in folder.parents if not p.exists()]
    descriptor = _open(folder)
    while not _locked(descriptor, folder, wait=wait):  # it ended before our locking, and took this lock with it
        os.close(descriptor)
        descriptor = _open(folder)
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        for place in (folder, *made):
            with suppress(OSError):  # it holds something
                place.rmdir()
        os.close(descriptor)


def _open(folder: Path, tries: int = 100) -> int:
    """Each try but the last takes what is missing for the work of a process that ended now."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except (FileExistsError, FileNotFoundError) as cause:
        if folder.is_file() or tries == 1:
            raise _unwritable(folder, cause) from cause
        return _open(folder, tries - 1)
    except OSError as cause:
        raise _unwritable(folder, cause) from cause


def _unwritable(folder: Path, cause: OSError) -> OutputRefused:
    return OutputRefused(f"{folder} cannot be written to ({cause.strerror}); choose another folder")


def _locked(descriptor: int, folder: Path, *, wait: bool) -> bool:
    """Whether the lock that lies in the folder is ours now.

    Raises:
        OutputRefused: another process holds it and is not waited for.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        process = os.pread(descriptor, 20, 0).decode("ascii", "replace")
        which = f" (process {process})" if process.isdecimal() else ""
        if not wait:
            os.close(descriptor)
            raise OutputRefused(
                f"another run is writing {folder} at this moment{which}; wait for it, or choose another folder"
            ) from cause
        _log.warning("another run is writing %s at this moment%s; waiting for it", folder, which)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return True
    try:
        if (folder / LOCK).stat().st_ino != os.fstat(descriptor).st_ino:
            return False
    except FileNotFoundError:
        return False
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return True
