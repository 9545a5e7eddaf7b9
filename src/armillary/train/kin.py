"""Kin: the samples of a draw that may share a batch, because sensor, bands and size are the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from armillary.earth.sensors import Sensor
from armillary.models.mae import MaskedAutoencoder
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw
from armillary.tokens.patch import grid_shape

_STRIDE = 1009
"""Between the seeds of two sensors of one item, so that their masks differ."""


@dataclass(frozen=True, eq=False)
class Kin:
    """Samples of one sensor, one set of bands and one size.

    Args:
        samples: at least one.
        rows: position of each one's item in the draw.
        seeds: of those items, other ones for each sensor.
    """

    samples: tuple[Sample, ...]
    rows: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def sensor(self) -> Sensor:
        """The sensor of all of them, narrowed to their bands."""
        return self.samples[0].sensor

    def only(self, which: Sequence[int]) -> "Kin":
        """These of them, in this order."""
        return Kin(
            tuple(self.samples[i] for i in which),
            tuple(self.rows[i] for i in which),
            tuple(self.seeds[i] for i in which),
        )


def kin_of(draw: Draw) -> Iterator[Kin]:
    """The samples of a draw, kin by kin, in an order that does not depend on which items are there."""
    for sensor, samples in sorted(draw.samples.items()):
        kinds: dict[tuple[tuple[str, ...], tuple[int, int]], list[int]] = {}
        for i, s in enumerate(samples):
            kinds.setdefault((s.sensor.band_names, s.window.shape), []).append(i)
        shift = _STRIDE * (sum(map(ord, sensor)) % 997)
        for _, which in sorted(kinds.items()):
            rows = tuple(draw.rows[sensor][i] for i in which)
            yield Kin(tuple(samples[i] for i in which), rows, tuple((draw.seeds[r] + shift) % 2**62 for r in rows))


def grid_of(mae: MaskedAutoencoder, batch: Batch) -> tuple[int, int]:
    """Rows and columns of tokens that the encoder makes of a batch."""
    h, w = batch.pixels.shape[-2:]
    config = mae.encoder.config
    padding = 0 if config.fine_width else config.quirks.padding_px
    return grid_shape(h, w, patch_px=batch.patch_px, padding_px=padding)
