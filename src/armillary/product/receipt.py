"""Receipt: everything that decided a product, so that it can be made again and told apart from any other."""

import hashlib
import math
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path

import torch
import xarray as xr
from torch import nn

from armillary import __version__
from armillary.models.precision import precision_of
from armillary.models.weights import locate, read_facts, weights_sha256
from armillary.product.strips import Plan
from armillary.scene.hrefs import local

_CHUNK = 2**22
_LIBRARIES = ("torch", "numpy", "xarray", "rasterio", "pyproj", "zarr", "pyarrow", "pystac")


@dataclass(frozen=True)
class WeightFile:
    """The file behind a model's weights.

    Args:
        sha256: of its bytes.
        says: what its header says: licence, attribution, steps, data; empty where it says nothing.
    """

    sha256: str
    says: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, href: str | PathLike[str]) -> "WeightFile":
        """From an address as `arm.load_model` takes it."""
        return cls(file_sha256(locate(href)), read_facts(href))


@dataclass(frozen=True)
class ModelFacts:
    """What is known of the model that made a product.

    Args:
        name: as `arm.load_model` knows it, or the class's name.
        architecture: the class.
        weights: where they came from, "random", or "given" for a model that was handed over.
        sha256: of all tensors, names and values.
        parameters: how many numbers.
        precision: in which the model multiplies.
        file: the weights' file; None for random weights or a model that was handed over.
    """

    name: str
    architecture: str
    weights: str
    sha256: str
    parameters: int
    precision: str = "float32"
    file: WeightFile | None = None

    @classmethod
    def of(cls, model: nn.Module, name: str | None = None, weights: str = "given") -> "ModelFacts":
        """From a model in memory; weights are "random", "given", or the address that they were loaded from."""
        kind = type(model).__name__
        n = sum(p.numel() for p in model.parameters())
        file = None if weights in ("random", "given") else WeightFile.of(weights)
        return cls(name or kind, kind, weights, weights_sha256(model), n, precision_of(model), file)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the names and digests of all files in it."""
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file())
        lines = (f"{p.relative_to(path).as_posix()} {file_sha256(p)}\n" for p in inside)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def array_sha256(array: xr.DataArray, rows: int = 256) -> str:
    """SHA-256 of values in memory, some rows at a time."""
    digest = hashlib.sha256(repr(array.shape).encode())
    for start in range(0, array.sizes["y"], rows):
        digest.update(array[:, start : start + rows].values.tobytes())
    return digest.hexdigest()


def inputs_of(array: xr.DataArray) -> list[dict[str, object]]:
    """Each input with its SHA-256: the file behind an array, or its values if it has none or was changed."""
    href = str(array.attrs.get("href") or "")
    path = local(href) if href else None
    untouched = array.chunks is None and not array.variable._in_memory
    if path is not None and path.exists() and untouched:
        return [{"href": href, "sha256": file_sha256(path), "what": "folder" if path.is_dir() else "file"}]
    return [{"href": href or None, "sha256": array_sha256(array), "what": "values"}]


def told_of(array: xr.DataArray) -> dict[str, str]:
    """What decided the values between file and array: offset, quality, step, what numbers were taken for."""
    known = ("sensor", "sensor_card", "unit", "time", "href")  # these have entries of their own, or decide no value
    return {str(k): str(v) for k, v in array.attrs.items() if k not in known and not str(k).endswith("_source")}


def config_of(
    plan: Plan, model: ModelFacts, inputs: list[dict[str, object]], told: dict[str, str]
) -> dict[str, object]:
    """Everything that decides a value of the map, and nothing that does not (tile, workers)."""
    lattice = plan.lattice
    return {
        "armillary": __version__,
        "inputs_sha256": [i["sha256"] for i in inputs],
        "model": model.name,
        "weights_sha256": model.sha256,
        "precision": model.precision,
        "sensor": plan.sensor.name,
        "sensor_sha256": hashlib.sha256(repr(plan.sensor).encode()).hexdigest(),
        "bands": list(plan.sensor.band_names),
        "unit": plan.unit,
        "told": told,
        "days": None if math.isnan(plan.days) else plan.days,
        "crs": None if plan.window.crs is None else str(plan.window.crs),
        "affine": list(plan.window.affine)[:6],
        "shape_px": list(lattice.shape_px),
        "patch_px": lattice.patch_px,
        "chip_tokens": list(lattice.chip_shape),
        "overlap_tokens": [lattice.rows.overlap, lattice.cols.overlap],
        "batch": plan.batch,
    }


def versions(names: Iterable[str] = _LIBRARIES) -> dict[str, str]:
    """Versions of this program, Python, the platform and the libraries that matter."""
    found = {"armillary": __version__, "python": platform.python_version(), "platform": sys.platform}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"machine": platform.machine(), "torch_threads": str(torch.get_num_threads())}
