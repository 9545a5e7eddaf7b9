"""`arm.embed`: pixels of any size in, embeddings with the same place out."""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.precision import cast
from armillary.models.zoo import DEFAULT_MODEL, load_encoder, native_patch_px
from armillary.models.zoo import Encoder as Network
from armillary.product.strips import Encoder, Plan, plan_of, strips
from armillary.sample.batch import Batch

Source = xr.DataArray | Batch | Mapping[str, xr.DataArray] | Mapping[str, Batch]
Result = xr.DataArray | Tensor | dict[str, "xr.DataArray | Tensor"]


def embed(  # noqa: PLR0913 (the public contract, all but the first by name)
    x: Source,
    *,
    model: str | Encoder = DEFAULT_MODEL,
    output: str = "pooled",
    patch_px: int | None = None,
    overlap: int | None = None,
    tile: int = 512,
    workers: int = 1,
    batch: int = 8,
    precision: str | None = None,
) -> Result:
    """Embed a scene, several scenes of one place, or model-level batches.

    Args:
        x: a DataArray (band, y, x) from `arm.open`, of any size and lazy; or sensor name -> DataArray; or a Batch; or
            Views.
        model: a name that `arm.load_model` knows, or a model; a name is loaded anew at every call.
        output: "grid" gives one vector per token, "pooled" one per scene (the mean over its chips, each weighted by
            the valid tokens it answers for) or one per item of a Batch.
        patch_px: side of a token in pixels; None: the model's or else the sensor's own. Copernicus-FM takes any, its
            nano size any multiple of 4; smaller is a denser map.
        overlap: pixels that neighbouring chips share; None: about a quarter of a chip, in whole patches.
        tile: widest read in pixels; never changes a value.
        workers: threads that read ahead; never changes a value.
        batch: chips that go through the model at once.
        precision: "float32", "bfloat16" or "auto", see `armillary.models.precision`; None: that of the model, which is
            float32 for a name.

    Returns:
        A DataArray (embedding, y, x) or (embedding,) with the CRS, transform and attributes of x; a Tensor for a
        Batch; a dict of these for a Mapping. Tokens without any valid pixel are NaN.

    Raises:
        EmptyScene: not one valid pixel.
        BadInput: x or output is something else.
    """
    encoder: Encoder = _encoder(model, precision)
    if output not in ("pooled", "grid"):
        raise BadInput(f"output={output!r} was asked; it is 'pooled' or 'grid'")
    if isinstance(x, Mapping):
        _agree(x)
        again = {"patch_px": patch_px, "overlap": overlap, "tile": tile, "workers": workers, "batch": batch}
        return {name: embed(v, model=encoder, output=output, **again) for name, v in x.items()}  # type: ignore[misc,arg-type]
    if isinstance(x, Batch):
        with torch.inference_mode():
            tokens = encoder(x)
            return tokens.pooled if output == "pooled" else tokens.grid
    if not isinstance(x, xr.DataArray):
        raise BadInput(
            f"arm.embed takes a DataArray, a Batch or a mapping of these, got {type(x).__name__}; see arm.open"
        )
    patch_px = native_patch_px(encoder) if patch_px is None else patch_px
    plan = plan_of(x, patch_px=patch_px, overlap=overlap, tile=tile, workers=workers, batch=batch)
    refuse_patches(encoder, plan)
    whole = _pooled(x, encoder, plan) if output == "pooled" else _grid(x, encoder, plan)
    return whole.assign_attrs(facts(x))


def refuse_patches(encoder: Encoder, plan: Plan) -> None:
    """Say at once, before a pixel is read, that a model cannot cut patches of the planned side (OutOfRange)."""
    if isinstance(encoder, CopernicusFM):
        encoder.kernel_px(plan.lattice.patch_px)


def _encoder(model: str | Encoder, precision: str | None) -> Encoder:
    if isinstance(model, str):
        return cast(load_encoder(model), precision or "float32")
    if not isinstance(model, Encoder):
        raise BadInput(f"model={model!r} was given; give a name that arm.load_model knows, or a model with batch()")
    if precision is None:
        return model
    if not isinstance(model, Network):
        raise BadInput(f"precision={precision!r} was asked of {type(model).__name__}, which has none; leave it out")
    return cast(model, precision)


def _agree(views: Mapping[str, xr.DataArray] | Mapping[str, Batch]) -> None:
    """Each array is of the sensor that its key names."""
    for name, view in views.items():
        found = view.attrs.get("sensor") if isinstance(view, xr.DataArray) else name
        if found != name:
            raise BadInput(f"{name} was promised and the array is of {found}; name each array by its own sensor")


def facts(array: xr.DataArray) -> dict[str, object]:
    """What an embedding inherits from its scene's attributes."""
    kept = {
        k: v for k, v in array.attrs.items() if k in ("sensor", "time", "href", "synthetic") or k.endswith("_source")
    }
    return {k: v for k, v in kept.items() if v is not None}


def placed(array: xr.DataArray, window: Window) -> xr.DataArray:
    """The array with a window's transform and, when it is known, its CRS."""
    a = window.affine
    if window.is_upright:
        h, w = window.shape
        array = array.assign_coords(y=a.f + a.e * (np.arange(h) + 0.5), x=a.c + a.a * (np.arange(w) + 0.5))
    array = array.rio.write_transform(a)
    return array if window.crs is None else array.rio.write_crs(str(window.crs))


def _grid(x: xr.DataArray, encoder: Encoder, plan: Plan) -> xr.DataArray:
    h, w = plan.lattice.shape
    whole: np.ndarray | None = None
    for strip in strips(x, encoder, plan):
        if whole is None:
            whole = np.empty((strip.grid.shape[2], h, w), np.float32)
        whole[:, strip.rows] = np.moveaxis(strip.grid, 2, 0)
    return placed(xr.DataArray(whole, dims=("embedding", "y", "x"), name="embedding"), plan.token_window)


def _pooled(x: xr.DataArray, encoder: Encoder, plan: Plan) -> xr.DataArray:
    parts = [(strip.pooled, strip.chip_weight) for strip in strips(x, encoder, plan)]
    vector = pool(np.concatenate([p for p, _ in parts]), np.concatenate([w for _, w in parts]))
    return xr.DataArray(vector, dims=("embedding",), name="embedding")


def pool(pooled: Float[np.ndarray, "n d"], weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    """One vector of all chips of a scene, each weighted by the valid tokens it answers for."""
    seen = weight > 0
    w = weight[seen].astype(np.float64)
    mean: np.ndarray = w @ pooled[seen].astype(np.float64) / w.sum()
    return mean.astype(np.float32)
