"""Archive: a product of many files, as a folder or as a zip that nobody has to unpack.

Inner names are relative to the product's root and use forward slashes, whether the zip holds the root folder or not.
XML is searched by local names, because the namespaces of Copernicus metadata change with every format revision.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from zipfile import BadZipFile, ZipFile, is_zipfile

from armillary.errors import SceneNotFound, SceneUnreadable

_MARKER = re.compile(r"(^|/)(manifest\.safe|xfdumanifest\.xml|MTD_MSIL(1C|2A)\.xml)$")
"""Files that lie in the root of a SAFE or SEN3 product."""


@dataclass(frozen=True)
class Archive:
    """A product's files.

    Args:
        path: the folder, or the zip, on this machine.
        names: every inner file, relative to the product's root, sorted.
        top: what stands before an inner name inside `path`: "" or a folder ending in "/".
        zipped: whether `path` is a zip.
    """

    path: Path
    names: tuple[str, ...]
    top: str
    zipped: bool

    @classmethod
    def open(cls, path: Path) -> "Archive":
        """List a folder or a zip; the path of a manifest inside a folder stands for its folder.

        Raises:
            SceneNotFound: nothing is there.
            SceneUnreadable: it is a file, but not a whole zip.
        """
        if not path.exists():
            raise SceneNotFound(f"{path} was asked for and is not there; check the path")
        path = path.absolute()
        if path.is_file() and _MARKER.search(path.name):
            path = path.parent
        raw = _in_folder(path) if path.is_dir() else _in_zip(path)
        kept = sorted(n for n in raw if not _is_junk(n))
        top = _root_of(kept)
        return cls(path, tuple(n[len(top) :] for n in kept if n.startswith(top)), top, path.is_file())

    @property
    def name(self) -> str:
        """What the product is called: its root folder without .SAFE or .SEN3, else the zip's own name."""
        own = PurePosixPath(self.top).name if self.top else self.path.name
        return re.sub(r"\.(SAFE|SEN3|zip)$", "", re.sub(r"\.zip$", "", own), flags=re.IGNORECASE)

    def find(self, pattern: str) -> tuple[str, ...]:
        """Inner names whose tail matches the regular expression (it begins at a folder or file name)."""
        tail = re.compile(rf"(?:^|/)(?:{pattern})$")
        return tuple(n for n in self.names if tail.search(n))

    def one(self, pattern: str, what: str) -> str:
        """The first inner name, in alphabetical order, whose tail matches.

        Raises:
            SceneUnreadable: there is none; `what` says in words what was looked for.
        """
        found = self.find(pattern)
        if not found:
            raise SceneUnreadable(
                f"{self.path} has no {what}; {len(self.names)} files are in it: download the product again, whole"
            )
        return found[0]

    def read(self, name: str) -> bytes:
        """The bytes of one inner file."""
        try:
            if not self.zipped:
                return (self.path / self.top / name).read_bytes()
            with ZipFile(self.path) as archive:
                return archive.read(self.top + name)
        except (BadZipFile, zlib.error, EOFError, KeyError, OSError) as cause:
            raise SceneUnreadable(f"{name} in {self.path} cannot be read ({cause}); download it again") from cause

    def gdal_path(self, name: str) -> str:
        """The path by which GDAL (and rasterio) opens one inner file."""
        if self.zipped:
            return f"/vsizip/{{{self.path}}}/{self.top}{name}"
        return str(self.path / self.top / name)

    def xml(self, name: str) -> Element:
        """The root element of one inner XML file.

        Raises:
            SceneUnreadable: it is not well-formed, or declares a document type (no Copernicus product does).
        """
        data = self.read(name)
        if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data[:4096]:
            raise SceneUnreadable(f"{name} in {self.path} declares a document type; Copernicus metadata never does")
        try:
            return ET.fromstring(data)  # noqa: S314 - no entities get here, see above
        except ET.ParseError as cause:
            raise SceneUnreadable(f"{name} in {self.path} is not whole XML ({cause}); download it again") from cause


def holds(path: Path, pattern: str) -> bool:
    """Whether a folder or zip has a file whose tail matches, in its root or one folder below. Cheap, never raises."""
    tail = re.compile(rf"(?:^|/)(?:{pattern})$")
    try:
        if path.is_dir():
            shallow = (*path.glob("*"), *path.glob("*.SAFE/*"), *path.glob("*.SEN3/*"))
            return any(tail.search(p.as_posix()) for p in shallow)
        if path.is_file() and is_zipfile(path):
            with ZipFile(path) as archive:
                return any(tail.search(n) for n in archive.namelist() if n.count("/") <= 1 and not _is_junk(n))
    except (OSError, BadZipFile):
        return False
    return False


def local(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def elements(root: Element, name: str) -> Iterator[Element]:
    """Every element below (and including) `root` with this local name, in document order."""
    return (e for e in root.iter() if local(e) == name)


def text(root: Element, *names: str) -> str | None:
    """The stripped text of the first element with one of these local names, names in order of preference, or None."""
    for name in names:
        for e in elements(root, name):
            if e.text and e.text.strip():
                return e.text.strip()
    return None


def _in_folder(path: Path) -> list[str]:
    return [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]


def _in_zip(path: Path) -> list[str]:
    try:
        with ZipFile(path) as archive:
            return [i.filename for i in archive.infolist() if not i.is_dir()]
    except (BadZipFile, OSError) as cause:
        raise SceneUnreadable(
            f"{path} should be a zip or a folder of a product and is not a whole one ({cause}); download it again"
        ) from cause


def _is_junk(name: str) -> bool:
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._")


def _root_of(names: list[str]) -> str:
    """The folder of the shallowest marker file, else a single top folder named like a product, else nothing."""
    markers = sorted((n.count("/"), n) for n in names if _MARKER.search(n))
    if markers:
        return markers[0][1].rpartition("/")[0] + "/" if markers[0][0] else ""
    tops = {n.partition("/")[0] for n in names}
    if len(tops) == 1 and (only := next(iter(tops))).upper().endswith((".SAFE", ".SEN3")):
        return only + "/"
    return ""
