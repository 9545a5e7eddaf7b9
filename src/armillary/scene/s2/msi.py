"""MSI: what the XML of a Sentinel-2 SAFE says (product format PSD-12 to -15), and the offset that follows from it.

Only local names are matched: namespaces and nesting change with every format revision. Offsets are listed by band id,
in which B8A is 8 and B09 to B12 are 9 to 12.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

from armillary.earth.when import utc
from armillary.errors import SceneUnreadable
from armillary.scene.access.archive import elements, local, text
from armillary.scene.gridded.radiometry import SHIFT, THIRD_PARTY, Scaling, s2_shift, twice_corrected

BAND_IDS: Mapping[str, int] = {
    **{f"B{i + 1:02d}": i for i in range(8)},
    "B8A": 8,
    **{f"B{i:02d}": i for i in (9, 10, 11, 12)},
}
"""House name of a band -> its id in the XML."""


@dataclass(frozen=True)
class Product:
    """A product's own metadata.

    Args:
        level: "L1C" or "L2A".
        baseline: processing baseline as a number, None when it is not told.
        quantification: counts per unit of reflectance, None when it is not told.
        offsets: band id -> number to add to a count; empty when the product lists none.
        start: product start time.
        satellite: "Sentinel-2A" and so on.
        cloud_percent: share of cloud over the whole tile.
        files: inner paths of the bands without `.jp2`, as the product lists them.
    """

    level: str
    baseline: float | None
    quantification: float | None
    offsets: Mapping[int, float]
    start: datetime | None
    satellite: str | None
    cloud_percent: float | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Tile:
    """A granule's own metadata; None is what it does not tell.

    Args:
        time: sensing time of the tile, about a minute or two after the datatake's start.
        crs: "EPSG:32633" and so on.
        grids: ground size in metres -> ((rows, cols), row-major affine).
        cloud_percent: share of cloud over the tile.
    """

    time: datetime | None = None
    crs: str | None = None
    grids: Mapping[int, tuple[tuple[int, int], tuple[float, ...]]] | None = None
    cloud_percent: float | None = None


def product_of(root: Element, path: str) -> Product:
    """Read MTD_MSIL1C.xml or MTD_MSIL2A.xml.

    Raises:
        SceneUnreadable: it tells no level, or a number in it is none.
    """
    try:
        level = f"{text(root, 'PROCESSING_LEVEL') or ''} {text(root, 'PRODUCT_TYPE') or ''}"
        start = text(root, "PRODUCT_START_TIME", "DATATAKE_SENSING_START")
        return Product(
            level=_level(level, path),
            baseline=_number(root, "PROCESSING_BASELINE"),
            quantification=_quantification(root),
            offsets=_offsets(root),
            start=None if start is None else utc(start),
            satellite=text(root, "SPACECRAFT_NAME"),
            cloud_percent=_number(root, "Cloud_Coverage_Assessment", "CLOUDY_PIXEL_PERCENTAGE"),
            files=tuple(
                t for e in root.iter() if local(e) in ("IMAGE_FILE", "IMAGE_ID") and (t := (e.text or "").strip())
            ),
        )
    except (ValueError, KeyError) as cause:
        raise SceneUnreadable(f"the metadata of {path} cannot be understood ({cause}); download it again") from cause


def tile_of(root: Element, path: str) -> Tile:
    """Read MTD_TL.xml."""
    try:
        sizes = {int(e.attrib["resolution"]): _numbers(e, "NROWS", "NCOLS") for e in elements(root, "Size")}
        corners = {
            int(e.attrib["resolution"]): _numbers(e, "ULX", "ULY", "XDIM", "YDIM")
            for e in elements(root, "Geoposition")
        }
        grids = {
            gsd: ((int(sizes[gsd][0]), int(sizes[gsd][1])), (dx, 0.0, ulx, 0.0, dy, uly))
            for gsd, (ulx, uly, dx, dy) in corners.items()
            if gsd in sizes
        }
        time = text(root, "SENSING_TIME")
        return Tile(
            time=None if time is None else utc(time),
            crs=text(root, "HORIZONTAL_CS_CODE"),
            grids=grids,
            cloud_percent=_number(root, "CLOUDY_PIXEL_PERCENTAGE"),
        )
    except (ValueError, KeyError) as cause:
        raise SceneUnreadable(
            f"the tile metadata of {path} cannot be understood ({cause}); download it again"
        ) from cause


def shifts(
    product: Product, bands: tuple[str, ...], given: float | None, lows: Callable[[], Mapping[str, float]]
) -> tuple[tuple[float, ...], Scaling]:
    """What to add to the counts of each band, and how sure that is.

    Given by the caller, else listed by the product whatever its baseline, else by the baseline: 0 before 04.00, -1000
    assumed from then on; a third-party run (N9999) and an untold baseline are judged by the counts themselves.

    Args:
        product: its metadata.
        bands: house names.
        given: the caller's offset.
        lows: 0.1 percentile of the counts of dark bands; called only where the XML does not settle it.
    """
    if given is None and product.offsets:
        missing = [b for b in bands if BAND_IDS[b] not in product.offsets]
        if missing:
            raise SceneUnreadable(
                f"the product lists offsets, but none for {', '.join(missing)}; give offset= to say what holds for all"
            )
        each = tuple(product.offsets[BAND_IDS[b]] for b in bands)
        return each, Scaling("read", {"offset": _words(each) + " (listed)"})
    known = product.baseline is not None and product.baseline < THIRD_PARTY
    if given is None and known and (product.baseline or 0) >= 4:
        return (SHIFT,) * len(bands), _unlisted(product.baseline or 0, lows())
    dark = lows() if given is not None or not known else {}
    shift, scaling = s2_shift(given, product.baseline, dark)
    doubt = scaling.warning or twice_corrected(shift, dark)
    return (shift,) * len(bands), Scaling(scaling.source, scaling.facts, doubt)


def _unlisted(baseline: float, lows: Mapping[str, float]) -> Scaling:
    words = f"{SHIFT:g} assumed: baseline {baseline:05.2f} shifts counts, but the product lists no offsets"
    return Scaling(
        "assumed", {"offset": words}, twice_corrected(SHIFT, lows) or f"offset {words}; give offset= to be sure"
    )


def _level(words: str, path: str) -> str:
    for level, marks in (("L2A", ("2A",)), ("L1C", ("1C",))):
        if any(m in words for m in marks):
            return level
    raise SceneUnreadable(
        f"{path} is of processing level {words.strip() or 'unknown'}; Armillary reads Level-1C and Level-2A"
    )


def _quantification(root: Element) -> float | None:
    """L1C QUANTIFICATION_VALUE; L2A BOA_QUANTIFICATION_VALUE, which old Sen2Cor spelled with a prefix."""
    for e in root.iter():
        if local(e).endswith("BOA_QUANTIFICATION_VALUE") and e.text:
            return float(e.text)
    return _number(root, "QUANTIFICATION_VALUE")


def _offsets(root: Element) -> dict[int, float]:
    listed = [e for e in root.iter() if local(e) in ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET") and e.text]
    return {int(e.attrib.get("band_id", e.attrib.get("bandId", "-1"))): float(e.text or "nan") for e in listed}


def _number(root: Element, *names: str) -> float | None:
    found = text(root, *names)
    return None if found is None else float(found)


def _numbers(root: Element, *names: str) -> tuple[float, ...]:
    found = tuple(text(root, n) for n in names)
    if None in found:
        raise KeyError(f"{local(root)} without {names[found.index(None)]}")
    return tuple(float(f or "nan") for f in found)


def _words(each: tuple[float, ...]) -> str:
    return f"{each[0]:g}" if len(set(each)) == 1 else ", ".join(f"{v:g}" for v in each)
