"""Files of an archive, whether it lies zipped or extracted."""

from typing import Protocol


class Files(Protocol):
    """Files by their names within the archive's folder, with "/" between parts."""

    where: str
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
