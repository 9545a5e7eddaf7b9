"""STAC: an item (1.0 or 1.1; a file, a URL, a dict or a pystac.Item) whose assets together are one scene.

Facts are looked for on the band, then on the asset, then on the item. Dialects of earth-search, Planetary Computer and
CDSE are understood by the same rules:

- the CRS: `proj:code`, `proj:epsg`, `proj:wkt2`, `proj:projjson`; the file's own wins when it has one;
- the time: `datetime`, else the middle of `start_datetime` and `end_datetime`;
- the Sentinel-2 offset: earth-search's `boa_offset_applied`; a baseline before 04.00 (its advertised -0.1 is wrong);
  `raster:offset`; the baseline; at last the numbers themselves.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pystac
from pyproj import CRS
from pyproj.exceptions import CRSError

from armillary.earth.lexicon import house_name, is_auxiliary
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, SceneNotFound, SceneUnreadable, SensorUnknown
from armillary.scene.gridded.clues import Clues, read_name
from armillary.scene.gridded.folder import finest_of
from armillary.scene.gridded.planes import Plane, Planes, assemble, warn
from armillary.scene.gridded.raster import read_planes
from armillary.scene.hrefs import gdal_name, is_remote, local
from armillary.scene.request import Request
from armillary.scene.scene import Scene

Json = Mapping[str, Any]

_ORDER = ("", ".tif", ".tiff", ".jp2")
_RED_EDGES = {0.704: "B05", 0.740: "B06", 0.782: "B07"}  # centre in micrometres


def recognises(path: Path) -> bool:
    """True for a JSON file that says it is a STAC item."""
    if path.suffix.lower() not in (".json", ".geojson") or not path.is_file():
        return False
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(item, dict) and item.get("type") == "Feature" and "assets" in item


def open_scene(path: Path, request: Request) -> Scene:
    """The item in a file; its hrefs are relative to it."""
    return open_item(json.loads(path.read_text(encoding="utf-8")), request, home=path.parent)


def is_item_url(text: str) -> bool:
    """True for a URL of an item rather than of a raster."""
    return text.startswith("http") and (text.split("?", maxsplit=1)[0].endswith(".json") or "/items/" in text)


def open_url(url: str, request: Request) -> Scene:
    """The item behind a URL."""
    try:
        item = pystac.Item.from_file(url).to_dict(transform_hrefs=False)
    except Exception as cause:  # pystac lets through whatever its transport raises
        raise SceneUnreadable(f"{url} was asked for and gave no STAC item ({str(cause)[:120]}); check it") from cause
    return open_item(item, request, home=None, base=url.rsplit("/", 1)[0])


@dataclass(frozen=True)
class _Asset:
    """One band of one asset."""

    key: str
    href: str
    index: int
    house: str
    band: Json
    asset: Json

    @property
    def gsd(self) -> float:
        return _gsd(self.key, self.band, self.asset)


def open_item(item: Mapping[str, Any], request: Request, *, home: Path | None, base: str | None = None) -> Scene:
    """The scene of an item.

    Args:
        item: the item as JSON.
        request: what the caller gave; `bands` selects.
        home: folder that relative hrefs start from, None when the item came without a file.
        base: URL that they start from.

    Raises:
        SceneUnreadable: no asset is imagery of the fleet.
        SensorUnknown: the item does not tell the sensor.
        SceneNotFound: an asset's file is absent.
    """
    name = f"STAC item {item.get('id', '?')}"
    item = _whole(item, name)
    props: Json = item["properties"]
    home = home or _self_home(item)
    assets = _best(list(_assets(item)))
    if not assets:
        raise SceneUnreadable(
            f"{name} has no asset named after a band (found {', '.join(item.get('assets', {}))}); open one by its href"
        )
    sensors = _sensors(item)
    if request.sensor is None and not sensors:
        raise SensorUnknown(f"{name} does not tell its sensor; give sensor=")
    known = request.sensor.band_names if request.sensor else ()
    held = assets
    assets = [a for a in assets if not known or a.house in known]
    if request.sensor is not None and not assets:
        raise BandMismatch(
            f"{name} was opened as {request.sensor.name}, which has {', '.join(known)}; it holds "
            f"{', '.join(a.house for a in held)}: give another sensor="
        )
    found = [(a, read_planes(_located(a.href, home, base, name), a.house)) for a in assets]
    planes = tuple(_plane(a, p) for a, p in found)
    window = _placed(finest_of([p.window for _, p in found]), item, assets, name)
    clues = _clues(item, props, assets, sensors)
    facts = {"stac_id": str(item.get("id")), "assets": ", ".join(a.key for a in assets)}
    return assemble(Planes(name, planes, window, clues, facts, named=True), request)


def _whole(item: Json, name: str) -> dict[str, Any]:
    """The item with its properties, links and assets as what they should be."""
    shapes: dict[str, type] = {"properties": dict, "links": list, "assets": dict}
    found = {k: item.get(k) or kind() for k, kind in shapes.items()}
    wrong = [f"{k} are no {kind.__name__}" for k, kind in shapes.items() if not isinstance(found[k], kind)]
    wrong += [f"asset {k} has no href" for k, a in dict(found["assets"] if not wrong else {}).items() if not _linked(a)]
    if wrong:
        raise SceneUnreadable(f"{name} is no whole STAC item ({'; '.join(wrong)}); correct it, or open one file of it")
    return {**item, **found}


def _linked(asset: object) -> bool:
    return isinstance(asset, Mapping) and isinstance(asset.get("href"), str)


def _assets(item: Json) -> Iterator[_Asset]:
    """Every band of every asset that has a house name."""
    for key, asset in item.get("assets", {}).items():
        media = str(asset.get("type") or "image/")
        roles = asset.get("roles") or []
        if is_auxiliary(key) or {"thumbnail", "overview", "metadata"} & set(roles) or not media.startswith("image/"):
            continue
        bands = _bands(asset)
        for i, band in enumerate(bands):
            house = _house(key if len(bands) == 1 else "", band)
            if house is not None:
                yield _Asset(key, str(asset["href"]), i + 1, house, band, asset)


def _bands(asset: Json) -> Sequence[Json]:
    """STAC 1.1 `bands`, else 1.0 `eo:bands` zipped with `raster:bands`, else one nameless band."""
    if asset.get("bands"):
        return list(asset["bands"])
    eo, raster = asset.get("eo:bands") or [], asset.get("raster:bands") or []
    n = max(len(eo), len(raster), 1)
    padded = [(list(group) + [{}] * n)[:n] for group in (eo, raster)]
    return [{**{f"raster:{k}": v for k, v in r.items()}, **e} for e, r in zip(*padded, strict=True)]


def _house(key: str, band: Json) -> str | None:
    common = band.get("common_name") or band.get("eo:common_name") or ""
    for name in (str(band.get("name") or ""), key, str(common)):
        if name and not is_auxiliary(name) and (house := house_name(name)):
            return house
    center = band.get("center_wavelength") or band.get("eo:center_wavelength")
    if str(common).startswith("rededge") and center:
        return _RED_EDGES[min(_RED_EDGES, key=lambda c: abs(c - float(center)))]
    return None


def _best(assets: Sequence[_Asset]) -> list[_Asset]:
    """One asset per band: the finest, then the one whose format is read fastest."""
    best: dict[str, _Asset] = {}
    for asset in sorted(assets, key=lambda a: (a.gsd, _slow(a.href))):
        best.setdefault(asset.house, asset)
    order = {a.house: i for i, a in reversed(list(enumerate(assets)))}
    return sorted(best.values(), key=lambda a: order[a.house])


def _slow(href: str) -> int:
    suffix = Path(href.split("?", maxsplit=1)[0]).suffix.lower()
    return _ORDER.index(suffix) if suffix in _ORDER else len(_ORDER)


def _gsd(key: str, band: Json, asset: Json) -> float:
    size = band.get("raster:spatial_resolution") or band.get("gsd") or asset.get("gsd")
    if isinstance(size, int | float) and size > 0:
        return float(size)
    transform = asset.get("proj:transform")
    if transform:
        return abs(float(transform[0]))
    tail = key.rsplit("_", 1)[-1]
    return float(tail[:-1]) if tail in ("10m", "20m", "60m") else 10.0


def _located(href: str, home: Path | None, base: str | None, name: str) -> str:
    if is_remote(href):
        return gdal_name(href)
    path = local(href)
    if not path.is_absolute():
        if base is not None:
            return gdal_name(f"{base}/{href.removeprefix('./')}")
        if home is None:
            raise BadInput(f"{name} has the relative href {href} and no place of its own; open the item's file instead")
        path = home / path
    if not path.exists():
        raise SceneNotFound(f"{name} points to {path} and nothing is there; fetch the asset, or correct its href")
    return str(path)


def _self_home(item: Json) -> Path | None:
    for link in item.get("links", []):
        if link.get("rel") == "self" and not is_remote(str(link.get("href", "http://"))):
            return local(str(link["href"])).parent
    return None


def _plane(asset: _Asset, found: Planes) -> Plane:
    if asset.index > len(found.planes):
        raise SceneUnreadable(f"asset {asset.key} promises {asset.index} bands, its file holds {len(found.planes)}")
    plane = found.planes[asset.index - 1]
    nodata = _first("nodata", asset.band, asset.asset) or _first("raster:nodata", asset.band, asset.asset)
    own = plane.nodata if nodata is None or isinstance(nodata, str) else float(nodata)
    return replace(plane, name=asset.house, nodata=own)


def _first(key: str, *places: Json) -> Any:
    return next((p[key] for p in places if p.get(key) is not None), None)


def _placed(window: Window, item: Json, assets: Sequence[_Asset], name: str) -> Window:
    """The file's grid; its CRS, else the item's."""
    places = (*(a.asset for a in assets), item.get("properties", {}))
    said = _crs(places)
    if window.crs is None and said is not None:
        return Window.of(window.shape, window.affine, said.to_wkt())
    if window.crs is not None and said is not None and not window.crs.proj.equals(said, ignore_axis_order=True):
        warn(name, f"the item says {said.name}, its files say {window.crs}; the files were believed")
    return window


def _crs(places: Sequence[Json]) -> CRS | None:
    for place in places:
        for key in ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson"):
            value = place.get(key)
            if value:
                try:
                    return CRS.from_user_input(value)
                except CRSError:
                    continue
    return None


def _sensors(item: Json) -> tuple[str, ...]:
    """From the collection, the product type and the id."""
    props = item.get("properties", {})
    texts = (item.get("collection"), props.get("s2:product_type"), props.get("product:type"), item.get("id"))
    clues = Clues()
    for text in (str(t) for t in texts if t):
        clues = clues.or_else(read_name(text.replace("S2MSI", "S2-L").replace("sentinel-", "s")))
    return clues.sensors


def _clues(item: Json, props: Json, assets: Sequence[_Asset], sensors: tuple[str, ...]) -> Clues:
    time = _time(props)
    named = read_name(str(props.get("s2:product_uri") or item.get("id") or ""))
    clues = Clues(
        sensors=sensors,
        time=time,
        time_source="read" if time else None,
        baseline=_baseline(props),
        unit="linear" if sensors == ("s1-rtc",) else None,
    ).or_else(replace(named, sensors=()))
    if not set(sensors) & {"s2-l1c", "s2-l2a"}:
        return clues
    shift, why = _shift(item, props, assets[0], clues.baseline)
    return replace(clues, shift=shift, shift_why=why, scale=_number("scale", assets[0]))


def _time(props: Json) -> datetime | None:
    if props.get("datetime") not in (None, "", "null"):
        return utc(props["datetime"])
    start, end = props.get("start_datetime"), props.get("end_datetime")
    if start and end:
        return utc(start) + (utc(end) - utc(start)) / 2
    return utc(start) if start else None


def _baseline(props: Json) -> float | None:
    for key in ("s2:processing_baseline", "processing:version", "eopf:baseline"):
        try:
            return float(str(props[key]))
        except (KeyError, ValueError):
            continue
    return None


def _shift(item: Json, props: Json, asset: _Asset, baseline: float | None) -> tuple[float | None, str]:
    """What metadata say is to be added to a count; None when they do not settle it."""
    flag = props.get("earthsearch:boa_offset_applied", props.get("sentinel:boa_offset_applied"))
    offset, scale = _number("offset", asset), _number("scale", asset) or 1e-4
    trusted = "c1" in str(item.get("collection", ""))
    if flag is not None and not trusted:
        if flag:
            return 0.0, "boa_offset_applied is true"
        if baseline is not None and baseline >= 4:
            return -1000.0, f"boa_offset_applied is false, baseline {baseline:05.2f}"
        return 0.0, "boa_offset_applied is false, baseline before 04.00"
    if offset is not None and baseline is not None and baseline < 4:
        return 0.0, f"baseline {baseline:05.2f}; the advertised offset {offset:g} is not its"
    if offset is not None:
        return round(offset / scale, 6), f"raster:offset {offset:g}"
    return None, ""


def _number(key: str, asset: _Asset) -> float | None:
    value = _first(f"raster:{key}", asset.band, asset.asset)
    return float(value) if isinstance(value, int | float) else None
