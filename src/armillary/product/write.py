"""Write: a scene becomes a folder of products, in steps that can be watched, stopped and taken up again.

    for step in write(array, model, order): print(step.stage, step.done, step.total)

Rows of tokens go to a hidden staging folder first; products are made from them, written aside and renamed; the receipt
comes last, so a folder with a receipt is whole.
"""

import json
import shutil
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import rasterio
import xarray as xr

from armillary.alone import alone
from armillary.earth.when import iso, utc
from armillary.errors import ArmillaryError, BadInput, EmptyScene, OutputRefused, PlaceUnknown
from armillary.models.zoo import native_patch_px
from armillary.product import preview, receipt, stac
from armillary.product.cog import GDAL_CACHE_MB, write_cog
from armillary.product.cube import CONVENTION, write_zarr
from armillary.product.embed import refuse_patches
from armillary.product.encoding import Encoding
from armillary.product.folder import RECEIPT, clear, receipt_in
from armillary.product.receipt import ModelFacts
from armillary.product.staging import Staging, differences
from armillary.product.strips import Encoder, Plan, plan_of, strips
from armillary.product.table import Label, write_chips, write_tokens
from armillary.scene.hrefs import local

FORMATS = ("cog", "zarr", "geoparquet")
Stage = Literal[
    "resume", "embed", "read", "generate", "cog", "zarr", "geoparquet", "quicklook", "describe", "done", "nothing to do"
]


@dataclass(frozen=True)
class Order:
    """What to write where.

    Args:
        out: the folder; it is made when absent.
        stem: the name that the products begin with.
        formats: of the map: "cog", "zarr", "geoparquet".
        dtype: "float32", "float16" or "int8" (linear, one scale per dimension).
        resume: go on with an interrupted run.
        overwrite: begin again over an interrupted or finished run.
    """

    out: Path
    stem: str
    formats: tuple[str, ...] = FORMATS
    dtype: str = "float32"
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        unknown = [f for f in self.formats if f not in FORMATS]
        if unknown or not self.formats:
            raise BadInput(f"formats {', '.join(unknown) or 'none'} were asked; known are {', '.join(FORMATS)}")
        if not self.stem.strip(". ") or not self.stem.isprintable() or set(self.stem) & set("/\\"):
            raise BadInput(f"products cannot be called {self.stem!r}; give a name without / and line breaks")
        if self.dtype not in ("float32", "float16", "int8"):
            raise BadInput(f"dtype {self.dtype!r} was asked; embeddings are stored as float32, float16 or int8")


@dataclass(frozen=True)
class Step:
    """Something happened: of `total` units of a stage, `done` are finished; the last step names the files."""

    stage: Stage
    done: int = 1
    total: int = 1
    files: tuple[Path, ...] = ()


def write(array: xr.DataArray, model: Encoder, order: Order, facts: ModelFacts, **how: int | None) -> Iterator[Step]:
    """Embed a scene and write its products.

    Args:
        array: from `arm.open`, with a CRS.
        model: see `armillary.product.strips.Encoder`.
        order: what to write where.
        facts: what the receipt says of the model.
        how: patch_px, overlap, tile, workers and batch, as for `arm.embed`.

    Raises:
        PlaceUnknown: the array has no CRS.
        OutputRefused: the folder cannot be written, or holds another run.
        EmptyScene: not one valid pixel.
    """
    if how.get("patch_px") is None:
        how["patch_px"] = native_patch_px(model)
    plan = plan_of(array, **how)  # type: ignore[arg-type]
    refuse_patches(model, plan)
    if plan.window.crs is None:
        raise PlaceUnknown(
            f"{order.stem} has no CRS and a georeferenced product was asked of it; open it with crs= (--crs EPSG:...)"
        )
    if local(str(array.attrs.get("href") or "")) == order.out / f"{order.stem}.json":
        raise OutputRefused(f"the item of the products would replace their source {order.stem}.json; choose another -o")
    started, inputs = time.monotonic(), receipt.inputs_of(array)
    config = receipt.config_of(plan, facts, inputs, receipt.told_of(array))
    finished = _finished(order, config)
    if finished:
        yield Step("nothing to do", files=finished)
        return
    with alone(order.out):
        files = yield from _written(array, model, plan, order, facts, inputs, config, started)
    yield Step("done", files=files)


def _written(
    array: xr.DataArray,
    model: Encoder,
    plan: Plan,
    order: Order,
    facts: ModelFacts,
    inputs: list[dict[str, object]],
    config: dict[str, object],
    started: float,
) -> Generator[Step, None, tuple[Path, ...]]:
    """Everything from the first row to the receipt, in a folder that is ours alone."""
    staging = Staging(order.out / f".{order.stem}.staging", plan.lattice.shape, len(plan.lattice))
    timings: dict[str, float] = {}
    try:
        yield from _embed(array, model, plan, staging, config, order, timings)
        files = yield from _products(array, plan, staging, order, facts, timings)
        timings["total_s"] = time.monotonic() - started
        report = _receipt(array, plan, order, facts, inputs, config, timings, files)
        aside = order.out / f".{RECEIPT}.part"
        aside.write_text(json.dumps(report, indent=1), encoding="utf-8")
        files = (*files, aside.replace(order.out / RECEIPT))
    except EmptyScene:
        shutil.rmtree(staging.folder)
        raise
    except ArmillaryError:
        raise
    except OSError as cause:
        why = cause.__cause__ or cause  # GDAL's own words, where rasterio says only that writing failed
        raise OutputRefused(f"{order.out} cannot be written ({why}); choose another -o or make room") from cause
    shutil.rmtree(staging.folder)
    return files


def _finished(order: Order, config: dict[str, object]) -> tuple[Path, ...]:
    """The products when this very run is finished already; refuses when another one is."""
    kept = None if order.overwrite else receipt_in(order.out)
    if kept is None:
        return ()
    asked = {**config, "formats": list(order.formats), "dtype": order.dtype, "stem": order.stem}
    unlike = differences(kept["config"], json.loads(json.dumps(asked)))
    if unlike:
        raise OutputRefused(
            f"{order.out} holds the products of another run ({unlike}); choose another -o, or --overwrite"
        )
    files = (*(order.out / name for name in kept["files"]), order.out / RECEIPT)
    return files if all(f.exists() for f in files) else ()


def _embed(
    array: xr.DataArray,
    model: Encoder,
    plan: Plan,
    staging: Staging,
    config: dict[str, object],
    order: Order,
    timings: dict[str, float],
) -> Iterator[Step]:
    """Fill the staging, from where it stands."""
    kept, started = staging.config, time.monotonic()
    if kept is not None and staging.rows_done and not order.overwrite:
        unlike = differences(kept, json.loads(json.dumps(config)))
        if unlike:
            raise OutputRefused(
                f"the interrupted run in {order.out} is another one ({unlike}); --overwrite begins again"
            )
        if not order.resume:
            done = f"{staging.rows_done} of {plan.lattice.shape[0]} rows"
            raise OutputRefused(
                f"{order.out} holds an interrupted run ({done}); --resume goes on, --overwrite begins again"
            )
    else:
        staging.begin(config)
    total = plan.lattice.shape[0]
    if staging.rows_done:
        yield Step("resume", staging.rows_done, total)
    if staging.rows_done < total:
        with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE_MB):
            for strip in strips(array, model, plan, staging.resume()):
                if staging.rows_done == 0:
                    clear(order.out, order.stem)
                staging.add(strip)
                yield Step("embed", strip.rows.stop, total)
    timings["embed_s"] = time.monotonic() - started


def _products(
    array: xr.DataArray, plan: Plan, staging: Staging, order: Order, facts: ModelFacts, timings: dict[str, float]
) -> Generator[Step, None, tuple[Path, ...]]:
    """Make each product in the staging folder, then move it out."""
    clear(order.out, order.stem)
    encoding = Encoding.fit(order.dtype, staging)
    text = array.attrs.get("time")
    when = None if text is None else utc(text)
    made = stac.Made(
        order.stem, plan, facts, encoding, staging.width, str(array.attrs.get("href") or "memory"), when, stac.now()
    )
    files: tuple[Path, ...] = ()
    for name in ("cog", "zarr", "geoparquet", "quicklook"):
        if name in order.formats or name == "quicklook":
            begun = time.monotonic()
            files += _put(_MAKERS[name](array, staging, made), order.out)
            timings[f"{name}_s"] = time.monotonic() - begun
            yield Step(name)
    item, card = stac.write_item(staging.folder, made, list(files)), stac.write_model_card(staging.folder, made)
    files += _put((item, card), order.out)
    yield Step("describe")
    return files


def _cog(array: xr.DataArray, staging: Staging, made: stac.Made) -> tuple[Path, ...]:
    path = staging.folder / f"{made.stem}.embedding.tif"
    tags = {"ARMILLARY_MODEL": made.model.name, "ARMILLARY_WEIGHTS_SHA256": made.model.sha256}
    tags |= {"ARMILLARY_SENSOR": made.plan.sensor.name, "ARMILLARY_BANDS": ",".join(made.plan.sensor.band_names)}
    tags |= {"TIFFTAG_SOFTWARE": "armillary", "ARMILLARY_WEIGHTS": made.model.weights}
    tags |= {"ARMILLARY_DATETIME": str(array.attrs["time"])} if made.time is not None else {}
    return (write_cog(staging, made.encoding, made.plan.token_window, path, tags),)


def _zarr(_: xr.DataArray, staging: Staging, made: stac.Made) -> tuple[Path, ...]:
    p = made.plan.lattice.patch_px
    attributes: Mapping[str, object] = {
        "zarr_conventions": [CONVENTION],
        "geoemb:type": "chip",
        "geoemb:dimensions": made.width,
        "geoemb:model": made.model.name,
        "geoemb:source_data": [made.source],
        "geoemb:data_type": made.encoding.dtype,
        "geoemb:gsd": made.plan.token_window.gsd_m,
        "geoemb:chip_layout": {"layout_type": "regular_grid", "chip_size": [p, p], "stride": [p, p]},
        "armillary:weights_sha256": made.model.sha256,
        "armillary:sensor": made.plan.sensor.name,
        "armillary:datetime": None if made.time is None else iso(made.time),
    }
    path = staging.folder / f"{made.stem}.embedding.zarr"
    shutil.rmtree(path, ignore_errors=True)
    return (write_zarr(staging, made.encoding, made.plan.token_window, path, attributes),)


def _geoparquet(_: xr.DataArray, staging: Staging, made: stac.Made) -> tuple[Path, ...]:
    plan, label = made.plan, Label(made.model.name, made.time)
    chips = [plan.lattice[i] for i in range(len(plan.lattice))]
    windows = [plan.window.crop(rows=c.rows, cols=c.cols) for c in chips]
    h, w = plan.lattice.chip_shape
    tokens = staging.folder / f"{made.stem}.tokens.parquet"
    pooled = staging.folder / f"{made.stem}.chips.parquet"
    return (
        write_tokens(staging, made.encoding, plan.token_window, tokens, label),
        write_chips(staging, made.encoding, windows, h * w, pooled, label),
    )


def _quicklook(array: xr.DataArray, staging: Staging, made: stac.Made) -> tuple[Path, ...]:
    plan, picture = made.plan, staging.folder / f"{made.stem}.embedding.png"
    painted, colours = preview.pca_picture(staging)
    share = ", ".join(f"{v:.0%}" for v in colours.explained)
    h, w = plan.lattice.shape
    about = {
        "model": made.model.name + (" (random weights)" if made.model.weights == "random" else ""),
        "colours": f"red, green, blue = principal components 1, 2, 3 ({share} of the variance)",
        "map": f"{h} x {w} tokens of {plan.lattice.patch_px} px, {made.width} numbers each",
    }
    scene = {
        "sensor": plan.sensor.title,
        "time": str(array.attrs.get("time") or "unknown"),
        "ground size": f"{plan.window.gsd_m:.4g} m",
    }
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE_MB):
        seen = preview.quicklook(
            staging.folder / f"{made.stem}.scene.png", preview.rgb(array), plan.window, title=made.stem, legend=scene
        )
    title = f"{made.stem}: embeddings"
    return preview.quicklook(picture, painted, plan.token_window, title=title, legend=about | scene), seen


_MAKERS = {"cog": _cog, "zarr": _zarr, "geoparquet": _geoparquet, "quicklook": _quicklook}


def _put(made: tuple[Path, ...], out: Path) -> tuple[Path, ...]:
    """Move finished files out of the staging folder, over those of an earlier run."""
    for path in made:
        if path.is_dir():
            shutil.rmtree(out / path.name, ignore_errors=True)
    return tuple(path.replace(out / path.name) for path in made)


def _receipt(
    array: xr.DataArray,
    plan: Plan,
    order: Order,
    facts: ModelFacts,
    inputs: list[dict[str, object]],
    config: dict[str, object],
    timings: dict[str, float],
    files: tuple[Path, ...],
) -> dict[str, Any]:
    h, w = plan.lattice.shape_px
    return {
        "made": iso(stac.now()),
        "inputs": inputs,
        "sources": {str(k): str(v) for k, v in array.attrs.items() if str(k).endswith("_source")},
        "model": {
            "name": facts.name,
            "architecture": facts.architecture,
            "weights": facts.weights,
            "sha256": facts.sha256,
            "parameters": facts.parameters,
            "file": None if facts.file is None else {"sha256": facts.file.sha256, **facts.file.says},
        },
        "config": {**config, "formats": list(order.formats), "dtype": order.dtype, "stem": order.stem},
        "changes_no_value": {"tile": plan.tile, "workers": plan.workers},
        "scene_px": [h, w],
        "timings": {k: round(v, 3) for k, v in timings.items()},
        "versions": receipt.versions(),
        "files": {f.name: receipt.file_sha256(f) for f in files},
    }
