"""Embedding, ours beside the rival way (see rival.py), on the same random ViT-B weights in one process.

Run: python bench/embed.py [--quick] [--threads N]

Each line is one sensor and batch size with place, area and time known: medians of interleaved samples in ms, how many
times faster than the rival, and the largest difference of the pooled embedding from the rival's float32 one. The last
line embeds a whole real scene. `plain` is our model as `arm.load_model` gives it, with its kernels remembered;
`float32` and `bfloat16` are `cast(model, ...)` of it.
"""

import argparse
import platform
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import armillary
from armillary.earth.fleet import sensors
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.precision import cast, resolve
from armillary.models.zoo import load_encoder
from armillary.product.embed import embed
from armillary.product.strips import Encoder
from armillary.sample.batch import Batch
from armillary.scene.open import open
from quiet import Timing, interleave
from rival import Rival

CASES = {"S1": "s1-grd", "S2": "s2-l1c", "S3": "s3-olci", "S5P": "s5p-no2", "DEM": "dem"}
SCENE = Path(armillary.__file__).parent / "data" / "demo" / "s2_l1c_virginia.tif"
VARIANTS = ("rival", "plain", "float32", "bfloat16")
HEADER = "case          batch   " + "".join(f"{v:>10}" for v in VARIANTS) + "    ratio to rival        max |difference|"


def synthetic(sensor_name: str, items: int) -> Batch:
    """Standardised noise in the shape of a sensor's chips, with everything known."""
    sensor = sensors[sensor_name]
    rng = torch.Generator().manual_seed(items)
    pixels = torch.randn(items, len(sensor.bands), sensor.chip_px, sensor.chip_px, generator=rng)
    lonlat = torch.stack((torch.linspace(-60, 60, items), torch.linspace(-40, 70, items)), dim=1)
    days = torch.linspace(18000, 19000, items)
    return Batch(pixels, sensor.bands, lonlat, days, torch.full((items,), sensor.patch_km2), patch_px=sensor.patch_px)


def line(label: str, timings: dict[str, Timing], out: dict[str, Tensor]) -> str:
    """One row of the table."""
    base = timings["rival"].median_ms
    ms = "".join(f"{timings[v].median_ms:10.1f}" for v in VARIANTS)
    ratios = " ".join(f"{base / timings[v].median_ms:6.2f}" for v in VARIANTS[1:])
    errors = " ".join(f"{float((out[v] - out['rival']).abs().max()):9.1e}" for v in VARIANTS[1:])
    kept = "/".join(f"{timings[v].kept}" for v in VARIANTS)
    return f"{label:20}{ms}   {ratios}   {errors}   mean |e| {float(out['rival'].abs().mean()):.3f}  kept {kept}"


def forwards(models: dict[str, Encoder], samples: int) -> Iterator[str]:
    """A row per sensor and batch size."""
    for label, sensor in CASES.items():
        for items in (1, 8):
            batch = synthetic(sensor, items)
            with torch.inference_mode():
                out = {name: model(batch).pooled for name, model in models.items()}
                calls: dict[str, Callable[[], object]] = {n: partial(m, batch) for n, m in models.items()}
                timings = interleave(calls, samples)
            yield line(f"{label:<14}{items:>3}", timings, out)


def scene(models: dict[str, Encoder], samples: int) -> str:
    """A row for a whole scene: the rival chip by chip, ours in eights."""
    array = open(SCENE)
    values = array.load()
    calls = {n: partial(embed, values, model=m, batch=1 if n == "rival" else 8) for n, m in models.items()}
    out = {name: torch.from_numpy(call().values) for name, call in calls.items()}
    h, w = array.shape[-2:]
    return line(f"scene {h}x{w}", interleave(dict(calls), samples), out)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two samples of each instead of seven")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load_encoder("copernicus-fm-base", weights=None)
    assert isinstance(model, CopernicusFM)
    models: dict[str, Encoder] = {"rival": Rival(model), "plain": model}
    models |= {"float32": cast(model, "float32"), "bfloat16": cast(model, "bfloat16")}
    samples = 2 if args.quick else 7
    print(f"torch {torch.__version__}, {args.threads} threads, {platform.machine()}, auto = {resolve('auto')}")
    print(HEADER)
    for row in forwards(models, samples):
        print(row, flush=True)
    print(scene(models, 1 if args.quick else 3))


if __name__ == "__main__":
    main()
