"""Channels: networks that read fixed channels by position, as ViTs and ResNets do."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from armillary.earth.sensors import Sensor
from armillary.errors import BadInput, BandMismatch
from armillary.models.intake import CARDS, IntakeCard
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample


@runtime_checkable
class OfChannels(Protocol):
    """What the configuration of a network for fixed channels tells."""

    @property
    def card(self) -> str:
        """Name in `CARDS`."""
        ...

    @property
    def channels(self) -> int:
        """How many enter."""
        ...


class FixedChannels(nn.Module):
    """A network that reads fixed channels: what it takes, and how raw values become a batch of it.

    Args:
        config: names its card.
    """

    def __init__(self, config: OfChannels) -> None:
        super().__init__()
        self.config = config

    @property
    def card(self) -> IntakeCard:
        """Which sensors it takes, and how their values become its channels."""
        return CARDS[self.config.card]

    def batch(
        self,
        pixels: Float[Tensor, "b c h w"] | np.ndarray,
        sensor: str | Sensor,
        bands: Sequence[str] | None = None,
        *,
        lonlat: object = None,
        days: object = None,
        gsd_m: object = None,
        unit: str | Sequence[str] | None = None,
    ) -> Batch:
        """Raw values of a sensor as this model wants them; see `armillary.models.intake.IntakeCard.batch`."""
        return self.card.batch(pixels, sensor, bands, lonlat=lonlat, days=days, gsd_m=gsd_m, unit=unit)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Samples of one sensor and one size as this model wants them."""
        return self.card.collate(samples)

    def check_channels(self, batch: Batch) -> None:
        """Refuse what is no batch, or one of other channels.

        Raises:
            BadInput: no batch.
            BandMismatch: as many channels as this model does not read.
        """
        if not isinstance(batch, Batch):
            raise BadInput(
                f"a model takes an arm.Batch, got {type(batch).__name__}; model.batch(pixels, sensor) makes one"
            )
        if batch.pixels.shape[1] != self.config.channels:
            raise BandMismatch(
                f"this model reads {self.config.channels} channels, the batch holds {batch.pixels.shape[1]}; "
                "model.batch(pixels, sensor) picks them"
            )
