"""Look at the synthetic world: a sheet of places, how fast they are made, and how near their numbers are to real ones.

python studies/synthetic_world.py docs/results

Writes synthetic-world.png and synthetic-world.md there. SYNTHETIC: formulas, no measurement.
"""

import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

mpl.use("Agg")
import matplotlib.pyplot as plt

from armillary.earth.fleet import SSL4EO, sensors
from armillary.sample.world.backscatter import LOOKS, speckle_db
from armillary.sample.world.cover import BARE, BUILT, CROPS, FLOODED, RANGE, SNOW, TREES, WATER
from armillary.sample.world.world import Scenery, World
from armillary.scene.majortom.thumbnail import optical, relief

SHEET, SIDE, SHOWN = 12, 128, (3, 2, 1)
COUNT, BATCH = 256, 32
COLOURS = {
    WATER: ("water", "#3066e0"),
    TREES: ("trees", "#1c7018"),
    FLOODED: ("flooded vegetation", "#68c8b0"),
    CROPS: ("crops", "#f2cc4c"),
    BUILT: ("built area", "#cc1c1c"),
    BARE: ("bare ground", "#a68c73"),
    SNOW: ("snow or ice", "#f2f8ff"),
    RANGE: ("rangeland", "#bfd980"),
}


def sheet(path: Path) -> None:
    """Two places to a row: hillshade, cover, level 2A, level 1C, radar VV."""
    world = World(side_px=SIDE)
    some = world.scenery(torch.arange(200, 200 + SHEET), torch.arange(SHEET))
    figure, axes = plt.subplots(SHEET // 2, 10, figsize=(15, SHEET * 0.77))
    for place in range(SHEET):
        row = axes[place // 2, place % 2 * 5 : place % 2 * 5 + 5]
        pixels = {name: values[place].numpy() for name, values in some.strands.items()}
        code = pixels["land-cover"][0]
        colour = np.zeros((*code.shape, 3))
        for number, (_, name) in COLOURS.items():
            colour[code == number] = mpl.colors.to_rgb(name)
        pictures = [relief(pixels["dem"][0] / 10), colour]
        pictures += [optical(1e4 * pixels[s][list(SHOWN)]) for s in ("s2-l2a", "s2-l1c")]
        pictures.append(np.repeat(((pixels["s1-rtc"][0] + 25) / 25).clip(0, 1)[..., None], 3, axis=-1))
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.axis("off")
        low, high = pixels["dem"].min(), pixels["dem"].max()
        row[0].set_title(f"{low:.0f} to {high:.0f} m, {float(some.climate.lat[place]):.0f}°", fontsize=7)
        row[2].set_title(f"SYNTHETIC, day {float(some.days[place]) % 365.25:.0f}", fontsize=7)
    figure.tight_layout(pad=0.2)
    figure.savefig(path, dpi=48)


def rate(batch: int) -> float:
    """Places a second of processor time of one thread, 64 x 64 pixels."""
    world, visits = World(), torch.zeros(batch, dtype=torch.long)
    world.scenery(torch.arange(batch), visits)
    begun = time.process_time()
    for k in range(max(2, COUNT // batch)):
        world.scenery(torch.arange(batch) + k * batch, visits)
    return max(2, COUNT // batch) * batch / (time.process_time() - begun)


def table(some: Scenery) -> str:
    """Means and spreads of level 2A beside the global ones of SSL4EO-S12, and shares of cover."""
    surface, real = some.strands["s2-l2a"], sensors["s2-l2a"].statistic(SSL4EO)
    lines = ["| band | synthetic mean, std | SSL4EO-S12 mean, std |", "|---|---|---|"]
    for i, band in enumerate(sensors["s2-l2a"].band_names):
        own = surface[:, i]
        lines.append(
            f"| {band} | {float(own.mean()):.3f}, {float(own.std()):.3f} | "
            f"{real.mean[i] / 1e4:.3f}, {real.std[i] / 1e4:.3f} |"
        )
    radar = some.strands["s1-rtc"]
    for i, band in enumerate(("VV", "VH")):
        lines.append(f"| {band} dB | {float(radar[:, i].mean()):.1f}, {float(radar[:, i].std()):.1f} | |")
    lines += ["", "| cover | share |", "|---|---|"]
    lines += [f"| {n} | {float((some.cover.code == c).float().mean()):.3f} |" for c, (n, _) in COLOURS.items()]
    return "\n".join(lines)


def main(folder: Path) -> None:
    """Both files."""
    torch.set_num_threads(1)
    sheet(folder / "synthetic-world.png")
    some = World().scenery(torch.arange(COUNT), torch.arange(COUNT))
    mean, spread = speckle_db(LOOKS)
    text = f"""# The synthetic world

SYNTHETIC: places made by formulas (`armillary.sample.world`), for pretraining and for checks whose answer is known.
Nothing of it was measured, and it is never shown as the Earth. By `python studies/synthetic_world.py docs/results`.

![Twelve synthetic places](synthetic-world.png)

Each place: hillshade, land cover, level 2A, level 1C, Sentinel-1 VV, at 128 x 128 pixels of 10 m.

Places of 64 x 64 pixels made in a second of processor time on one thread (no other machine was tried, and no GPU):
{rate(1):.0f} one by one, {rate(BATCH):.0f} in batches of {BATCH}.

Known in closed form: speckle of {LOOKS} looks has mean {mean:.3f} dB and spread {spread:.3f} dB whatever the ground
(`speckle_db`); level 1C gives level 2A back when the air is known (`to_surface`); with `World(shading=0)` optics know
of the relief only what grows on it and where snow lies. The values of {COUNT} places beside the global statistics of a
real set, to which nothing was fitted:

{table(some)}
"""
    (folder / "synthetic-world.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
