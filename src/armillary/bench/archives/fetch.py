"""Fetch: archives of a benchmark from the hub, checked against the sums with which they were published."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from armillary.bench.archive import Archive
from armillary.bench.files import Folder, open_files
from armillary.errors import BadInput, SceneNotFound, SceneUnreadable, need

Get = Callable[[Archive, str, Path], None]
"""Brings one file of an archive's repository below a folder, under the path that it has there."""

State = Literal["fetched", "there", "extracted"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """A file of an archive that is here.

    Args:
        name: its path in the repository.
        path: where it lies, or the folder that was extracted from it.
        state: whether it came now, lay there already (with the right sum, where one is known), or lies there extracted,
            which has no sum.
    """

    name: str
    path: Path
    state: State


def from_hub(archive: Archive, name: str, root: Path) -> None:
    """Download a file of a data set on the hub.

    Raises:
        SceneNotFound: the hub cannot be reached, or has no such file.
        MissingExtra: the hub's client is not installed.
    """
    hub = need("huggingface_hub", "models")
    try:
        hub.hf_hub_download(
            archive.repository, name, repo_type="dataset", revision=archive.revision or None, local_dir=root
        )
    except Exception as cause:  # the hub's client raises its own, requests', httpx's and OS errors alike
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise SceneNotFound(
            f"{name} of {archive.repository} could not be fetched ({reason}); go online, or "
            f"download it by hand to {root}"
        ) from cause


def fetch(archives: Iterable[Archive], root: Path, get: Get = from_hub) -> Iterator[Fetched]:
    """Bring each file of each archive that is not there yet, in the folders of its repository, left as it comes.

    A file that lies there with another sum is fetched again.

    Raises:
        BadInput: an archive has no repository on the hub.
        SceneNotFound: a file cannot be fetched.
        SceneUnreadable: a file came with another sum; it is removed.
    """
    for archive in dict.fromkeys(archives):
        for name, md5 in archive.downloads:
            yield _extracted(archive, name, root) or _one(archive, name, md5, root, get)


def md5_of(path: Path) -> str:
    """MD5 of a file, as hexadecimal digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _extracted(archive: Archive, name: str, root: Path) -> Fetched | None:
    if not root.is_dir() or not name.endswith(".zip"):
        return None
    try:
        found = open_files(root, archive)
    except (SceneNotFound, SceneUnreadable):
        return None
    return Fetched(name, Path(found.where), "extracted") if isinstance(found, Folder) else None


def _one(archive: Archive, name: str, md5: str, root: Path, get: Get) -> Fetched:
    for path in (root / name, root / Path(name).name, root / archive.folder / Path(name).name):
        if path.is_file() and (not md5 or md5_of(path) == md5):
            return Fetched(name, path, "there")
    if not archive.repository:
        raise BadInput(
            f"{name} is not on the hub; it is {archive.source}: download it by hand and put its folder below {root}"
        )
    get(archive, name, root)
    path = root / name
    if md5 and (found := md5_of(path)) != md5:
        path.unlink()
        raise SceneUnreadable(f"{name} came with the MD5 {found} and should have {md5}; fetch it again")
    return Fetched(name, path, "fetched")
