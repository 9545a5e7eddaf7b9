"""`armillary embed`: a scene of any size as a georeferenced map of embeddings, with a receipt."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from armillary.cli.flags import NOTHING_TOLD, Json, Switch, Told, Whole
from armillary.errors import BadInput
from armillary.models.precision import Precision, cast
from armillary.models.zoo import DEFAULT_MODEL, DEFAULT_WEIGHTS, ZOO, load_encoder
from armillary.product.receipt import ModelFacts
from armillary.product.write import FORMATS, Order, Step, write

UNTRAINED = (
    "The map shows the structure of the input and no learned meaning; trained ones ship for "
    f"{', '.join(n for n in DEFAULT_WEIGHTS if n in ZOO)}, else give --weights a .pth or .safetensors file, or hf://owner/repo/file"
)


def embed(
    file: str,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    model: str = DEFAULT_MODEL,
    weights: str = "default",
    told: Told = NOTHING_TOLD,
    format: str = ",".join(FORMATS),
    dtype: str = "float32",
    patch: Whole | None = None,
    overlap: Whole | None = None,
    tile: Whole = 512,
    workers: Whole = 1,
    batch: Whole = 8,
    precision: Precision = "auto",
    resume: Switch = False,
    overwrite: Switch = False,
    as_json: Json = False,
) -> None:
    """Turn a scene into a georeferenced map of embeddings.

    The folder then holds <name>.embedding.tif (COG), <name>.embedding.zarr, <name>.tokens.parquet and
    <name>.chips.parquet, a STAC item with its model card, two quicklooks and receipt.json.

    Example: armillary embed scene.tif -o out

    Args:
        file: file, folder, URL or STAC item.
        output: the folder to write.
        model: name of the model.
        weights: default (what ships; random with a warning where nothing does), none (random), a .pth or .safetensors
            file, or hf://owner/repo/file.
        told: what the caller knows better than the file.
        format: cog, zarr, geoparquet, separated by commas.
        dtype: float32, float16 or int8 (linear, one scale per dimension).
        patch: side of a token in pixels, other than the sensor's own; smaller makes a denser map;
            copernicus-fm-nano takes multiples of 4.
        overlap: pixels that neighbouring chips share; about a quarter of a chip unless given.
        tile: widest read in pixels; changes no value.
        workers: threads that read ahead; changes no value.
        batch: chips that go through the model at once.
        precision: float32, bfloat16, or auto: bfloat16 where this processor multiplies it natively.
        resume: go on with an interrupted run.
        overwrite: begin again over an interrupted or finished run.
        as_json: print one JSON object instead of lines.
    """
    order = Order(output, stem_of(file), tuple(f.strip() for f in format.split(",")), dtype, resume, overwrite)
    array = told.open(file)
    source = weights_of(model, weights)
    if source is None:
        print(f"warning: {model}: RANDOM WEIGHTS. {UNTRAINED}", file=sys.stderr)
    network = cast(load_encoder(model, weights=source), precision)
    about = ModelFacts.of(network, model, source or "random")
    steps = write(
        array, network, order, about, patch_px=patch, overlap=overlap, tile=tile, workers=workers, batch=batch
    )
    last = watch(steps, quiet=as_json)
    if as_json:
        print(json.dumps({"stage": last.stage, "files": [str(f) for f in last.files]}, ensure_ascii=False))
        return
    word = "finished before; nothing to do, --overwrite begins again" if last.stage == "nothing to do" else "written"
    print(f"{output}: {word}")
    for path in last.files:
        print(f"  {path.name}")


def weights_of(model: str, asked: str) -> str | None:
    """Where a model's weights are: what ships for "default", None (random) where nothing does or none are wanted."""
    if asked.lower() == "none":
        return None
    return DEFAULT_WEIGHTS.get(model) if asked == "default" else asked


def stem_of(file: str) -> str:
    """The name that products begin with: the file's own, without folders and endings."""
    name = file.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1]
    for end in (".zip", ".SAFE", ".SEN3", ".zarr", ".tiff", ".tif", ".jp2", ".png", ".webp", ".nc", ".json"):
        name = name[: -len(end)] if name.lower().endswith(end.lower()) else name
    if not name:
        raise BadInput(f"{file!r} has no name to call the products by; give the path of a file")
    return name


def watch(steps: Iterator[Step], *, quiet: bool) -> Step:
    """Run to the end, with a bar on a terminal and plain lines otherwise."""
    last = Step("done")
    if quiet:
        for last in steps:  # noqa: B007
            pass
        return last
    if not sys.stderr.isatty():
        for last in steps:
            print(f"{last.stage} {last.done}/{last.total}", file=sys.stderr)
        return last
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=None)
        for last in steps:
            bar.update(task, description=last.stage, completed=last.done, total=last.total)
    return last
