"""Verify: whether every file of a folder of Copernicus-Pretrain is whole.

With an index, sizes and SHA-256 are compared. Without one (a download), shards are walked to their end, every member's
zip is checked by its CRC-32 and every JSON is read; GeoTIFFs are decoded as a whole.
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from armillary.errors import ArmillaryError, SceneNotFound
from armillary.scene.pretrain.catalogue import grids
from armillary.scene.pretrain.contents import labels_of
from armillary.scene.pretrain.index import NAME, read_rows, sha256_of
from armillary.scene.pretrain.members import Member, Part, broken, peek
from armillary.scene.pretrain.tree import is_tree, open_tree, read_geotiff


@dataclass(frozen=True)
class Checked:
    """One file, and what is wrong with it; no fault means that it is whole."""

    file: Path
    faults: tuple[str, ...] = ()


def verify(folder: Path) -> Iterator[Checked]:
    """Every file of a folder of shards or GeoTIFFs, one after the other.

    Raises:
        SceneNotFound: no such folder, or nothing of Copernicus-Pretrain in it.
        SceneUnreadable: its index or list cannot be read.
    """
    if not folder.is_dir():
        raise SceneNotFound(f"the folder {folder} was asked for and is not there; check the path")
    shards = sorted(folder.glob("*.tar"))
    if (folder / NAME).is_file():
        yield from _against_index(folder, shards)
    elif shards:
        for path in shards:
            yield Checked(path, tuple(_faults_of_shard(path)))
    elif is_tree(folder):
        yield from _tree(folder)
    else:
        raise SceneNotFound(f"{folder} holds neither shards (*.tar) nor folders such as dem_grid_wgs/images")


def _against_index(folder: Path, shards: list[Path]) -> Iterator[Checked]:
    files = [f for row in read_rows(folder / NAME) for f in row["files"]]
    files.sort(key=lambda f: (f["file"], f["offset"]))
    known = set()
    for name, parts in groupby(files, key=lambda f: str(f["file"])):
        path = folder / name
        known.add(path)
        faults = tuple(_faults_of_file(path, list(parts)))
        if path.suffix == ".tar" and path.is_file() and not faults:
            faults = tuple(_walk(path))
        yield Checked(path, faults)
    for path in shards:
        if path not in known:
            yield Checked(path, (f"{path} is not in the index {folder / NAME}; make the index again with --index",))


def _faults_of_file(path: Path, parts: list[dict[str, Any]]) -> Iterator[str]:
    if not path.is_file():
        yield f"{path} is in the index and is not there; download or write it again"
        return
    size = path.stat().st_size
    for part in parts:
        what = f"{part['layer']} at byte {part['offset']} of {path}" if path.suffix == ".tar" else str(path)
        if part["offset"] + part["size"] > size or (path.suffix != ".tar" and part["size"] != size):
            yield f"{what} should end at byte {part['offset'] + part['size']}, the file ends at {size}: it is cut off"
        elif sha256_of(path, part["offset"], part["size"]) != part["sha256"]:
            yield f"{what} has another SHA-256 than the index says: it is damaged"


def _faults_of_shard(path: Path) -> Iterator[str]:
    """Every member, then the end of the tar."""
    try:
        with path.open("rb") as file:
            for grid in grids(path):
                for member in grid:
                    fault = _fault_of_member(path, member, file)
                    if fault:
                        yield fault
    except (ArmillaryError, OSError) as cause:
        yield str(cause)


def _fault_of_member(path: Path, member: Member, file: BinaryIO) -> str | None:
    try:
        if member.layer == "json":
            labels_of(Part(file, member.offset, member.size).read(), f"{member.name} in the shard {path}")
            return None
        if peek(file, member, path) is None:
            return None  # an older or unusual format, without checksums
        with zipfile.ZipFile(io.BufferedReader(Part(file, member.offset, member.size), 1 << 20)) as archive:
            bad = archive.testzip()
        return None if bad is None else str(broken(path, member.name, f"{bad} has another CRC than it should"))
    except ArmillaryError as cause:
        return str(cause)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as cause:
        return str(broken(path, member.name, str(cause)))


def _walk(path: Path) -> Iterator[str]:
    try:
        for _ in grids(path):
            pass
    except ArmillaryError as cause:
        yield str(cause)


def _tree(folder: Path) -> Iterator[Checked]:
    tree = open_tree(folder)
    for place in range(len(tree)):
        for many in tree.contents(place).layers.values():
            for at in (str(shot.at) for series in many for shot in series.shots):
                try:
                    read_geotiff(tree.path(at))
                    yield Checked(tree.path(at))
                except ArmillaryError as cause:
                    yield Checked(tree.path(at), (str(cause),))
