"""Strands: the inputs and outputs of the joint diffusion model.

A *strand* is what the model knows under one name, with one diffusion time of its own: the bands of a sensor, or a group
of them that share a ground size, as a picture or as its latent; a map of classes, one channel per class; a few numbers
(place, date), as a picture of one row. The pictures of one item show one piece of ground, each with the sides that its
ground size asks for: 64 px of 10 m lie beside 32 px of 20 m.
"""

from dataclasses import dataclass

from armillary.errors import OutOfRange


@dataclass(frozen=True)
class Strand:
    """One input and output.

    Args:
        name: by which it is given, asked for and returned.
        channels: bands, latent channels or classes.
        height: rows.
        width: columns.
        patch: side of a token in pixels; it divides height and width.
    """

    name: str
    channels: int
    height: int
    width: int
    patch: int

    def __post_init__(self) -> None:
        if min(self.channels, self.height, self.width, self.patch) < 1:
            raise OutOfRange(f"strand {self.name!r} has a size below 1; give whole numbers from 1 up")
        self.grid(self.height, self.width)

    @property
    def tokens(self) -> int:
        """How many tokens it is."""
        rows, columns = self.grid(self.height, self.width)
        return rows * columns

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tokens of a picture of that many pixels."""
        p = self.patch
        if height < p or width < p or height % p or width % p:
            raise OutOfRange(
                f"strand {self.name!r} is cut into patches of {p} px, {height} x {width} px are no multiple of that; "
                f"give for example {max(height // p, 1) * p} x {max(width // p, 1) * p}"
            )
        return height // p, width // p
