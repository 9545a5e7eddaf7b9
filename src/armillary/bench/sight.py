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
    """What a benchmark needs of a model.

    `name` is what tables call it, `digest` changes when any of its numbers would, `told` says which facts it uses.
    """

    name: str
    digest: str
    told: tuple[str, ...]

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        """Samples of one sensor and one size, in the sensor's unit with NaN where nothing was measured.

        Raises:
            StatisticsMissing: it does not read this sensor.
        """
