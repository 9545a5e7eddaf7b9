"""Members: what a WebDataset shard holds and where, found without reading a pixel.

A shard is a plain tar; a grid is the members that share the name up to the first dot. A `.pth` member that torch saved
is a zip whose entries are stored, not compressed, so the numbers of its tensor lie in the tar in one piece: `peek`
says where, and hands out the small pickle that says their shape and type (read by `sample.pth`, as it takes torch).
"""

import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from armillary.errors import SceneUnreadable
from armillary.scene.pretrain.names import LAYERS

BLOCK = 512
"""A tar is made of blocks of so many bytes, and ends with empty ones."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")


@dataclass(frozen=True)
class Member:
    """One file within a shard. `layer` is a key of LAYERS, or "json"."""

    key: str
    layer: str
    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Peek:
    """Where the numbers of a saved tensor lie.

    Args:
        offset: of the first byte, from the start of the file.
        size: bytes.
        crc: CRC-32 of them, as the zip says.
        pickle: what describes the tensor.
    """

    offset: int
    size: int
    crc: int
    pickle: bytes


class Part(io.RawIOBase):
    """A read-only window of an open file that reads as a file."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        super().__init__()
        self.file, self.offset, self.size, self.place = file, offset, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Bytes from its start."""
        return self.place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place from its start, here or its end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fill a buffer as far as there is something."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.size - self.place))
        self.file.seek(self.offset + self.place)
        chunk = self.file.read(count)
        view[: len(chunk)] = chunk
        self.place += len(chunk)
        return len(chunk)


def members(path: Path) -> Iterator[Member]:
    """The members of a shard that are a layer or the labels of a grid, in the order of the file.

    Raises:
        SceneUnreadable: empty, no tar, or cut off.
    """
    last = "its first member"
    try:
        if path.stat().st_size == 0:
            raise SceneUnreadable(f"{path} is an empty file, no shard; download or write it again")
        with tarfile.open(path, "r:") as archive:
            for info in archive:
                last = info.name
                member = _member(info)
                if member is not None:
                    yield member
            end = archive.offset
        if not _ends(path, end):
            raise SceneUnreadable(f"{path} is cut off after {last}; download or write it again")
    except (tarfile.TarError, EOFError) as cause:
        raise SceneUnreadable(f"{path} is no whole tar, it breaks at {last} ({cause}); download it again") from cause


def peek(file: BinaryIO, member: Member, path: Path) -> Peek | None:
    """Where the numbers of a `.pth` member lie; None for one that must be loaded whole (an old or compressed format).

    Raises:
        SceneUnreadable: it is cut off or damaged.
    """
    file.seek(member.offset)
    if file.read(2) != b"PK":
        return None
    try:
        with zipfile.ZipFile(io.BufferedReader(Part(file, member.offset, member.size), 4096)) as archive:
            entries = {e.filename.partition("/")[2]: e for e in archive.infolist()}
            tensors = [n for n in entries if n.startswith("data/")]
            if tensors != ["data/0"] or "data.pkl" not in entries or any(e.compress_type for e in entries.values()):
                return None
            if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
                return None
            pickle = archive.read(entries["data.pkl"])
        entry = entries["data/0"]
        file.seek(member.offset + entry.header_offset)
        fields = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    except (zipfile.BadZipFile, struct.error, EOFError, OSError, ValueError) as cause:
        raise broken(path, member.name, str(cause)) from cause
    start = entry.header_offset + _LOCAL_HEADER.size + fields[-2] + fields[-1]
    if fields[0] != b"PK\x03\x04" or start + entry.file_size > member.size:
        raise broken(path, member.name, "its directory points beyond its end")
    return Peek(member.offset + start, entry.file_size, entry.CRC, pickle)


def broken(path: Path, name: str, why: str) -> SceneUnreadable:
    """The sentence for a member that is there and cannot be read."""
    return SceneUnreadable(
        f"{name} in the shard {path} is cut off or damaged ({' '.join(why.split()) or 'no reason given'}); download or "
        "write the shard again, `armillary build --verify` finds every such member"
    )


def name_at(path: Path, offset: int) -> str:
    """The name of the member whose content begins there."""
    with path.open("rb") as file:
        file.seek(max(0, offset - BLOCK))
        return file.read(100).split(b"\0")[0].decode("utf-8", "replace")


def _member(info: tarfile.TarInfo) -> Member | None:
    if not info.isfile():
        return None
    key, _, kind = info.name.rpartition("/")[2].partition(".")
    layer = kind.removesuffix(".pth")
    if kind != "json" and not (kind.endswith(".pth") and layer in LAYERS):
        return None
    return Member(key, layer, info.name, info.offset_data, info.size)


def _ends(path: Path, end: int) -> bool:
    """Whether an empty block closes the tar."""
    with path.open("rb") as file:
        file.seek(end)
        return file.read(BLOCK).strip(b"\0") == b"" and path.stat().st_size >= end + BLOCK
