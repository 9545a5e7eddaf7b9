"""Peak memory of `armillary embed` against the size of the scene: it must not grow.

    python bench/memory.py [sizes in px, 1024 2048 4096] [--width 192] [--formats cog,zarr,geoparquet]

A real Sentinel-2 crop is laid side by side, mirrored, to scenes of each size; each is embedded to all products by a
process of its own whose peak resident memory the kernel reports.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import rasterio
import torch

import armillary
from armillary.models.copernicus_fm import random_model
from armillary.models.sizes import CopernicusFMConfig
from armillary.product.receipt import ModelFacts
from armillary.product.write import Order, write
from armillary.scene.open import open

CROP = Path(armillary.__file__).parent / "data" / "demo" / "s2_l2a_serengeti.tif"


def main() -> None:
    """Print the table, or measure one scene for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[1024, 2048, 4096])
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--formats", default="cog,zarr,geoparquet")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(Path(options.one[0]), Path(options.one[1]), options.width, options.formats)))
        return
    print(f"{'scene px':>10} {'peak MB':>8} {'start MB':>9} {'embed s':>8} {'all s':>7}  width {options.width}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            scene = lay(Path(folder) / "scene.tif", size)
            own = [sys.executable, __file__, "--width", str(options.width), "--formats", options.formats]
            told = subprocess.run([*own, "--one", scene, f"{folder}/out"], check=True, capture_output=True, text=True)
            row = json.loads(told.stdout.splitlines()[-1])
            print(
                f"{size:>10} {row['peak']:>8.0f} {row['start']:>9.0f} {row['embed_s']:>8.1f} {row['all_s']:>7.1f}",
                flush=True,
            )


def lay(path: Path, size: int) -> str:
    """A scene of size x size pixels from a real crop and its mirror images, written row by row of crops."""
    with rasterio.open(CROP) as file:
        crop, profile, tags = file.read(), file.profile, file.tags()
        names = file.descriptions
    pair = np.concatenate([crop, crop[:, :, ::-1]], axis=2)
    n = crop.shape[1]
    line = np.tile(pair, (1, 1, size // pair.shape[2] + 1))[:, :, :size]
    profile |= {"width": size, "height": size, "tiled": True, "blockxsize": 256, "blockysize": 256, "driver": "GTiff"}
    with rasterio.open(path, "w", **profile) as file:
        for i, row in enumerate(range(0, size, n)):
            rows = (line if i % 2 == 0 else line[:, ::-1])[:, : size - row]
            file.write(rows, window=rasterio.windows.Window(0, row, size, rows.shape[1]))
        file.descriptions = names
        file.update_tags(**tags)
    return str(path)


def measure(scene: Path, out: Path, width: int, formats: str) -> dict[str, float]:
    """Embed in this process; megabytes and seconds."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    config = CopernicusFMConfig(width=width, depth=4, heads=4, taps=(0, 1, 2, 3))
    model = random_model(config, seed=0, vectors=None).eval()
    array = open(scene, "s2-l2a")
    order = Order(out, "scene", tuple(formats.split(",")))
    start, begun, embedded = peak_mb(), time.monotonic(), 0.0
    for step in write(array, model, order, ModelFacts.of(model, "small", "random")):
        if step.stage == "embed":
            embedded = time.monotonic() - begun
        print(f"  {step.stage} {step.done}/{step.total} {peak_mb():.0f} MB", file=sys.stderr)
    return {"peak": peak_mb(), "start": start, "embed_s": embedded, "all_s": time.monotonic() - begun}


def peak_mb() -> float:
    """Peak resident memory of this program so far (Linux); getrusage would count the process it was forked from."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    main()
