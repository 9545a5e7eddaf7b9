"""`armillary generate`: a place as other sensors might have seen it. Every product says that it is synthetic."""

import json
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import xarray as xr
from cyclopts import Parameter

from armillary.cli.embed import stem_of, watch, weights_of
from armillary.cli.flags import NOTHING_TOLD, Json, Switch, Told, Whole
from armillary.errors import BadInput
from armillary.generate.joint import joint_of
from armillary.models.cop_gen import CopGen
from armillary.models.precision import Precision, cast
from armillary.models.zoo import load_model
from armillary.product.generate import DEFAULT_GENERATOR
from armillary.product.generated.grid import grid_of, named
from armillary.product.generated.menu import Menu, menu_of
from armillary.product.generated.plan import How, Plan, plan_of
from armillary.product.generated.write import Order, write
from armillary.product.receipt import ModelFacts, inputs_of, told_of
from armillary.scene.scene import Scene

UNTRAINED = "What is made shows nothing but noise shaped by the input; give --weights a .safetensors or .pth file"

FLOOD_FILES: Mapping[str, str] = {
    "s1_pre": "s1-before",
    "s1_post": "s1-after",
    "s2_pre": "s2-before",
    "s2_post": "s2-after",
    "mask": "flood",
}
"""How the file names of OMBRIA end -> what is in them."""

Pairs = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)]


def generate(
    *sources: str,
    to: str,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    given: Pairs = (),
    truth: Pairs = (),
    style: Pairs = (),
    model: str = DEFAULT_GENERATOR,
    weights: str = "default",
    samples: Whole = 1,
    seed: Whole = 0,
    steps: Whole = 20,
    guidance: float = 1.0,
    without: str = "",
    name: str | None = None,
    told: Told = NOTHING_TOLD,
    view: Whole | None = None,
    overlap: Whole | None = None,
    batch: Whole = 16,
    precision: Precision = "auto",
    resume: Switch = False,
    overwrite: Switch = False,
    as_json: Json = False,
) -> None:
    """Generate what other sensors might have seen of a place. Every product is synthetic and says so.

    The folder then holds <name>.<sensor>.sample-<i>.tif (COG) for each sensor and sample, .mean.tif and .spread.tif
    where there are several samples, <name>.valid.tif, a contact sheet, a STAC item with the model's card, and
    receipt.json.

    Example: armillary generate s1_rtc.tif --to s2-l2a,dem --samples 8 -o out

    Args:
        sources: files, folders, URLs or STAC items of one place, each of another sensor.
        to: sensors to make, separated by commas: s1-rtc, s2-l1c, s2-l2a, dem, land-cover, water; of cop-gen-thumb
            s1-before, s1-after, s2-before, s2-after, flood.
        output: the folder to write.
        given: NAME=FILE, where a file does not say itself what it is; beside SOURCES, --sensor, --bands, --unit and
            --offset tell of those alone.
        truth: NAME=FILE, what was measured, shown beside what was made.
        style: FILE or NAME=FILE, a reference picture of the same event, for cop-gen-thumb.
        model: name of the model.
        weights: default (what ships), none (random), a .pth or .safetensors file, or hf://owner/repo/file.
        samples: how many; sample i is the same, to rounding, however many are asked for.
        seed: decides all that is random.
        steps: how often the network is asked; 1 gives what is expected instead of a sample.
        guidance: how much what is given counts; above 1 more than the model says.
        without: place, date, or both separated by a comma: not told to the model.
        name: that the products begin with; the first file's unless given.
        told: what the caller knows better than the files; counts for each of them.
        view: side of a window in pixels, other than in training.
        overlap: pixels that neighbouring windows share; a quarter of a window unless given.
        batch: windows that go through the model at once.
        precision: float32, bfloat16, or auto: bfloat16 where this processor multiplies it natively.
        resume: go on with an interrupted run.
        overwrite: begin again over an interrupted or finished run.
        as_json: print one JSON object instead of lines.
    """
    network, where = _network(model, weights, precision)
    joint, menu = menu_of(network, model)
    views, first = _views(sources, given, menu, told)
    left_out = _left_out(without)
    how = How(
        steps=steps, guidance=guidance, place="place" not in left_out, date="date" not in left_out,
        style=_style(style, menu, told), view_px=view, overlap_px=overlap, batch=batch,
    )  # fmt: skip
    plan = plan_of(views, [t.strip() for t in to.split(",")], (joint, menu), samples, seed, how)
    true = _true(_pairs("--truth", truth, menu, told.beside), menu, plan)
    inputs = {k: [{**i, "opened": told_of(v)} for i in inputs_of(v)] for k, v in views.items()}
    order = Order(output, name or stem_of(first), inputs, true, resume, overwrite)
    if plan.layout.grid.crs is None and menu.gsd_m is None:
        print(
            "warning: no CRS is known: the products lie on the pixels of what is given, and no STAC item is written",
            file=sys.stderr,
        )
    last = watch(write(plan, network, order, ModelFacts.of(network, model, where or "random")), quiet=as_json)
    if as_json:
        print(json.dumps({"stage": last.stage, "files": [str(f) for f in last.files]}, ensure_ascii=False))
        return
    word = "finished before; nothing to do, --overwrite begins again" if last.stage == "nothing to do" else "written"
    print(f"{output}: {word}; synthetic")
    for path in last.files:
        print(f"  {path.name}")


def _network(model: str, weights: str, precision: Precision) -> tuple[CopGen, str | None]:
    """The model, and where its weights are from."""
    joint_of(model)  # refuses those that generate nothing
    source = None if weights.lower() == "none" else weights
    network = load_model(model, source)
    assert isinstance(network, CopGen)  # noqa: S101 (every joint model is one)
    if source is None:
        print(f"warning: {model}: RANDOM WEIGHTS. {UNTRAINED}", file=sys.stderr)
    return cast(network, precision), weights_of(model, weights)


def _views(
    sources: tuple[str, ...], given: tuple[str, ...], menu: Menu, told: Told
) -> tuple[dict[str, xr.DataArray], str]:
    """Everything that is given by name, and the first of the files."""
    views: dict[str, xr.DataArray] = {}
    for file in sources:
        key, array = _recognised(file, menu, told)
        if key in views:
            raise BadInput(
                f"{file} is of {key}, of which another file was given; give one of each, or --given NAME=FILE"
            )
        views[key] = array
    pairs = _pairs("--given", given, menu, told.beside if sources else told)
    if not pairs and not views:
        raise BadInput("no file was given; give at least one, as in: armillary generate s1.tif --to s2-l2a -o out")
    twice = [k for k in pairs if k in views]
    if twice:
        raise BadInput(f"{', '.join(twice)} is one of the files and in --given too; give one of each")
    return {**views, **pairs}, (*sources, *(p.partition("=")[2] for p in given))[0]


def _recognised(file: str, menu: Menu, told: Told) -> tuple[str, xr.DataArray]:
    """What a file is of: by its name where it is a picture of a flood site, else as `armillary open` tells."""
    key = next((k for end, k in FLOOD_FILES.items() if stem_of(file).endswith(end) and k in menu.takes), None)
    if key is not None and told.sensor is None:
        return key, _opened(file, key, menu, told)
    array = told.open(file)
    own = str(array.attrs["sensor"])
    fits = [k for k in menu.takes if menu.sensor(k).name == own and not k.endswith("-style")]
    if len(fits) != 1:
        what = f"may be given as {', '.join(fits)}" if fits else f"the model takes {', '.join(menu.takes)}"
        raise BadInput(f"{file} is of {own}, and {what}; say which with --given NAME={file}")
    return fits[0], array


def _pairs(flag: str, pairs: tuple[str, ...], menu: Menu, told: Told) -> dict[str, xr.DataArray]:
    """NAME=FILE, opened."""
    found: dict[str, xr.DataArray] = {}
    for pair in pairs:
        key, equals, file = pair.partition("=")
        if not equals or not file:
            raise BadInput(
                f"{flag} {pair} names no file; write {flag} NAME=FILE with NAME one of {', '.join(menu.takes)}"
            )
        if key in found:
            raise BadInput(f"{flag} names {key} twice; give one file of each")
        found[key] = _opened(file, key, menu, told)
    return found


def _true(views: dict[str, xr.DataArray], menu: Menu, plan: Plan) -> dict[str, Scene]:
    """What was measured of what is asked for, where it lies on the grid of the products.

    Raises:
        BadInput: it is of nothing that is asked for, or of another place.
    """
    made = {n for o in plan.outputs for n in (o.name, o.sensor.name)}
    odd = [k for k in views if k not in made]
    if odd:
        raise BadInput(f"--truth {', '.join(odd)} is not asked for in --to; leave it out, or ask for it")
    scenes = named(views, menu)
    grid_of({**plan.scenes, **{f"--truth {k}": s for k, s in scenes.items()}}, None)  # says so where they lie apart
    return scenes


def _opened(file: str, key: str, menu: Menu, told: Told) -> xr.DataArray:
    sensor = told.sensor or menu.sensor(key).name
    with warnings.catch_warnings():
        if menu.gsd_m is None:  # pictures have neither place nor time
            warnings.filterwarnings("ignore", message=".*(no CRS|time is unknown)")
        return replace(told, sensor=sensor).open(file)


def _style(style: tuple[str, ...], menu: Menu, told: Told) -> xr.DataArray | dict[str, xr.DataArray] | None:
    if not style:
        return None
    if not menu.styles:
        raise BadInput("--style was given to a model that has no styles; leave it out, or give --model cop-gen-thumb")
    if all("=" in s for s in style):
        return _pairs("--style", style, menu, told)
    if len(style) > 1:
        raise BadInput("several references of style were given; write --style NAME=FILE for each")
    return _recognised(style[0], menu, told)[1]


def _left_out(without: str) -> tuple[str, ...]:
    words = tuple(w.strip() for w in without.split(",") if w.strip())
    odd = [w for w in words if w not in ("place", "date")]
    if odd:
        raise BadInput(f"--without {', '.join(odd)} is nothing that can be left out; write place, date, or place,date")
    return words
