"""Sight: what a benchmark needs of a model, and no more: samples in, vectors and maps out.

A *look* is how an encoder is asked: what it is told, at which size, whether maps are wanted. A *sight* is what it
gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from armillary.bench.task import Official
from armillary.sample.sample import Sample

FACTS = ("place", "time", "area")
"""What an encoder can be told beside pixels."""


@dataclass(frozen=True)
class Look:
    """How an encoder is asked.

    Args:
        knows: which of place, time and area it is told.
        maps: whether four maps are wanted beside the vectors.
        official: the published protocol's numbers; None: each encoder's own.
        side_px: samples are resized to this side first; None: as stored, or as few as `FEWEST_TOKENS` allow.
    """

    knows: tuple[str, ...] = ()
    maps: bool = False
    official: Official | None = None
    side_px: int | None = None


@dataclass(frozen=True, eq=False)
class Sight:
    """What an encoder gives for a stack of samples.

    Args:
        vectors: one per sample.
        maps: from the first to the last tap; none where none were wanted. Their pixels are where the sample's are.
    """

    vectors: Float[Tensor, "b d"]
    maps: tuple[Float[Tensor, "b _e _h _w"], ...] = ()


@runtime_checkable
class Encoder(Protocol):
    """What a benchmark needs of a model."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def digest(self) -> str:
        """Another one when any of its numbers would be: features are kept under it."""

    @property
    def told(self) -> tuple[str, ...]:
        """Which of `FACTS` it uses where a look says that it may."""

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        """Samples of one sensor and one size, in the sensor's unit with NaN where nothing was measured.

        Samples of one item stand beside each other, in the order of time.

        Raises:
            StatisticsMissing: it does not read this sensor.
        """
