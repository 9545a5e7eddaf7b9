"""Mix: several sources as one, each counted a number of times."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np

from armillary.errors import BadInput, OutOfRange
from armillary.sample.sample import Sample
from armillary.sample.source import Source


@dataclass(frozen=True)
class Mix:
    """Sources one after the other, each repeated: a rare sensor can be drawn as often as a common one.

    Args:
        parts: a source, and how many times each of its places is there; a whole number.

    Raises:
        BadInput: no part, or one that is there less than once or part of a time.
    """

    parts: tuple[tuple[Source, int], ...]

    def __post_init__(self) -> None:
        asked = [times for _, times in self.parts]
        if not asked or not all(isinstance(n, Integral) and n >= 1 for n in asked):
            raise BadInput(
                f"a mix of sources {', '.join(map(str, asked)) or 'no'} times was asked for; give at least one source, "
                "each with a whole number of times, 1 or more"
            )

    def __len__(self) -> int:
        return self._ends[-1]

    def key(self, place: int) -> str:
        """The place's own name; of the second time on with * and the number of the time."""
        source, within = self._find(place)
        turn, own = divmod(within, len(source))
        return f"{source.key(own)}*{turn + 1}" if turn else source.key(own)

    def checksum(self) -> str:
        """One word for all parts and how often each is there."""
        told = " ".join(f"{source.checksum()} {times}" for source, times in self.parts)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """What the place's own source draws."""
        source, within = self._find(place)
        return source.draw(within % len(source), rng)

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(int(n) for n in np.cumsum([len(source) * times for source, times in self.parts]))

    def _find(self, place: int) -> tuple[Source, int]:
        if not 0 <= place < len(self):
            raise OutOfRange(f"place {place} was asked for; the mix has 0 to {len(self) - 1}")
        part = bisect_right(self._ends, place)
        return self.parts[part][0], place - (self._ends[part - 1] if part else 0)
