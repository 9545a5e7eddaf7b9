"""Samples per second from Copernicus-Pretrain shards: our draws beside the published way, on the same shard.

Run: python bench/stream.py DATA [--grids 10] [--rounds 7] [--keep FOLDER]

The published way (its WebDataset loader) decodes every tensor of a grid, then keeps one local patch and one date of
each sensor and drops the rest; it is re-implemented here with webdataset and torch.load. Ours reads only what was
drawn. Both draw the same patches and dates and must give the same samples. Rounds are interleaved; the table has
medians, with the file in the page cache ("warm") and after asking the kernel to drop it ("cold"), and the peak memory
of a process that does nothing else.

The shard has the size of a real one (4 or 5 local patches a grid, about 53 MB). Its pixels are real, its places are
not: DATA is a folder that holds ssl4eo_s12_site, terramesh_sites, s3_olci and s5p, whose few tiles are mirrored to
264, 96, 28 and 960 pixels and repeated, shifted, over the grids and dates. Speed does not depend on what they show.
"""

import argparse
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset  # type: ignore[import-untyped]
from jaxtyping import Shaped

from armillary.earth.cells import Cell
from armillary.sample.raw import sample_of
from armillary.sample.sample import Sample
from armillary.sample.shards import CopernicusShards
from armillary.scene.open import open
from armillary.scene.pretrain.contents import Series, Shot
from armillary.scene.pretrain.names import LAYERS, Spot, window_of
from armillary.scene.pretrain.write import SHARD, label_of, labels_json, write_shard

Drawn = tuple[tuple[str, Series, Shot], ...]
MB = 1e6


def main() -> None:
    """Make the shard, time both ways, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--grids", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="put the shard here and leave it there")
    parser.add_argument("--only", choices=("ours", "published"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.only:
        run_alone(options.data, options.only)
        return
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        path = home / SHARD.format(0)
        if not path.exists():
            write_shard(path, grids(options.data, options.grids))
        report(path, options.rounds)


def report(path: Path, rounds: int) -> None:
    """The table of one shard."""
    source = CopernicusShards([path])
    plan = [source.contents(i).draw(np.random.default_rng(i)) for i in range(len(source))]
    check(source, path, plan)
    ways: dict[str, Callable[[], Iterator[Mapping[str, Sample]]]] = {
        "published": lambda: published(path, plan),
        "ours": lambda: ours(source, plan),
    }
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread; {len(source)} grids,")
    print(
        f"{path.stat().st_size / MB / len(source):.1f} MB a grid, {rounds} interleaved rounds, medians [least - most]"
    )
    for state in ("warm", "cold"):
        seconds = interleaved(ways, path, rounds, cold=state == "cold")
        for name, times in seconds.items():
            rates = sorted(len(source) / t for t in times)
            print(f"{state} {name:>10} {statistics.median(rates):9.1f} grids/s  [{rates[0]:.1f} - {rates[-1]:.1f}]")
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        print(f"{state}      ratio {medians['published'] / medians['ours']:9.1f}")
    scan = time.perf_counter()
    CopernicusShards([path])
    print(f"walk over the headers of the shard, once: {(time.perf_counter() - scan) * 1e3:.0f} ms")
    for name in ways:
        peak, start = alone(path, name)
        print(f"peak memory {name:>10} {peak:6.0f} MB, of which {start:.0f} MB before the first draw")


def interleaved(
    ways: Mapping[str, Callable[[], Iterator[Mapping[str, Sample]]]], path: Path, rounds: int, *, cold: bool
) -> dict[str, list[float]]:
    """Seconds for all grids, way after way, round after round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            forget(path) if cold else path.read_bytes()
            start = time.perf_counter()
            for _ in way():
                pass
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ours(source: CopernicusShards, plan: Sequence[Drawn]) -> Iterator[Mapping[str, Sample]]:
    """What `CopernicusShards.draw` does: draw from the labels, read what was drawn."""
    for place in range(len(plan)):
        yield source.draw(place, np.random.default_rng(place))


def published(path: Path, plan: Sequence[Drawn]) -> Iterator[Mapping[str, Sample]]:
    """Decode a grid as a whole, then keep what was drawn."""
    stream = webdataset.WebDataset(str(path), shardshuffle=False, empty_check=False)
    for grid, drawn in zip(stream, plan, strict=True):
        tensors = {k.removesuffix(".pth"): decoded(v) for k, v in grid.items() if k.endswith(".pth")}
        json.loads(grid["json"])
        yield {LAYERS[k].sensor: kept(k, tensors[k], series, shot) for k, series, shot in drawn}


def decoded(content: bytes) -> torch.Tensor:
    """A tensor as webdataset decodes it, without its trust in pickles."""
    tensor: torch.Tensor = torch.load(io.BytesIO(content), weights_only=True)
    return tensor


def kept(key: str, tensor: torch.Tensor, series: Series, shot: Shot) -> Sample:
    """One patch and date of a decoded tensor."""
    assert not isinstance(shot.at, str)
    stored = tensor[shot.at].numpy() if shot.at else tensor.numpy()
    window = window_of(key, series.spot, (stored.shape[-2], stored.shape[-1]))
    return sample_of(key, stored, window, series=series, shot=shot, origin=lambda: key)


def check(source: CopernicusShards, path: Path, plan: Sequence[Drawn]) -> None:
    """Both ways give the same samples."""
    for a, b in zip(ours(source, plan), published(path, plan), strict=True):
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[k].pixels, b[k].pixels, equal_nan=True) and a[k].time == b[k].time for k in a)


def forget(path: Path) -> None:
    """Ask the kernel to drop the file from its cache (Linux)."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def alone(path: Path, name: str) -> tuple[float, float]:
    """Peak resident MB of a process that goes through the shard in one way, and what it had before."""
    own = [sys.executable, __file__, str(path), "--only", name]
    told = subprocess.run(own, check=True, capture_output=True, text=True)
    peak, start = map(float, told.stdout.split())
    return peak, start


def run_alone(path: Path, name: str) -> None:
    """What `alone` measures."""
    source = CopernicusShards([path])
    plan = [source.contents(i).draw(np.random.default_rng(i)) for i in range(len(source))]
    start = peak_mb()
    for _ in ours(source, plan) if name == "ours" else published(path, plan):
        pass
    print(peak_mb(), start)


def peak_mb() -> float:
    """Peak resident memory of this process (Linux: of this program alone, not of the one that started it)."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return float(line.split()[1]) * 1024 / MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def grids(data: Path, count: int) -> Iterator[dict[str, bytes]]:
    """The members of grids of full size, from the few real tiles at hand."""
    tiles = real_tiles(data)
    for number in range(count):
        cell = Spot.of(Cell(772176 + number))
        locals = [Spot(1_300_000 + 10 * number + i, cell.lon, cell.lat) for i in range(4 + number % 2)]
        members: dict[str, bytes] = {}
        labels: dict[str, Any] = {}
        for key, layer in LAYERS.items():
            days = [f"2021{month:02d}01" for month in range(1, layer.steps + 1)]
            if layer.local:
                labels[key] = [[label_of(key, cell, x, day) for day in days] for x in locals]
                tensor = np.stack(
                    [series(tiles[key], layer.side_px, len(days), number + i) for i in range(len(locals))]
                )
            else:
                labels[key] = [label_of(key, cell, None, day) for day in days] or [cell.name]
                tensor = series(tiles[key], layer.side_px, max(1, len(days)), number)
            members[f"{cell.key}.{key}.pth"] = saved(tensor if layer.steps else tensor[0, 0])
        yield {f"{cell.key}.json": labels_json(labels), **members}


def series(tiles: Sequence[np.ndarray], side: int, steps: int, shift: int) -> Shaped[np.ndarray, "t c h w"]:
    """Tiles mirrored to a square and moved a little for every date."""
    out = []
    for step in range(steps):
        tile = tiles[(step + shift) % len(tiles)]
        pad = [(0, 0), *((0, max(0, side - n)) for n in tile.shape[1:])]
        whole = np.pad(tile, pad, mode="symmetric")[:, :side, :side]
        out.append(np.roll(whole, 7 * shift + step, axis=2))
    return np.stack(out)


def real_tiles(data: Path) -> dict[str, list[np.ndarray]]:
    """Stored numbers of each layer."""
    site, mesh = data / "ssl4eo_s12_site", data / "terramesh_sites"
    radar = [open(p, sensor="s1-grd").values for p in sorted((site / "s1/0000200").iterdir())]
    optical = [open(p, sensor="s2-l1c", offset=0).values for p in sorted((site / "s2c/0000200").iterdir())]
    heights = [open(p, sensor="dem").values for p in sorted((mesh / "DEM").glob("*.tif"))]
    (olci,) = (data / "s3_olci").glob("S3A_OL_1_EFR*.nc")
    radiance = np.nan_to_num(open(olci, sensor="s3-olci").values)
    scale = np.array(LAYERS["s3_olci"].fleet.counts.scale)[:, None, None]  # type: ignore[union-attr]
    gas = np.load(data / "s5p" / "sabetta_28x28_daily.npz")
    names = {"s5p_co": "CO", "s5p_no2": "NO2", "s5p_o3": "CO", "s5p_so2": "SO2"}  # no O3 at hand
    gases = {k: list(np.nan_to_num(gas[n][:12, None]).astype(np.float32)) for k, n in names.items()}
    return {
        "s1_grd": [np.nan_to_num(r).astype(np.float32) for r in radar],
        "s2_toa": [np.nan_to_num(o * 1e4).round().astype(np.uint16).view(np.int16) for o in optical],
        "s3_olci": [(radiance / scale).astype(np.float32)],
        "dem": [np.nan_to_num(h).astype(np.float32) for h in heights],
        **gases,
    }


def saved(array: np.ndarray) -> bytes:
    """As torch saves it."""
    content = io.BytesIO()
    torch.save(torch.from_numpy(np.ascontiguousarray(array)), content)
    return content.getvalue()


if __name__ == "__main__":
    main()
