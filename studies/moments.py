"""Mean and deviation of every band of every sensor over the training tiles of a folder, as JSON.

    python studies/moments.py FOLDER FOLDER/statistics.json

A place counts as 256 x 256 pixels at most, so that one large scene does not speak for its sensor. Values outside the
sensor's plausible range are left out; the rest is clipped to the 0.1 and 99.9 percentiles of its band.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.earth.card import find_sensor
from armillary.sample.tiles import Row, Tiles

PLACE_PX = 256**2


def bands_of(tiles: Tiles, name: str) -> dict[str, Float[np.ndarray, " n"]]:
    """Values of each band of a sensor, thinned to at most PLACE_PX for a place."""
    sensor = find_sensor(name)
    places: dict[str, list[Row]] = defaultdict(list)
    for row in tiles.rows:
        if row.sensor == name:
            places[row.place].append(row)
    found: dict[str, list[np.ndarray]] = {b: [] for b in sensor.band_names}
    for rows in places.values():
        total = sum(r.height * r.width for r in rows)
        for row in rows:
            pixels = tiles.read(row).pixels.reshape(len(row.bands), -1)
            keep = np.random.default_rng(0).permutation(pixels.shape[1])[: max(1, pixels.shape[1] * PLACE_PX // total)]
            for band, values in zip(row.bands, pixels if total <= PLACE_PX else pixels[:, keep], strict=True):
                found[band].append(values[np.isfinite(values)])
    return {b: np.concatenate(v) for b, v in found.items() if v}


def moments(values: Float[np.ndarray, " n"], plausible: tuple[float, float]) -> tuple[float, float, int]:
    """Mean, deviation and number of the plausible values."""
    kept = values[(values >= plausible[0]) & (values <= plausible[1])].astype(np.float64)
    clipped = np.clip(kept, *np.percentile(kept, [0.1, 99.9]))
    return float(clipped.mean()), float(clipped.std()), len(kept)


def main(folder: Path, page: Path) -> None:
    """Write the JSON: sensor -> bands, mean, std, pixels, tiles, places."""
    tiles = Tiles(folder, "train", least_px=1)
    told = {}
    for name in sorted({r.sensor for r in tiles.rows}):
        bands = bands_of(tiles, name)
        three = [moments(v, find_sensor(name).plausible) for v in bands.values()]
        own = [r for r in tiles.rows if r.sensor == name]
        told[name] = {
            "unit": find_sensor(name).unit,
            "bands": list(bands),
            "mean": [float(f"{m:.6g}") for m, _, _ in three],
            "std": [float(f"{s:.6g}") for _, s, _ in three],
            "pixels": [n for _, _, n in three],
            "tiles": len(own),
            "places": len({r.place for r in own}),
        }
    page.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
