"""A model of the shipped kind in the smallest size, and synthetic draws of several sensors for it."""

import zlib

import numpy as np
import torch

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.models.card import nano_card
from armillary.models.copernicus_fm import CopernicusFMConfig, random_model
from armillary.models.mae import DecoderConfig, MaskedAutoencoder
from armillary.models.sizes import CORRECT
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw

OWN = CopernicusFMConfig(
    width=32, depth=2, heads=2, taps=(0, 0, 1, 1), grid_side=4, base_px=4, sentence_route=True, shared_generator=True,
    generator_hidden=32, polarised=True, fine_width=8, own_card=True, quirks=CORRECT,
)  # fmt: skip
FINE = DecoderConfig(width=16, depth=1, heads=2, base_px=4, hidden=32, fine_width=8)


def tiny_mae(seed: int = 0) -> MaskedAutoencoder:
    return MaskedAutoencoder(random_model(OWN, seed=seed).train(), FINE, seed=seed)


def sample_of(name: str, row: int, tokens: int = 3, seed: int = 0) -> Sample:
    """Standardised noise, put back into the unit of the sensor."""
    sensor = sensors[name]
    side = tokens * sensor.patch_px
    statistics = nano_card.statistics(sensor)
    z = np.random.default_rng((seed, row, zlib.crc32(name.encode()))).normal(size=(len(sensor.bands), side, side))
    unit = sensor.counts.scale[0] if statistics.unit == "count" and sensor.counts is not None else 1.0
    mean, std = (np.array(x)[:, None, None] * unit for x in (statistics.mean, statistics.std))
    window = Window.of((side, side), (10.0, 0.0, 500000.0 + 5000 * row, 0.0, -10.0, 5200000.0), "EPSG:32632")
    return Sample((mean + std * z).astype(np.float32), sensor, window)


def draw_of(rows: dict[str, tuple[int, ...]], items: int, step: int = 0, tokens: int = 3) -> Draw:
    """Sensor -> the places that have it."""
    return Draw(
        step=step,
        keys=tuple(f"place-{i}" for i in range(items)),
        samples={name: tuple(sample_of(name, row, tokens) for row in at) for name, at in rows.items()},
        rows=rows,
        seeds=tuple(100 + i for i in range(items)),
    )


def gradient_of(module: torch.nn.Module) -> float:
    """The largest gradient of all parameters."""
    return max((float(p.grad.abs().max()) for p in module.parameters() if p.grad is not None), default=0.0)
