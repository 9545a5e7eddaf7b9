"""STAC: an item beside the products, with `proj:`, `processing:`, `file:` and `emb:` fields, and a model card (`mlm:`).

The embedding extension is a proposal (v0.0.1, March 2026): its type is "chip", one vector per patch of pixels.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import torch
from shapely.geometry import mapping

from armillary import __version__
from armillary.earth.bands import Spectral
from armillary.earth.when import iso
from armillary.product.encoding import NODATA, Encoding
from armillary.product.footprint import bounds, footprint
from armillary.product.receipt import ModelFacts, file_sha256
from armillary.product.strips import Plan

EXTENSIONS = (
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json",
)
STRAIGHT = 1e-7
"""Degrees, about a centimetre: points of an outline that bend it less are left out."""
MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
MEDIA = {
    ".embedding.tif": (
        "image/tiff; application=geotiff; profile=cloud-optimized",
        "embeddings, one band per dimension",
    ),
    ".embedding.zarr": ("application/vnd.zarr; version=3", "embeddings (embedding, y, x)"),
    ".tokens.parquet": ("application/vnd.apache.parquet", "embeddings, one row per token"),
    ".chips.parquet": ("application/vnd.apache.parquet", "pooled embeddings, one row per chip"),
    ".embedding.png": ("image/png", "quicklook: first three principal components"),
    ".scene.png": ("image/png", "quicklook of the scene"),
    "receipt.json": ("application/json", "receipt: inputs, weights, configuration, versions"),
}
"""End of a product's name -> media type and title."""


@dataclass(frozen=True)
class Made:
    """What an item tells of one run."""

    stem: str
    plan: Plan
    model: ModelFacts
    encoding: Encoding
    width: int
    source: str
    time: datetime | None
    made: datetime


def write_item(folder: Path, made: Made, files: list[Path]) -> Path:
    """The item of these files as <stem>.json in the folder, pointing to the model card beside it."""
    shape = footprint(made.plan.window).simplify(STRAIGHT)
    item = pystac.Item(
        id=made.stem,
        geometry=json.loads(json.dumps(mapping(shape))),
        bbox=list(bounds(shape)),
        datetime=made.time,
        properties=_properties(made),
        stac_extensions=list(EXTENSIONS),
    )
    for file in files:
        item.add_asset(_key(file), _asset(file, made))
    item.add_link(pystac.Link("emb:model", "./model.json", "application/geo+json", "the model"))
    item.add_link(pystac.Link("emb:source-data", made.source, title="the scene"))
    return write_json(folder / f"{made.stem}.json", item.to_dict(include_self_link=False))


def write_model_card(folder: Path, made: Made) -> Path:
    """The model as an item with `mlm:` fields, as model.json; a model has no place, so its geometry is null."""
    item = pystac.Item(made.model.name, None, None, made.made, _card(made), stac_extensions=[MLM])
    return write_json(folder / "model.json", item.to_dict(include_self_link=False))


def _properties(made: Made) -> dict[str, Any]:
    plan, lattice, place = made.plan, made.plan.lattice, made.plan.token_window
    code = None if place.crs is None or place.crs.epsg is None else f"EPSG:{place.crs.epsg}"
    patch = [lattice.patch_px, lattice.patch_px]
    stride = [(a.chip - a.overlap) * lattice.patch_px for a in (lattice.rows, lattice.cols)]
    properties: dict[str, Any] = {
        "title": f"{made.model.name} embeddings of {made.stem}",
        "created": iso(made.made),
        "gsd": round(place.gsd_m, 6),
        "data_type": made.encoding.dtype,
        "proj:code": code,
        "proj:shape": list(place.shape),
        "proj:transform": list(place.affine)[:6],
        "processing:level": "L4",
        "processing:datetime": iso(made.made),
        "processing:software": {"armillary": __version__},
        "processing:lineage": f"{plan.sensor.name} values, normalised by the model, {made.model.name} tokens, blended",
        "emb:type": "chip",
        "emb:dimensions": made.width,
        "emb:chip_layout": {"layout_type": "regular_grid", "chip_size": patch, "stride": patch},
        "emb:temporal_resolution": "single_acquisition",
        "emb:runtime_parameters": {
            "sensor": plan.sensor.name,
            "bands": list(plan.sensor.band_names),
            "context_px": list(lattice.chip_shape_px),
            "context_stride_px": stride,
            "output": "grid of the last block, blended by raised cosines",
        },
        "emb:quantization": quantization(made.encoding),
    }
    if code is None and place.crs is not None:
        properties["proj:wkt2"] = place.crs.to_wkt()
    if made.time is None:  # STAC wants an interval then; this one is true of any scene
        properties |= {"start_datetime": "1970-01-01T00:00:00Z", "end_datetime": iso(made.made)}
        properties["description"] = "The time of the scene is unknown; the interval only bounds it."
    return properties


def quantization(encoding: Encoding) -> dict[str, Any]:
    """The quantization object of the embedding extension."""
    if encoding.scale is None:
        method = "none" if encoding.dtype == "float32" else "cast"
        return {"method": method, "original_dtype": "float32", "quantized_dtype": encoding.dtype}
    return {
        "method": "linear",
        "original_dtype": "float32",
        "quantized_dtype": encoding.dtype,
        "scale": list(encoding.scale),
        "offset": [0.0] * len(encoding.scale),
    }


def _key(file: Path) -> str:
    end = next((e for e in MEDIA if file.name.endswith(e)), file.suffix)
    return end.strip(".").replace(".", "-")


def _asset(file: Path, made: Made) -> pystac.Asset:
    end = next((e for e in MEDIA if file.name.endswith(e)), "")
    media, title = MEDIA.get(end, ("application/octet-stream", file.name))
    roles = ["data", "embedding"] if "image/png" not in media else ["overview"]
    extra: dict[str, Any] = {}
    if file.is_file():
        extra = {"file:size": file.stat().st_size, "file:checksum": f"1220{file_sha256(file)}"}
    if end == ".embedding.tif":
        extra |= {"nodata": NODATA if made.encoding.dtype == "int8" else "nan", "bands": _bands(made)}
        extra["raster:spatial_resolution"] = round(made.plan.token_window.gsd_m, 6)
    return pystac.Asset(
        f"./{file.name}",
        title,
        media_type=media,
        roles=["metadata"] if end == "receipt.json" else roles,
        extra_fields=extra,
    )


def _bands(made: Made) -> list[dict[str, Any]]:
    scale = made.encoding.scale
    names = [{"name": f"e{i:04d}"} for i in range(made.width)]
    return (
        names
        if scale is None
        else [n | {"raster:scale": s, "raster:offset": 0} for n, s in zip(names, scale, strict=True)]
    )


def _card(made: Made) -> dict[str, Any]:
    plan, model = made.plan, made.model
    h, w = plan.lattice.chip_shape_px
    bands = [
        {
            "name": n,
            **({"eo:center_wavelength": b.center_nm / 1000} if isinstance(b, Spectral) else {"description": b.text}),
        }
        for n, b in zip(plan.sensor.band_names, plan.sensor.bands, strict=True)
    ]
    return {
        "mlm:name": model.name,
        "mlm:architecture": model.architecture,
        "mlm:tasks": ["similarity-search"],
        "mlm:framework": "PyTorch",
        "mlm:framework_version": str(torch.__version__),
        "mlm:total_parameters": model.parameters,
        "mlm:pretrained": model.weights != "random",
        "mlm:pretrained_source": None if model.weights == "random" else model.weights,
        "mlm:batch_size_suggestion": plan.batch,
        "mlm:input": [
            {
                "name": plan.sensor.name,
                "bands": bands,
                "input": {
                    "shape": [-1, len(bands), h, w],
                    "dim_order": ["batch", "bands", "height", "width"],
                    "data_type": "float32",
                },
                "description": f"values in {plan.sensor.unit}; the model normalises them with its own statistics",
            }
        ],
        "mlm:output": [
            {
                "name": "embedding",
                "tasks": ["similarity-search"],
                "result": {
                    "shape": [-1, made.width, *plan.lattice.chip_shape],
                    "dim_order": ["batch", "embedding", "height", "width"],
                    "data_type": "float32",
                },
            }
        ],
        "armillary:weights_sha256": model.sha256,
        **papers(model),
    }


def papers(model: ModelFacts) -> dict[str, Any]:
    """Licence and origin of the weights, as far as their file tells."""
    if model.file is None:
        return {}
    named = {"licence": "license", "attribution": "attribution"}
    rest = {f"armillary:weights_{k}": v for k, v in model.file.says.items() if k not in named}
    own = {there: model.file.says[here] for here, there in named.items() if here in model.file.says}
    return {**own, "armillary:weights_file_sha256": model.file.sha256, **rest}


def write_json(path: Path, item: dict[str, Any]) -> Path:
    """Write an item aside, then rename it."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(json.dumps(item, indent=1, allow_nan=False), encoding="utf-8")
    return aside.replace(path)


def now() -> datetime:
    """The present second, UTC."""
    return datetime.now(UTC).replace(microsecond=0)
