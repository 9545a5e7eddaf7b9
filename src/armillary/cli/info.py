"""`armillary info`: what a model will see of a file, and where each fact comes from."""

import json
import math
import sys
import warnings
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from armillary.cli.flags import NOTHING_TOLD, Json, Told
from armillary.earth.bands import Band, Spectral
from armillary.earth.sensors import Sensor
from armillary.errors import EmptyScene
from armillary.sample.array import sensor_of, window_of
from armillary.scene.crop import bounds_lonlat
from armillary.scene.summary import BandSummary, complaints, facts_of, summarise


def info(
    file: str,
    *,
    told: Told = NOTHING_TOLD,
    as_json: Json = False,
) -> None:
    """Print what a model will see of a file: sensor, bands, units, place, time.

    Example: armillary info S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419.SAFE

    Args:
        file: file, folder, URL or STAC item.
        told: what the caller knows better than the file.
        as_json: print one JSON object instead of lines.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        array = told.open(file)
        found = sensor_of(array)
        seen = summarise(array, found)
    said = [str(w.message) for w in caught if w.category is UserWarning] + complaints(seen, found)
    report = describe(array, found, seen, said)
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print(report)
    if all(b.valid_percent == 0 for b in seen):
        raise EmptyScene(f"{file} holds not one valid pixel where it was looked at; check nodata, bands= and window=")


def describe(array: xr.DataArray, sensor: Sensor, seen: tuple[BandSummary, ...], said: list[str]) -> dict[str, Any]:
    """The report as one JSON-ready mapping."""
    window = window_of(array)
    bounds = None if window.crs is None else [round(v, 6) for v in bounds_lonlat(window)]
    sources = {str(k)[: -len("_source")]: v for k, v in array.attrs.items() if str(k).endswith("_source")}
    return {
        "file": str(array.attrs["href"]),
        "sensor": sensor.name,
        "title": sensor.title,
        "unit": sensor.unit,
        "size": {"bands": array.sizes["band"], "rows": array.sizes["y"], "cols": array.sizes["x"]},
        "crs": None if window.crs is None else _crs(str(window.crs)),
        "gsd_m": None if window.crs is None else round(window.gsd_m, 3),
        "upright": window.is_upright,
        "bounds_lonlat": bounds,
        "time": array.attrs["time"],
        "sources": sources,
        "facts": dict(facts_of(array)),
        "bands": [_row(b, s) for b, s in zip(sensor.bands, seen, strict=True)],
        "note": sensor.note or None,
        "warnings": said,
    }


def _crs(text: str) -> str:
    """EPSG code, or the name out of a WKT."""
    return text.split('"')[1] if '"' in text else text


def _row(band: Band, seen: BandSummary) -> dict[str, Any]:
    what = {"center_nm": band.center_nm, "width_nm": band.width_nm} if isinstance(band, Spectral) else {}
    numbers = {k: getattr(seen, k) for k in ("lowest", "median", "highest", "valid_percent", "implausible_percent")}
    return {
        "name": seen.name,
        **(what or {"text": getattr(band, "text", "")}),
        **{k: float(np.float32(v)) if math.isfinite(v) else None for k, v in numbers.items()},
    }


def _print(report: dict[str, Any]) -> None:
    console = Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=160, soft_wrap=True, highlight=False)
    sources, size = report["sources"], report["size"]
    bounds = report["bounds_lonlat"]
    place = f"{report['crs']}, {report['gsd_m']:g} m" if report["crs"] else "none"
    lines = {
        "file": report["file"],
        f"sensor ({sources.get('sensor', '?')})": f"{report['sensor']}: {report['title']}",
        "size": f"{size['bands']} bands, {size['rows']} rows, {size['cols']} columns",
        f"place ({sources.get('crs', '?')})": place + ("" if report["upright"] else ", rotated"),
        "bounds": "unknown" if bounds is None else "west {} south {} east {} north {}".format(*bounds),
        f"time ({sources.get('time', '?')})": report["time"] or "unknown",
        f"unit ({sources.get('scaling', '?')})": report["unit"],
        **report["facts"],
    }
    for key, value in lines.items():
        console.print(f"{key:18} {value}", markup=False)
    console.print(_table(report, sources.get("bands", "?")))
    if report["note"]:
        console.print(f"note: {report['note']}", markup=False)
    for text in report["warnings"]:
        console.print(f"warning: {text}", markup=False)


def _table(report: dict[str, Any], source: str) -> Table:
    table = Table(title=f"bands ({source}), values in {report['unit']}", title_justify="left")
    for head in ("band", "what it is", "min", "median", "max", "valid %"):
        table.add_column(head, justify="left" if head in ("band", "what it is") else "right")
    for b in report["bands"]:
        what = b.get("text") or f"{b['center_nm']:g} nm, {b['width_nm']:g} nm wide"
        numbers = ["-" if b[k] is None else f"{b[k]:.4g}" for k in ("lowest", "median", "highest")]
        table.add_row(b["name"], what, *numbers, f"{b['valid_percent']:.1f}")
    return table
