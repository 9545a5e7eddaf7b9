"""Fixed draws: a source that gives each place the same few draws for ever, crops and all.

What is kept of a sample (a teacher's vectors, say) is then of use in every epoch. A stream over it has no change of its
own that moves pixels: crops and flips are part of the draw.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from armillary.errors import OutOfRange
from armillary.sample.sample import Sample
from armillary.sample.source import Source
from armillary.sample.stream import Change

_FIXED = 4
"""Last word of a seed, so that fixed draws share no random numbers with a stream's."""


@dataclass(frozen=True, eq=False)
class FixedDraws:
    """`count` draws of each place of a source; which of them comes is all that is random.

    Args:
        source: what is drawn from.
        count: draws per place. A run of more epochs than this sees a draw again.
        change: crops, flips; part of a draw.
        seed: another seed gives other draws.
    """

    source: Source
    count: int
    change: Change | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.seed < 0:
            raise OutOfRange(f"count={self.count} and seed={self.seed} were given; count is 1 or more, seed 0 or more")

    def __len__(self) -> int:
        return len(self.source)

    def key(self, place: int) -> str:
        """That of the source."""
        return self.source.key(place)

    def checksum(self) -> str:
        """That of the source: the pixels of a draw say which crop it is."""
        return self.source.checksum()

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One of the place's draws."""
        return self.fixed(place, int(rng.integers(self.count)))

    def fixed(self, place: int, number: int) -> Mapping[str, Sample]:
        """A certain one of the place's draws, 0 to count - 1."""
        if not 0 <= number < self.count:
            raise OutOfRange(f"draw {number} of {self.count} was asked; they are counted from 0")
        rng = np.random.default_rng((self.seed, place, number, _FIXED))
        samples = self.source.draw(place, rng)
        return samples if self.change is None else self.change(samples, rng)

    def all(self) -> Iterator[Sample]:
        """Every sample of every draw of every place, in order."""
        for place in range(len(self)):
            for number in range(self.count):
                yield from self.fixed(place, number).values()
