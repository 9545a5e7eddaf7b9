"""Pictures of crops: what was seen, what the best fill and the model make of the rest, and what is there."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from armillary.models.mae import MaskedAutoencoder
from armillary.probe.fills import Pixels, distance_weighted
from armillary.train.objective import Panel
from armillary.train.panels import COLOURS
from armillary.train.pictures import draw_panels
from crops import Crop
from rebuilding import rebuilt, seen_of

GREY = 0.5
_STRETCH = (2.0, 98.0)


def draw(mae: MaskedAutoencoder, crops: Sequence[Crop], path: Path) -> None:
    """One row per crop; nothing where there is none."""
    if crops:
        draw_panels(path, tuple(_rows(mae, crops)))


def _rows(mae: MaskedAutoencoder, crops: Sequence[Crop]) -> Iterator[Panel]:
    for crop in crops:
        seen = seen_of(crop, mae.encoder.card)
        told = rebuilt(mae, [crop])[0]
        error = {
            "distance-weighted": distance_weighted(seen.x, seen.known),
            "this model": np.where(seen.known, seen.x, told),
        }
        names = crop.sample.sensor.band_names
        colours = [names.index(b) for b in COLOURS.get(crop.sample.sensor.name, ()) if b in names]
        bands = colours if len(colours) == 3 else list(range(3)) if crop.sample.sensor.name == "ombria-s2" else [0]
        pictures = {"seen": _shown(seen.x, seen.x, bands, seen.known)}
        for method, x in error.items():
            mse = float(((x - seen.x)[:, seen.asked] ** 2).mean())
            pictures[f"{method} ({mse:.3f})"] = _shown(x, seen.x, bands)
        pictures["true"] = _shown(seen.x, seen.x, bands)
        yield Panel(f"{crop.sample.sensor.name} {crop.source}", pictures)


def _shown(
    x: Pixels, like: Pixels, bands: Sequence[int], known: Bool[np.ndarray, "h w"] | None = None
) -> Float[np.ndarray, "h w *c"]:
    low, high = np.percentile(like[list(bands)], _STRETCH, axis=(1, 2))
    span = np.maximum(high - low, 1e-6)
    y = np.clip((x[list(bands)] - low[:, None, None]) / span[:, None, None], 0, 1)
    y = y if known is None else np.where(known, y, GREY)
    y = np.moveaxis(y, 0, -1).astype(np.float32)
    return y if len(bands) == 3 else y[..., 0]
