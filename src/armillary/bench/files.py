"""Files of an archive, whether it lies zipped or extracted, beside the others or in a folder of its own."""

import io
import os
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable
from zipfile import BadZipFile, ZipFile

from armillary.bench.archive import Archive
from armillary.errors import SceneNotFound, SceneUnreadable

_NAMED, _NEAR = 4, 3
"""Levels of folders, the given one first, among which a folder is looked for by its name, and any other thing."""

_CHUNK = 1 << 20
"""Bytes read at once for a checksum."""


@runtime_checkable
class Files(Protocol):
    """Files by their names within the archive's folder, with "/" between parts."""

    @property
    def where(self) -> str:
        """What a message calls it."""

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Sorted names that begin so."""

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            SceneNotFound: there is no such file.
            SceneUnreadable: it is damaged.
        """

    def href(self, name: str) -> str:
        """What rasterio opens: a path, or a path into the zip."""

    def checksum(self, name: str) -> int:
        """CRC-32 of the content: the same whether zipped or extracted."""


def open_files(root: Path, archive: Archive) -> Files:
    """Find an archive at or below a folder: extracted (preferred), or left zipped; nested as published, or flat.

    Raises:
        SceneNotFound: it is not there.
        SceneUnreadable: its zip is not whole.
    """
    if not root.is_dir():
        raise SceneNotFound(f"the folder {root} was asked for and is not there; give the folder that holds the data")
    for folder in _folders(root.absolute(), _NAMED):
        if folder.name in archive.folders and _has_content(folder):
            return Folder(str(_innermost(folder, archive)))
    near = tuple(_folders(root.absolute(), _NEAR))
    zips = (folder / Path(path).name for folder in near for path, _ in archive.downloads if path.endswith(".zip"))
    for path in zips:
        if path.is_file():
            return open_zip(path, archive)
    for folder in near:
        if archive.marks and all((folder / mark).exists() for mark in archive.marks):
            return Folder(str(folder))
    names = " or ".join(dict.fromkeys((f"{archive.folder}/", *(Path(path).name for path, _ in archive.downloads))))
    raise SceneNotFound(
        f"{names} was looked for at and below {root} and is not there; give the folder that holds it, "
        "or get it with `armillary bench fetch`"
    )


@dataclass(frozen=True, eq=False)
class Folder:
    """Files of an extracted archive.

    Args:
        where: the folder's path.
    """

    where: str
    _sums: dict[tuple[str, int, int], int] = field(default_factory=dict, repr=False)

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Sorted names that begin so; only the prefix's own folder is walked."""
        top = Path(self.where)
        start = top / prefix.rpartition("/")[0]
        found = (
            (Path(place) / name).relative_to(top).as_posix()
            for place, _, held in os.walk(start)
            for name in held
            if not _is_junk(name)
        )
        return tuple(sorted(name for name in found if name.startswith(prefix)))

    def read(self, name: str) -> bytes:
        """The content of a file."""
        try:
            return Path(self.href(name)).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as cause:
            raise _absent(name, self.where) from cause
        except OSError as cause:
            raise _damaged(name, self.where, cause) from cause

    def href(self, name: str) -> str:
        """Its path."""
        return str(Path(self.where) / name)

    def checksum(self, name: str) -> int:
        """CRC-32 of the content, computed once for each state of the file."""
        try:
            facts = Path(self.href(name)).stat()
            key = (name, facts.st_size, facts.st_mtime_ns)
            if key not in self._sums:
                self._sums[key] = _crc32(Path(self.href(name)))
        except FileNotFoundError as cause:
            raise _absent(name, self.where) from cause
        except OSError as cause:
            raise _damaged(name, self.where, cause) from cause
        return self._sums[key]


@dataclass(frozen=True, eq=False)
class Zip:
    """Files of an archive that was left zipped.

    Args:
        where: the zip's path.
        top: what stands before a name inside it: "" or a folder ending in "/".
        sums: name -> CRC-32, sorted by name.
    """

    where: str
    top: str
    sums: dict[str, int]
    _sorted: tuple[str, ...]
    _open: dict[int, ZipFile] = field(default_factory=dict, repr=False)

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Sorted names that begin so."""
        first = bisect_left(self._sorted, prefix)
        last = bisect_left(self._sorted, prefix + chr(0x10FFFF))
        return self._sorted[first:last]

    def read(self, name: str) -> bytes:
        """The content of a file, checked against its CRC-32."""
        if name not in self.sums:
            raise _absent(name, self.where)
        try:
            return self._zip().read(self.top + name)
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as cause:
            raise _damaged(name, self.where, cause) from cause

    def href(self, name: str) -> str:
        """A path of GDAL's into the zip."""
        return f"/vsizip/{{{self.where}}}/{self.top}{name}"

    def checksum(self, name: str) -> int:
        """CRC-32 as the zip's directory states it."""
        if name not in self.sums:
            raise _absent(name, self.where)
        return self.sums[name]

    def _zip(self) -> ZipFile:
        """One handle for each process: a fork must not share the position in the file."""
        if os.getpid() not in self._open:
            self._open.clear()
            self._open[os.getpid()] = ZipFile(self.where)
        return self._open[os.getpid()]


def open_zip(path: Path, archive: Archive) -> Zip:
    """A zip whose files lie in one of the archive's folders, however deep, or in its root.

    Raises:
        SceneUnreadable: it is not a whole zip.
    """
    try:
        with ZipFile(path) as opened:
            held = {i.filename: i.CRC for i in opened.infolist() if not i.is_dir() and not _is_junk(i.filename)}
    except (BadZipFile, OSError) as cause:
        raise SceneUnreadable(f"{path} is not a whole zip ({cause}); download it again") from cause
    top = _top(held, archive)
    sums = {name[len(top) :]: crc for name, crc in sorted(held.items()) if name.startswith(top)}
    return Zip(str(path.absolute()), top, sums, tuple(sorted(sums)))


def file_of(files: Files, name: str) -> str | io.BytesIO:
    """What a library opens that needs a path or a file object: the path where there is one."""
    path = files.href(name)
    if Path(path).is_file():
        return path
    return io.BytesIO(files.read(name))


def _folders(root: Path, levels: int) -> Iterator[Path]:
    """The folder and those below it, the nearest first, each level in the order of names."""
    level = [root]
    for _ in range(levels):
        yield from level
        level = [below for folder in level for below in _subfolders(folder)]


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir() and not _is_junk(e.name))
    except PermissionError:
        return []


def _has_content(folder: Path) -> bool:
    """Whether anything but zips lies in it."""
    with os.scandir(folder) as entries:
        return any(not e.name.endswith(".zip") and not _is_junk(e.name) for e in entries)


def _innermost(folder: Path, archive: Archive) -> Path:
    """Through folders that hold the archive's folder once more, as some extractors make them."""
    inner = next((folder / name for name in archive.folders if (folder / name).is_dir()), None)
    return folder if inner is None or not _has_content(inner) else _innermost(inner, archive)


def _top(names: dict[str, int], archive: Archive) -> str:
    for name in sorted(names, key=lambda n: (n.count("/"), n)):
        parts = name.split("/")[:-1]
        for folder in archive.folders:
            if folder in parts:
                return "/".join(parts[: parts.index(folder) + 1]) + "/"
    return ""


def _is_junk(name: str) -> bool:
    last = name.rpartition("/")[2]
    return "__MACOSX" in name.split("/") or last.startswith("._") or last in {".DS_Store", "Thumbs.db"}


def _crc32(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total


def _absent(name: str, where: str) -> SceneNotFound:
    return SceneNotFound(f"{name} was asked for and is not in {where}; the archive is not whole: download it again")


def _damaged(name: str, where: str, cause: BaseException) -> SceneUnreadable:
    return SceneUnreadable(f"{name} in {where} cannot be read ({cause}); download it again")
