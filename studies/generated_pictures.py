"""Draw what a joint model makes of a real tile that it never saw, beside what was measured.

    python studies/generated_pictures.py SETS docs/results/generation-tile.png [--weights FILE]

SETS is the folder of real sets. The tile is the site of TerraMesh that is held out everywhere in this project. Columns:
what is given, what is expected (one asking), two samples, and the truth, all of a target in one stretch of colours.
Prints the seconds of each, and errors.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr

import armillary as arm
from armillary.earth.card import find_sensor
from armillary.models.cop_gen import CopGen
from armillary.models.zoo import load_model
from armillary.product.generated.sheet import paint

SITE = "38D_378R_2_3.tif"

FOLDERS: Mapping[str, str] = {"s1-rtc": "S1RTC", "s2-l1c": "S2L1C", "s2-l2a": "S2L2A", "dem": "DEM"}

TASKS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("s1-rtc",), "s2-l2a"),
    (("s2-l2a",), "s1-rtc"),
    (("s2-l1c",), "s2-l2a"),
    (("s2-l2a",), "s2-l1c"),
    (("s1-rtc", "s2-l2a"), "dem"),
)

COLUMNS = ("given", "expected", "sample 0", "sample 1", "measured")


def main(sets: Path, out: Path, model: CopGen) -> None:
    """Ask, print and draw."""
    scenes = {
        name: arm.open(sets / "terramesh_sites" / folder / SITE, sensor=name).load() for name, folder in FOLDERS.items()
    }
    figure, axes = plt.subplots(len(TASKS), len(COLUMNS), figsize=(2 * len(COLUMNS), 2.1 * len(TASKS)))
    for row, (given, target) in zip(axes, TASKS, strict=True):
        view = {name: scenes[name] for name in given}
        began = time.monotonic()
        expected = arm.generate(view, to=[target], model=model, steps=1)[target]
        one = time.monotonic()
        drawn = arm.generate(view, to=[target], model=model, samples=2)[target]
        two = time.monotonic()
        truth = scenes[target].sel(band=expected["band"])
        told = f"MAE {_error(expected, truth):.3g}, correlation {_correlation(expected, truth):.2f}"
        print(f"{'+'.join(given)} to {target}: {one - began:.1f} s expected, {two - one:.1f} s two samples; {told}")
        pictures = paint(find_sensor(target), [a.values for a in (expected, drawn[0], drawn[1], truth)])
        first = paint(find_sensor(given[-1]), [view[given[-1]].values])[0]
        for axis, name, picture in zip(row, COLUMNS, [first, *pictures], strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            if row[0] is axes[0, 0]:
                axis.set_title(name if name in ("given", "measured") else f"{name}\n(synthetic)", fontsize=8)
        row[0].set_ylabel(f"{' + '.join(given)}\nto {target}", fontsize=8)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def _error(made: xr.DataArray, truth: xr.DataArray) -> float:
    return float(np.nanmean(np.abs(made.values - truth.values)))


def _correlation(made: xr.DataArray, truth: xr.DataArray) -> float:
    """Within the picture, the mean over bands."""
    return float(
        np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(made.values, truth.values, strict=True)])
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="default")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    network = load_model("cop-gen-nano", asked.weights)
    assert isinstance(network, CopGen)
    main(asked.sets, asked.out, network)
