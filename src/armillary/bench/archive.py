"""Archive: where the files of a task come from, and by what they are known once they are here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """Where the files of a task come from.

    Args:
        path: of the archive in its repository, "l1_cloud_s2/cloud_s2.zip".
        folder: that it holds, "cloud_s2".
        md5: of the archive as published; "" where unknown.
        licence: of the data.
        source: who made them, and where that is told.
        more: path and MD5 of further files of the same archive.
        aliases: other names under which the folder is found.
        marks: names that lie in the folder and tell it where it bears another name; none where they tell too little.
        repository: data set on the hub, "owner/name"; "" where it is not there.
        revision: of the repository, the one whose MD5 sums these are.
    """

    path: str
    folder: str
    md5: str
    licence: str
    source: str
    more: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    repository: str = ""
    revision: str = ""

    @property
    def folders(self) -> tuple[str, ...]:
        """Every name of the folder, the published one first."""
        return (self.folder, *self.aliases)

    @property
    def downloads(self) -> tuple[tuple[str, str], ...]:
        """Path and MD5 of every file."""
        return ((self.path, self.md5), *self.more)
