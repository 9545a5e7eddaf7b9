"""Foreign encoders: any network as an encoder, and torchgeo's pretrained ones where torchgeo is installed.

A network may give a vector per item, tokens (those before the patches are left out), a map, or several maps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from armillary.bench.encoders.encoder import Look, Sight
from armillary.earth.lexicon import resolve
from armillary.errors import BadInput, need
from armillary.models.weights import weights_sha256
from armillary.sample.normal import convert
from armillary.sample.sample import Sample

TAPS = 4
"""Maps that dense probes read; a network that gives fewer shows its last one again."""

Prepare = Callable[[Sequence[Sample]], Tensor]
"""Samples as the network wants them: bands, unit, statistics, size, NaN filled."""


@dataclass(frozen=True, eq=False)
class NetEncoder:
    """Any network that takes one tensor.

    Args:
        name: what tables call it.
        net: in eval mode; gives [b d], [b n d], [b d h w], or a sequence of the last.
        prepare: samples to its input.
        digest: changes when its numbers would.
        told: it is told nothing beside pixels.
        device: where it computes.
    """

    name: str
    net: Callable[[Tensor], Tensor | Sequence[Tensor]]
    prepare: Prepare
    digest: str
    told: tuple[str, ...] = ()
    device: str = "cpu"

    @classmethod
    def of(cls, name: str, net: nn.Module, prepare: Prepare, device: str = "cpu") -> "NetEncoder":
        """From a module, whose weights are its digest."""
        return cls(name, net.eval().to(device), prepare, weights_sha256(net), device=device)

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        """Vectors are means of the last map where the network gives no vector."""
        with torch.inference_mode():
            out = self.net(self.prepare(samples).to(self.device))
        planes = [out] if isinstance(out, Tensor) else list(out)
        if planes[-1].ndim == 2:
            if look.maps:
                raise BadInput(f"{self.name} gives one vector per item and no map; ask it tasks of whole items")
            return Sight(planes[-1].float().cpu())
        grids = [_grid(p).float().cpu() for p in planes]
        maps = tuple([*grids, *[grids[-1]] * TAPS][:TAPS]) if len(grids) < TAPS else tuple(grids[-TAPS:])
        return Sight(grids[-1].mean(dim=(2, 3)), maps if look.maps else ())


def torchgeo_encoder(rest: str, device: str = "cpu") -> NetEncoder:
    """One of torchgeo's models, as "resnet50@ResNet50_Weights.SENTINEL2_ALL_MOCO".

    Raises:
        MissingExtra: torchgeo is not installed.
        BadInput: no such weights.
    """
    models = need("torchgeo.models", "torchgeo")
    model, _, weights = rest.partition("@")
    try:
        found = models.get_weight(weights) if weights else None
        net = models.get_model(model, weights=found)
    except (ValueError, KeyError) as cause:
        raise BadInput(
            f"torchgeo has no model {model!r} with weights {weights!r} ({cause}); see torchgeo.models.list_models()"
        ) from cause
    if found is None:
        raise BadInput(f"torchgeo:{rest} names no weights; write torchgeo:MODEL@WEIGHTS, so that its bands are known")
    forward = getattr(net, "forward_features", net)

    def prepare(samples: Sequence[Sample]) -> Tensor:
        return _torchgeo_input(samples, tuple(found.meta["bands"]), found.transforms)

    net.eval().to(device)
    return NetEncoder(f"torchgeo:{rest}", forward, prepare, weights_sha256(net), device=device)


def _torchgeo_input(
    samples: Sequence[Sample], bands: tuple[str, ...], transforms: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> Tensor:
    """Bands by name in the weights' order, as counts where the sensor has counts, through their own transforms."""
    sensor = samples[0].sensor
    at = list(sensor.index(resolve(sensor, bands)))
    x = torch.from_numpy(np.stack([s.pixels for s in samples]).astype(np.float32))
    unit = sensor.unit if sensor.counts is None else "count"
    x = torch.stack([convert(item, sensor, sensor.unit, to=unit) for item in x])[:, at]
    return transforms({"image": torch.nan_to_num(x)})["image"]


def _grid(x: Tensor) -> Tensor:
    """Tokens [b n d] as a map [b d h w]; those that are too many for a square stand first and are left out."""
    if x.ndim == 4:
        return x
    side = isqrt(x.shape[1])
    found: Tensor = rearrange(x[:, x.shape[1] - side**2 :], "b (h w) d -> b d h w", h=side)
    return found
