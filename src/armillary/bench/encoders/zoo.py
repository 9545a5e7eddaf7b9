"""Encoders: models of the zoo as a benchmark sees them, and every encoder by its name on the command line.

`open_encoder` reads "copernicus-fm-nano", "copernicus-fm-nano@random", "copernicus-fm-base@FILE" and
"torchgeo:NAME@WEIGHTS".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch

from armillary.bench.encoders.encoder import FACTS, Encoder, Look, Sight
from armillary.bench.encoders.foreign import torchgeo_encoder
from armillary.bench.encoders.shown import as_published
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.fomo_net import FoMoNet
from armillary.models.precision import cast, precision_of
from armillary.models.weights import weights_sha256
from armillary.models.zoo import Encoder as Network
from armillary.models.zoo import load_encoder, native_patch_px
from armillary.probe.features import View, seen
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample

RANDOM = "random"
"""Stands behind "@" for weights that nobody trained."""

FEWEST_TOKENS = 4
"""Smaller chips are enlarged until so many tokens lie along a side."""

ADAPTERS: Mapping[str, Callable[[str, str], Encoder]] = MappingProxyType({"torchgeo": torchgeo_encoder})
"""What stands before ":" in a name -> (what stands behind it, device) to the encoder."""


@dataclass(frozen=True, eq=False)
class ZooEncoder:
    """A model of the zoo, frozen.

    Args:
        name: what tables call it.
        model: in eval mode.
        digest: of its weights and precision.
        told: which facts it uses.
        device: where it computes.
    """

    name: str
    model: Network
    digest: str
    told: tuple[str, ...]
    device: str = "cpu"

    @classmethod
    def of(cls, name: str, model: Network, device: str = "cpu", precision: str = "float32") -> "ZooEncoder":
        """From a model in memory."""
        placed = cast(model.to(device), precision)
        return cls(name, placed, f"{weights_sha256(model)}-{precision_of(placed)}", _told(model), device)

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        """Vectors are the pooled ones, maps the four taps of the trunk."""
        with torch.inference_mode():
            tokens = self.model(self.batch(samples, look).to(self.device))
            maps = tuple(t.float().cpu() for t in tokens.taps) if look.maps else ()
            return Sight(tokens.pooled.float().cpu(), maps)

    def batch(self, samples: Sequence[Sample], look: Look) -> Batch:
        """Samples as the model reads them in this look; a model that learns is fed with the same."""
        if look.official is not None and isinstance(self.model, CopernicusFM):
            return as_published(samples, look.official, look.knows)
        batch = self.model.card.collate(samples)
        h, w = batch.pixels.shape[-2:]
        side = look.side_px or (look.official.side_px if look.official is not None else None)
        return seen(batch, View(side_px=self._side(h, w, batch.patch_px, side), knows=look.knows))

    def _side(self, h: int, w: int, patch_px: int, asked: int | None) -> int | None:
        """Side to resize to; None where the pixels are as they should be."""
        fixed = native_patch_px(self.model)
        if asked is None and h == w and fixed is not None:
            asked = h
        if asked is None:
            few = min(h, w) < FEWEST_TOKENS * patch_px
            return FEWEST_TOKENS * patch_px if few else None
        return asked if fixed is None else max(round(asked / fixed), FEWEST_TOKENS) * fixed


def _told(model: Network) -> tuple[str, ...]:
    """Which facts a model uses beside pixels."""
    if isinstance(model, CopernicusFM):
        return FACTS
    return ("area",) if isinstance(model, FoMoNet) and model.config.ground_size else ()


def open_encoder(name: str, *, device: str = "cpu", precision: str = "float32") -> Encoder:
    """The encoder that a name of the command line means.

    Args:
        name: of the zoo; behind "@" a weight file, or "random" for untrained weights.
        device: where it computes.
        precision: as `armillary.models.precision` says.

    Raises:
        BadInput: no such model, or no such device.
        WeightsMissing: no such weights.

    Example:
        >>> open_encoder("copernicus-fm-nano@random").told
        ('place', 'time', 'area')
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as cause:
        why = str(cause).split("\n")[0]
        raise BadInput(f"device={device!r} cannot be used here ({why}); give cpu or cuda") from cause
    kind, colon, rest = name.partition(":")
    if colon and kind in ADAPTERS:
        return ADAPTERS[kind](rest, device)
    model, _, weights = name.partition("@")
    loaded = load_encoder(model, None if weights == RANDOM else weights or "default")
    return ZooEncoder.of(name, loaded, device, precision)
