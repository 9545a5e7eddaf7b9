"""Synthetic Copernicus-Pretrain: shards laid out exactly as published, with numbers that tell where they came from."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

CELL = "0772176_-96.00_44.00"
NEXT = "0906994_128.50_67.25"
LOCALS = ("0865831_-95.92_43.96", "0865832_-95.95_43.99")
BANDS = {"s1_grd": 2, "s2_toa": 13, "s3_olci": 21, "s5p_co": 1, "s5p_no2": 1, "s5p_o3": 1, "s5p_so2": 1}
SIDES = {"s1_grd": 24, "s2_toa": 24, "s3_olci": 12, "s5p_co": 7, "s5p_no2": 7, "s5p_o3": 7, "s5p_so2": 7, "dem": 40}
NOMINAL = {
    "s1_grd": 264,
    "s2_toa": 264,
    "s3_olci": 96,
    "s5p_co": 28,
    "s5p_no2": 28,
    "s5p_o3": 28,
    "s5p_so2": 28,
    "dem": 960,
}
DAYS = ("20200601", "20200901", "20201201", "20210301")
STEPS = {"s3_olci": 8, "s5p_co": 12, "s5p_no2": 12, "s5p_o3": 12, "s5p_so2": 12}

Grid = dict[str, Any]
"""`tensors` (layer -> tensor), `labels` (layer -> labels without the extra level) and `key`."""


def grid(cell: str = CELL, locals: Sequence[str] = LOCALS, sides: Mapping[str, int] = SIDES, seed: int = 0) -> Grid:
    """One grid with every layer and no repeats."""
    rng = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    labels: dict[str, Any] = {}
    for key, bands in BANDS.items():
        side = sides[key]
        if key in ("s1_grd", "s2_toa"):
            shape = (len(locals), 4, bands, side, side)
            labels[key] = [[f"{cell}/{local}/{day}" for day in DAYS] for local in locals]
        else:
            shape = (STEPS[key], bands, side, side)
            labels[key] = [f"{cell}/2021{month + 1:02d}01" for month in range(STEPS[key])]
        tensors[key] = torch.rand(shape, generator=rng) * {"s1_grd": -20.0}.get(key, 1.0)
    tensors["s2_toa"] = (tensors["s2_toa"] * 9000 + 1).to(torch.int16)
    tensors["s3_olci"] = (tensors["s3_olci"] * 9000 + 1).round()
    tensors["dem"] = torch.rand((sides["dem"], sides["dem"]), generator=rng) * 900
    labels["dem"] = [cell]
    return {"key": cell[:7], "tensors": tensors, "labels": labels}


def without(one: Grid, *layers: str) -> Grid:
    """The grid without some layers."""
    return {k: v if k == "key" else {n: x for n, x in v.items() if n not in layers} for k, v in one.items()}


def padded(one: Grid, key: str, order: Sequence[int]) -> Grid:
    """The grid with one layer's dates in this order; what comes twice is a repeat."""
    at = list(order)
    tensors, labels = dict(one["tensors"]), dict(one["labels"])
    if key in ("s1_grd", "s2_toa"):
        tensors[key] = tensors[key][:, at].clone()
        labels[key] = [[row[i] for i in at] for row in labels[key]]
    else:
        tensors[key] = tensors[key][at].clone()
        labels[key] = [labels[key][i] for i in at]
    return {**one, "tensors": tensors, "labels": labels}


def wrapped(value: Any) -> Any:
    """The extra list level that collation puts round every string."""
    return [wrapped(v) for v in value] if isinstance(value, list) else [value]


def saved(tensor: torch.Tensor, **how: Any) -> bytes:
    """As torch saves it."""
    content = io.BytesIO()
    torch.save(tensor, content, **how)
    return content.getvalue()


def members(one: Grid, *, extra_level: bool = True) -> dict[str, bytes]:
    """Member name -> content, in the order in which WebDataset writes them."""
    labels = {k: wrapped(v) for k, v in one["labels"].items()} if extra_level else one["labels"]
    content = {f"{one['key']}.json": json.dumps(labels).encode()}
    content |= {f"{one['key']}.{k}.pth": saved(t) for k, t in one["tensors"].items()}
    return dict(sorted(content.items()))


def write(path: Path, content: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> Path:
    """A tar of these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in content.items() if isinstance(content, Mapping) else content:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def shard(path: Path, *grids: Grid, extra_level: bool = True) -> Path:
    """A shard of these grids."""
    return write(path, [m for g in grids for m in members(g, extra_level=extra_level).items()])


def numbers(one: Grid, key: str) -> np.ndarray:
    """A layer's stored numbers."""
    array: np.ndarray = one["tensors"][key].numpy()
    return array
