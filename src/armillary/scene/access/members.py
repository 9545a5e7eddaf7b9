"""Members: the files of a product as paths on this machine, for libraries that cannot look into a zip."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from armillary.scene.access.archive import Archive


@dataclass(frozen=True, eq=False)
class Members:
    """An archive whose members have paths.

    A member of a zip is written once, when first asked for, to a temporary folder that lives as long as this object.
    """

    archive: Archive
    _folder: list[TemporaryDirectory[str]] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def path(self, name: str) -> Path:
        """Where one inner file can be read."""
        if not self.archive.zipped:
            return self.archive.path / self.archive.top / name
        with self._lock:
            if not self._folder:
                self._folder.append(TemporaryDirectory(prefix="armillary-"))
            place = Path(self._folder[0].name) / name.replace("/", "__")
            if not place.exists():
                aside = place.with_suffix(".part")
                aside.write_bytes(self.archive.read(name))
                aside.rename(place)
        return place
