"""Rebuilding: what each method makes of the hidden patches of crops, and how far it is off."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from armillary.earth.sensors import Sensor
from armillary.models.card import Card
from armillary.models.mae import MaskedAutoencoder
from armillary.probe import fills
from armillary.probe.fills import Known, Pixels
from armillary.probe.linear_fill import LinearFill
from armillary.sample.batch import Batch
from armillary.sample.normal import convert, denormalise
from armillary.tokens.mask import hidden_of, mask_random
from armillary.tokens.unpatch import unpatchify
from crops import MASKED, Crop

OURS, RANDOM, ORACLE = "this model", "random weights", "oracle patch mean"
BASELINES = (
    "train mean",
    "visible mean",
    "nearest pixel",
    "nearest patch mean",
    "distance-weighted edges",
    "distance-weighted patch means",
    "linear: visible mean",
    "linear: neighbours' means",
    "linear: neighbours' means and edges",
)
TOGETHER = 16
"""Crops in one pass."""


@dataclass(frozen=True)
class Score:
    """Mean squared error of one method over the hidden pixels of a crop.

    Args:
        sensor: short name.
        source: the set.
        place: where the crop was taken.
        unit: of resampling.
        method: which.
        error: in units of the model card's deviations, mean over bands.
        physical: in the square of the sensor's unit, mean over bands.
    """

    sensor: str
    source: str
    place: str
    unit: str
    method: str
    error: float
    physical: float


@dataclass(frozen=True, eq=False)
class Seen:
    """A crop as a model is shown it.

    Args:
        crop: which.
        x: normalised pixels, 0 where nothing was measured.
        known: pixels that are seen and measured.
        measured: where there is a truth.
        asked: hidden pixels that were measured.
        scale: the sensor's unit in a normalised one, of each band.
    """

    crop: Crop
    x: Pixels
    known: Known
    measured: Known
    asked: Known
    scale: Float[np.ndarray, " c"]


def batch_of(card: Card, crops: Sequence[Crop]) -> Batch:
    """Crops of one kind, with all that is known of them."""
    return card.collate([c.sample for c in crops])


def masks_of(crops: Sequence[Crop]) -> torch.Tensor:
    """Positions of the patches that are seen."""
    rows, columns = crops[0].grid
    return mask_random(rows * columns, MASKED, [c.seed for c in crops])


def seen_of(crop: Crop, card: Card) -> Seen:
    """One crop, normalised, with its mask."""
    rows, columns = crop.grid
    hidden = hidden_of(rows * columns, masks_of([crop]))[0].numpy().reshape(rows, columns)
    known = fills.on_pixels(~hidden, crop.sample.sensor.patch_px)
    measured = crop.sample.valid
    x, scale = batch_of(card, [crop]).pixels[0].numpy(), deviations(card, crop.sample.sensor)
    return Seen(crop, x, known & measured, measured, measured & ~known, scale)


@dataclass(frozen=True, eq=False)
class Baselines:
    """Everything that was fitted to crops of places to learn from.

    Args:
        card: how pixels are normalised.
        means: sensor and band -> mean, normalised.
        linear: name and sensor -> regressions.
    """

    card: Card
    means: Mapping[tuple[str, str], float]
    linear: Mapping[tuple[str, str], LinearFill]

    def fill(self, seen: Seen) -> Iterator[tuple[str, Pixels]]:
        """Each baseline's guess, and the oracle's."""
        x, known, sensor = seen.x, seen.known, seen.crop.sample.sensor
        p, names = sensor.patch_px, sensor.band_names
        means = np.array([self.means[sensor.name, b] for b in names], x.dtype)
        yield BASELINES[0], np.broadcast_to(means[:, None, None], x.shape)
        yield BASELINES[1], fills.visible_mean(x, known)
        yield BASELINES[2], fills.nearest(x, known)
        yield BASELINES[3], fills.nearest_patch(x, known, p)
        weighted = fills.distance_weighted(x, known)
        yield BASELINES[4], weighted
        yield BASELINES[5], fills.distance_weighted_patches(x, known, p)
        for method in BASELINES[6:]:
            yield method, self.linear[method, sensor.name](x, known, names, weighted)
        yield ORACLE, fills.oracle(x, seen.measured, p)


def fit(crops: Iterator[Crop], card: Card) -> Baselines:
    """Means and regressions of every sensor among the crops."""
    linear: dict[tuple[str, str], LinearFill] = {}
    sums: dict[tuple[str, str], list[float]] = {}
    for crop in crops:
        seen, sensor = seen_of(crop, card), crop.sample.sensor
        for band, values in zip(sensor.band_names, seen.x[:, seen.measured], strict=True):
            sums.setdefault((sensor.name, band), []).append(float(values.mean()))
        if not seen.known.any():
            continue
        for method, clues in zip(BASELINES[6:], ("mean", "means", "edges"), strict=True):
            fill = linear.setdefault((method, sensor.name), LinearFill(clues, sensor.patch_px))
            fill.add(seen.x, seen.known, seen.measured, sensor.band_names)
    return Baselines(card, {k: float(np.mean(v)) for k, v in sums.items()}, linear)


def in_kinds(crops: Sequence[Crop]) -> Iterator[Sequence[Crop]]:
    """Crops that may share a batch, a few at a time."""
    kinds: dict[tuple[object, ...], list[Crop]] = {}
    for c in crops:
        kinds.setdefault((c.sample.sensor.name, c.sample.sensor.band_names, c.grid), []).append(c)
    for alike in kinds.values():
        yield from (alike[i : i + TOGETHER] for i in range(0, len(alike), TOGETHER))


@torch.inference_mode()
def rebuilt(mae: MaskedAutoencoder, crops: Sequence[Crop]) -> Float[np.ndarray, "b c h w"]:
    """What the model makes of crops of one kind."""
    batch = batch_of(mae.encoder.card, crops)
    found = mae(batch, masks_of(crops))
    rows, columns = found.grid
    return unpatchify(found.pixels.float(), batch.patch_px, rows=rows, columns=columns).numpy()


def scores(crops: Sequence[Crop], baselines: Baselines, models: Mapping[str, MaskedAutoencoder]) -> Iterator[Score]:
    """Every method on every crop."""
    for few in in_kinds(crops):
        made = {name: rebuilt(mae, few) for name, mae in models.items()}
        for i, crop in enumerate(few):
            seen = seen_of(crop, baselines.card)
            if not seen.known.any() or not seen.asked.any():
                continue
            told = [*baselines.fill(seen), *((name, x[i]) for name, x in made.items())]
            yield from (score(seen, method, x) for method, x in told)


def score(seen: Seen, method: str, told: Pixels, asked: Known | None = None) -> Score:
    """How far one guess is off."""
    crop, where = seen.crop, seen.asked if asked is None else asked
    sensor = crop.sample.sensor
    error = ((told - seen.x)[:, where].astype(np.float64) ** 2).mean(axis=1)
    physical = float((error * seen.scale**2).mean())
    return Score(sensor.name, crop.source, crop.place, crop.unit, method, float(error.mean()), physical)


def deviations(card: Card, sensor: Sensor) -> Float[np.ndarray, " c"]:
    """Deviations of a sensor's bands on a card, in the sensor's unit."""
    statistics = card.statistics(sensor)
    levels = (torch.full((1, len(sensor.bands), 1, 1), v) for v in (0.0, 1.0))
    low, high = (convert(denormalise(x, statistics)[0], sensor, statistics.unit, to=sensor.unit) for x in levels)
    return (high - low).abs().flatten().double().numpy()
