"""The lexicon: what everybody else calls our bands.

A *house name* is the one band name used here (`B02`, `VV`, `Oa01`, `NO2`, `DEM`). Foreign names come from STAC (common
names, and the asset keys of earth-search, Planetary Computer and CDSE), Earth Engine, SNAP, GDAL descriptions, Major
TOM, EOPF Zarr and file names. House names are unique over the whole fleet, so one table serves every sensor.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from armillary.earth.bands import Named
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.errors import BandMismatch

_WORDS: dict[str, tuple[str, ...]] = {
    "B01": ("coastal", "coastal aerosol", "aerosol", "aerosols", "ultra blue"),
    "B02": ("blue",),
    "B03": ("green",),
    "B04": ("red",),
    "B05": ("rededge071", "rededge1", "red edge 1", "re1", "vre1", "vegetation red edge 1"),
    "B06": ("rededge075", "rededge2", "red edge 2", "re2", "vre2", "vegetation red edge 2"),
    "B07": ("rededge078", "rededge3", "red edge 3", "re3", "vre3", "vegetation red edge 3"),
    "B08": ("nir", "nir broad", "broad nir"),
    "B8A": ("nir08", "nir narrow", "narrow nir", "rededge4", "red edge 4", "re4"),
    "B09": ("nir09", "water vapour", "water vapor"),
    "B10": ("cirrus",),
    "B11": ("swir16", "swir1", "swir 1"),
    "B12": ("swir22", "swir2", "swir 2"),
    "CO": (
        "CO_column_number_density",
        "carbonmonoxide_total_column",
        "carbonmonoxide_total_column_corrected",
        "s5p_co",
    ),
    "NO2": ("tropospheric_NO2_column_number_density", "nitrogendioxide_tropospheric_column", "s5p_no2"),
    "O3": ("O3_column_number_density", "ozone_total_vertical_column", "ozone_total_column", "s5p_o3"),
    "SO2": ("SO2_column_number_density", "sulfurdioxide_total_vertical_column", "s5p_so2"),
    "DEM": (
        "elevation",
        "height",
        "altitude",
        "cop-dem",
        "copdem",
        "copernicus dem",
        "cop-dem-glo-30",
        "cop_dem_glo30",
    ),
}
"""House name -> words that mean it and no other band. Total NO2 columns are absent on purpose: NO2 is tropospheric."""

_ONLY_WHEN_TOLD = {"data": "DEM", "z": "DEM"}
"""Words too common to recognise a sensor by; they count once the sensor is known."""

_AUXILIARY = frozenset(
    {"scl", "aot", "wvp", "tci", "visual", "qa10", "qa20", "qa60", "cldprb", "snwprb", "cloudprobability", "fmask"}
    | {"angle", "incidenceangle", "localincidenceangle", "lia", "cloudmask", "datamask", "mask", "qualityflags"}
)
_DERIVED = frozenset(
    {"std", "stddev", "stdev", "var", "variance", "ratio", "minus", "plus", "diff", "difference", "count", "noise"}
    | {"mask", "msk", "detfoo", "qualit", "quality", "classi", "err", "error", "unc", "uncertainty", "precision"}
)
"""Words that turn a band's name into something else."""
_STEP = re.compile(r"^(b\d{1,2}a?|vv|vh)[-_ ]\d+$")
"""A band name with the number of a time step, as in B1_1: not B11."""

_OPTICAL = re.compile(r"b(0?8a|\d{1,2})")
_OLCI = re.compile(r"oa(\d{1,2})")
_RED_EDGES = ("B05", "B06", "B07")


def house_name(name: str) -> str | None:
    """The house name of one foreign band name, None when it is no band of the fleet.

    Example:
        >>> [house_name(n) for n in ("rededge078", "B8A", "b08a", "Sigma0_VV_db", "oa01_radiance", "SCL")]
        ['B07', 'B8A', 'B8A', 'VV', 'Oa01', None]
    """
    plain = _STEP.sub(r"\1", re.sub(r"[-_]jp2$", "", name.strip().lower()))
    if _squeeze(plain) in _BY_WORD:
        return _BY_WORD[_squeeze(plain)]
    tokens = [t for t in re.split(r"[^a-z0-9]+", plain) if t]
    if _DERIVED & set(tokens):
        return None
    found = {house for t in tokens if (house := _of_token(t)) is not None}
    return found.pop() if len(found) == 1 else None


def is_auxiliary(name: str) -> bool:
    """True for the layers that travel with bands and are none: scene classification, angles, masks.

    Example:
        >>> is_auxiliary("SCL_20m"), is_auxiliary("B02")
        (True, False)
    """
    return _squeeze(re.sub(r"[-_](10|20|60)m$", "", name.strip().lower())) in _AUXILIARY


def resolve(sensor: Sensor, names: Sequence[str]) -> tuple[str, ...]:
    """House names of a file's bands, in the order of the file.

    Args:
        sensor: whose bands they are; a user's own sensor knows its own names, whatever their case.
        names: one per band of the file.

    Raises:
        BandMismatch: a name means no band of this sensor, or two names mean the same one.

    Example:
        >>> resolve(sensors["s2-l2a"], ["red", "B3", "B02_10m", "B8 (842 nm)"])
        ('B04', 'B03', 'B02', 'B08')
    """
    own = {_squeeze(b): b for b in sensor.band_names}
    houses = tuple(_known(own, n) for n in _red_edges(names))
    strange = [n for n, house in zip(names, houses, strict=True) if house is None]
    if strange:
        words = [w for w, house in _BY_WORD.items() if house in own.values()]
        close = get_close_matches(strange[0].lower(), [*words, *own], n=1)
        hint = f"; did you mean {close[0]!r}" if close else ""
        raise BandMismatch(
            f"{sensor.name} has no band called {', '.join(map(repr, strange))}; it has {', '.join(sensor.band_names)}"
            f"{hint}; name the file's bands in its order with bands="
        )
    result = tuple(h for h in houses if h is not None)
    twice = sorted({h for h in result if result.count(h) > 1})
    if twice:
        same = [n for n, h in zip(names, result, strict=True) if h == twice[0]]
        raise BandMismatch(
            f"{', '.join(map(repr, same))} all mean {twice[0]} of {sensor.name}; a scene holds each band once: "
            "split a time series by date, or name the bands with bands="
        )
    return result


def guess_sensor(names: Sequence[str]) -> tuple[Sensor, ...]:
    """Every sensor of the fleet that these band names fit, in the order of the fleet; empty when none does.

    Names alone cannot tell level 1C from level 2A without B10, nor GRD from RTC: then both come back and the caller
    needs another fact. Auxiliary layers (`SCL`, `angle`) are passed over.

    Example:
        >>> [s.name for s in guess_sensor(["B02", "B03", "SCL"])], [s.name for s in guess_sensor(["B02", "cirrus"])]
        (['s2-l1c', 's2-l2a'], ['s2-l1c'])
    """
    houses = [house_name(n) for n in _red_edges([n for n in names if not is_auxiliary(n)])]
    if not houses or None in houses or len(set(houses)) < len(houses):
        return ()
    return tuple(s for s in sensors.values() if set(houses) <= set(s.band_names))


def _known(own: dict[str, str], name: str) -> str | None:
    """The sensor's own spelling first, then the lexicon, then the words that need a known sensor."""
    squeezed = _squeeze(name)
    if squeezed in own:
        return own[squeezed]
    house = house_name(name) or _ONLY_WHEN_TOLD.get(squeezed)
    return house if house in own.values() else None


def _red_edges(names: Sequence[str]) -> list[str]:
    """Old catalogues say `rededge` for three bands: three of them are B05, B06, B07 in order."""
    if sum(_squeeze(n) == "rededge" for n in names) != len(_RED_EDGES):
        return list(names)
    edges = iter(_RED_EDGES)
    return [next(edges) if _squeeze(n) == "rededge" else n for n in names]


def _of_token(token: str) -> str | None:
    if token in ("vv", "vh"):
        return token.upper()
    if m := _OPTICAL.fullmatch(token):
        house = "B8A" if m[1].endswith("a") else f"B{int(m[1]):02d}"
    elif m := _OLCI.fullmatch(token):
        house = f"Oa{int(m[1]):02d}"
    else:
        return None
    return house if house in _HOUSES else None


def _squeeze(name: str) -> str:
    """Lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_HOUSES = frozenset(b for s in sensors.values() for b in s.band_names)
_BY_WORD = {_squeeze(word): house for house, words in _WORDS.items() for word in words}
_BY_WORD |= {_squeeze(house): house for house in _HOUSES}
_BY_WORD |= {
    _squeeze(band.text): house
    for s in sensors.values()
    for house, band in zip(s.band_names, s.bands, strict=True)
    if isinstance(band, Named)
}
