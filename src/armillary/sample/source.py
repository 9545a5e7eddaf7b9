"""Source: places that hold imagery of several sensors, from which samples are drawn one place at a time.

A *place* is what belongs together on the ground: a grid cell of Copernicus-Pretrain, or a site of another data set.
A *draw* is one random patch and one random date of each sensor there. Streams, corpora and training know this alone.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from armillary.sample.sample import Sample


@runtime_checkable
class Source(Protocol):
    """Places to draw samples from.

    No pixel is kept between calls, and a source travels to worker processes as it is (it pickles).
    """

    def __len__(self) -> int:
        """How many places there are."""

    def key(self, place: int) -> str:
        """The name of a place: a grid id or the name of a site. Unique within the source."""

    def checksum(self) -> str:
        """What it reads, in one word: another content gives another word. For the folder of a run."""

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One sample of each sensor that is there: an absent sensor is an absent key.

        Sentinel-1 and Sentinel-2 come from the same local patch, each at a random date of its own; pixels are in the
        unit of their sensor. A place on Earth that is unknown is a Window without a CRS. Equal `rng` states give
        equal samples.

        Raises:
            OutOfRange: no such place.
            SceneUnreadable: what is there cannot be read; the message names the file.
        """
