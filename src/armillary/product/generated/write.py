"""Write: a plan becomes a folder of synthetic scenes, in steps that can be watched, stopped and taken up again.

    for step in write(plan, model, order, facts): print(step.stage, step.done, step.total)

What is given and what is made lie in files of a hidden folder first, so that memory does not grow with the length of
the scene or the number of samples. The receipt comes last: a folder with a receipt is whole.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from glob import escape
from pathlib import Path

import numpy as np
import rasterio

from armillary import __version__
from armillary.alone import alone
from armillary.earth.when import iso
from armillary.errors import ArmillaryError, BadInput, OutputRefused, PlaceUnknown
from armillary.models.cop_gen import CopGen
from armillary.product import receipt, stac
from armillary.product.cog import GDAL_CACHE_MB
from armillary.product.folder import RECEIPT, clear, receipt_in
from armillary.product.generated.answers import Answers
from armillary.product.generated.given import take
from armillary.product.generated.item import write_card, write_item
from armillary.product.generated.journal import Journal
from armillary.product.generated.menu import Output
from armillary.product.generated.plan import Plan
from armillary.product.generated.raster import CODES, MASK, VALUES, Blocks, Kind, write_raster
from armillary.product.generated.run import groups_of, run
from armillary.product.generated.sheet import write_sheet
from armillary.product.receipt import ModelFacts
from armillary.product.staging import differences, write_aside
from armillary.product.write import Step
from armillary.scene.hrefs import is_remote, local
from armillary.scene.scene import Scene

_STATISTICS = {False: ("mean", "spread"), True: ("most-frequent", "disagreement")}
"""Whether an output is a map of categories -> what is told of its samples together."""


_TAKEN = ("model", "receipt")
"""Names whose .json would be two files at once."""

LONGEST = 160
"""Bytes of a name: file systems take 255, of which endings need some."""


@dataclass(frozen=True)
class Order:
    """What to write where.

    Args:
        out: the folder; it is made when absent.
        stem: the name that the products begin with.
        inputs: of the receipt: name -> what `receipt.inputs_of` says of it.
        truth: name of an output -> what was measured, for the contact sheet.
        resume: go on with an interrupted run.
        overwrite: begin again over an interrupted or finished run.
        keep_every_s: seconds between states that are kept of a group of samples; a run that is killed goes on there.
    """

    out: Path
    stem: str
    inputs: Mapping[str, list[dict[str, object]]] = field(default_factory=dict)
    truth: Mapping[str, Scene] = field(default_factory=dict)
    resume: bool = False
    overwrite: bool = False
    keep_every_s: float = 120.0

    def __post_init__(self) -> None:
        if not self.stem.strip(". ") or not self.stem.isprintable() or set(self.stem) & set("/\\"):
            raise BadInput(f"products cannot be called {self.stem!r}; give a name without / and line breaks")
        if self.stem in _TAKEN or len(self.stem.encode()) > LONGEST:
            why = f"it is longer than {LONGEST} bytes" if self.stem not in _TAKEN else "that file has another meaning"
            raise BadInput(f"products cannot be called {self.stem!r}: {why}; give another --name")


def write(plan: Plan, network: CopGen, order: Order, model: ModelFacts) -> Iterator[Step]:
    """Generate and write the products.

    Args:
        plan: what is asked.
        network: the joint model.
        order: what to write where.
        model: what the products say of it.

    Raises:
        PlaceUnknown: a model that knows places was given none, so that no georeferenced product can be written.
        OutputRefused: the folder cannot be written, or holds another run.
        EmptyScene: not one given pixel was measured.
    """
    if plan.menu.gsd_m is not None and plan.layout.grid.crs is None:
        raise PlaceUnknown(
            f"{', '.join(plan.scenes) or 'nothing'} has no CRS and georeferenced products were asked for; open it with "
            "crs= (--crs EPSG:...), or use arm.generate, which asks for none"
        )
    if any(local(s.href) == order.out / f"{order.stem}.json" for s in plan.scenes.values() if not is_remote(s.href)):
        raise OutputRefused(f"the item of the products would replace their source {order.stem}.json; choose another -o")
    started, config = time.monotonic(), config_of(plan, model, order)
    finished = _finished(order, config)
    if finished:
        yield Step("nothing to do", files=finished)
        return
    with alone(order.out):
        files = yield from _written(plan, network, order, model, config, started)
    yield Step("done", files=files)


def config_of(plan: Plan, model: ModelFacts, order: Order) -> dict[str, object]:
    """Everything that decides what the products show."""
    grid, how = plan.layout.grid, asdict(replace(plan.how, style=None))
    told = {s: hashlib.sha256(np.ascontiguousarray(v).tobytes()).hexdigest()[:16] for s, v in plan.told.items()}
    return {
        "armillary": __version__,
        "stem": order.stem,
        "inputs_sha256": {k: [i["sha256"] for i in v] for k, v in order.inputs.items()},
        "opened": {k: [i.get("opened", {}) for i in v] for k, v in order.inputs.items()},
        "given": {k: list(s.sensor.band_names) for k, s in plan.scenes.items()},
        "places": {k: _place_of(s) for k, s in plan.scenes.items()},
        "told": told,
        "truth": {k: s.href for k, s in order.truth.items()},
        "to": [o.name for o in plan.outputs],
        "model": model.name,
        "weights_sha256": model.sha256,
        "precision": model.precision,
        "seed": plan.seed,
        "samples": plan.samples,
        "how": how,
        "crs": None if grid.crs is None else str(grid.crs),
        "affine": list(grid.affine)[:6],
        "shape_px": list(grid.shape),
        "time": None if plan.time is None else iso(plan.time),
    }


def _place_of(scene: Scene) -> list[object]:
    window = scene.window
    return [None if window.crs is None else str(window.crs), *list(window.affine)[:6], *window.shape]


def _finished(order: Order, config: dict[str, object]) -> tuple[Path, ...]:
    """The products when this very run is finished already; refuses when another one is."""
    kept = None if order.overwrite else receipt_in(order.out)
    if kept is None:
        return ()
    unlike = differences(kept["config"], json.loads(json.dumps(config)))
    if unlike:
        raise OutputRefused(
            f"{order.out} holds the products of another run ({unlike}); choose another -o, or --overwrite"
        )
    files = (*(order.out / name for name in kept["files"]), order.out / RECEIPT)
    return files if all(f.exists() for f in files) else ()


def _written(
    plan: Plan, network: CopGen, order: Order, model: ModelFacts, config: dict[str, object], started: float
) -> Generator[Step, None, tuple[Path, ...]]:
    """Everything from the first row to the receipt, in a folder that is ours alone."""
    journal = Journal(order.out / f".{order.stem}.generated")
    if not (order.overwrite or journal.folder.exists() or (order.out / RECEIPT).exists()):
        _refuse_strangers(order)
    journal.open(config, resume=order.resume, overwrite=order.overwrite)
    _clear(order)
    try:
        with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE_MB):
            yield from _fill(plan, network, journal, order)
            files = yield from _products(plan, journal, order, model)
        report = _receipt(plan, order, model, config, time.monotonic() - started, files)
        write_aside(order.out / RECEIPT, json.dumps(report, indent=1))
    except ArmillaryError:
        if journal.groups == 0 and journal.state is None:  # nothing that a later run could go on from
            shutil.rmtree(journal.folder)
        raise
    except OSError as cause:
        why = cause.__cause__ or cause  # GDAL's own words, where rasterio says only that writing failed
        raise OutputRefused(f"{order.out} cannot be written ({why}); choose another -o or make room") from cause
    shutil.rmtree(journal.folder)
    return (*files, order.out / RECEIPT)


def _refuse_strangers(order: Order) -> None:
    """Files that no run of ours is known to have written are somebody's own."""
    whole = ("valid.tif", "sheet.png", "json")
    named = [order.out / "model.json", *(order.out / f"{order.stem}.{end}" for end in whole)]
    found = sorted(p.name for p in (*_rasters_in(order), *named) if p.exists())
    if found:
        raise OutputRefused(
            f"{order.out} holds {', '.join(found[:3])}{' and more' if len(found) > 3 else ''}, which no receipt names "
            "and this run would replace; choose another -o, or --overwrite"
        )


def _clear(order: Order) -> None:
    """Take away the products of an earlier run, finished or not."""
    clear(order.out, order.stem)
    for path in _rasters_in(order):
        path.unlink()


def _rasters_in(order: Order) -> list[Path]:
    """Files that are called as samples and statistics of this name are."""
    ends = ("sample-*", *(name for names in _STATISTICS.values() for name in names))
    return [path for end in ends for path in order.out.glob(f"{escape(order.stem)}.*.{end}.tif")]


def _fill(plan: Plan, network: CopGen, journal: Journal, order: Order) -> Iterator[Step]:
    """Read what is given and generate, from where the journal stands."""
    if not journal.taken:
        for rows in take(plan, journal.store):
            yield Step("read", rows, plan.layout.shape_px[0])
        journal.record(0)
    since = journal.state
    if journal.groups or since is not None:
        yield Step("resume", journal.groups, len(groups_of(plan)))
    kept = time.monotonic()
    for progress in run(plan, network, journal.store, journal.groups, since):
        if progress.whole:
            journal.record(progress.group + 1)
        elif time.monotonic() - kept >= order.keep_every_s:
            journal.record(progress.group, progress.state())
            kept = time.monotonic()
        yield Step("generate", progress.done, progress.total)


def _products(plan: Plan, journal: Journal, order: Order, model: ModelFacts) -> Generator[Step, None, tuple[Path, ...]]:
    answers, made = Answers.of(plan, journal.store), {}
    planned = list(_rasters(answers))
    for i, (end, title, bands, kind, blocks, own) in enumerate(planned, 1):
        path = journal.folder / f"{order.stem}.{end}.tif"
        tags = tags_of(plan, model) | own
        made[write_raster(path, plan.layout.grid, bands, blocks, kind, tags).replace(order.out / path.name)] = title
        yield Step("cog", i, len(planned))
    told = ", ".join(plan.given) or "nothing"
    title = f"SYNTHETIC: {model.name} from {told}, seed {plan.seed}"
    sheet = write_sheet(journal.folder / f"{order.stem}.sheet.png", answers, title, order.truth)
    made[sheet.replace(order.out / sheet.name)] = "contact sheet"
    yield Step("quicklook")
    card = write_card(order.out / "model.json", plan, model)
    files = (*made, card)
    if plan.layout.grid.crs is not None:
        files = (*files, write_item(order.out / f"{order.stem}.json", plan, model, made))
    yield Step("describe")
    return files


Planned = tuple[str, str, tuple[str, ...], Kind, Blocks, dict[str, str]]
"""End of the name, title, bands, how it is stored, values and tags."""


def _rasters(answers: Answers) -> Iterator[Planned]:
    """Every raster of a run."""
    plan = answers.plan
    for output in plan.outputs:
        kind = VALUES if output.categories is None else CODES
        bands, about = output.sensor.band_names, _about(output)
        for i in range(plan.samples):
            name, own = f"{output.name}, sample {i}", about | {"SAMPLE": str(i)}
            yield f"{output.name}.sample-{i}", name, bands, kind, _sample(answers, output, i), own
        for at, name in enumerate(_STATISTICS[output.categories is not None] if plan.samples > 1 else ()):
            stored = kind if at == 0 else VALUES
            own = about | {"STATISTIC": f"{name} of {plan.samples} samples"}
            yield f"{output.name}.{name}", f"{output.name}, {name}", bands, stored, _statistic(answers, output, at), own
    mask = ((rows, answers.valid[rows][None].astype(np.uint8)) for rows in answers.blocks())
    yield "valid", "1 where anything that was given was measured", ("valid",), MASK, mask, {}


def _sample(answers: Answers, output: Output, sample: int) -> Blocks:
    return ((rows, answers.values(output, sample, rows)) for rows in answers.blocks())


def _statistic(answers: Answers, output: Output, at: int) -> Blocks:
    return ((rows, answers.mean_and_spread(output, rows)[at]) for rows in answers.blocks())


def _about(output: Output) -> dict[str, str]:
    """As `armillary open` writes them."""
    return {"sensor": output.sensor.name, "unit": output.sensor.unit}


def tags_of(plan: Plan, model: ModelFacts) -> dict[str, str]:
    """What every file says of itself."""
    tags = {
        "SYNTHETIC": "YES",
        "GIVEN": ",".join(plan.given) or "nothing",
        "MODEL": model.name,
        "SEED": str(plan.seed),
        "WEIGHTS": model.sha256,
        "TIFFTAG_SOFTWARE": f"armillary {__version__}",
        "TIFFTAG_IMAGEDESCRIPTION": f"SYNTHETIC: generated by {model.name}, not a measurement",
    }
    return tags if plan.time is None else tags | {"datetime": iso(plan.time)}


def _receipt(
    plan: Plan,
    order: Order,
    model: ModelFacts,
    config: dict[str, object],
    seconds: float,
    files: tuple[Path, ...],
) -> dict[str, object]:
    return {
        "made": iso(stac.now()),
        "synthetic": True,
        "inputs": dict(order.inputs),
        "model": {
            "name": model.name,
            "architecture": model.architecture,
            "weights": model.weights,
            "sha256": model.sha256,
            "parameters": model.parameters,
            "file": None if model.file is None else {"sha256": model.file.sha256, **model.file.says},
        },
        "config": config,
        "windows": len(plan.layout.windows),
        "timings": {"total_s": round(seconds, 3)},
        "versions": receipt.versions(),
        "files": {f.name: receipt.file_sha256(f) for f in files},
    }
