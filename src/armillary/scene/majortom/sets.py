"""Sets: the collections of Major TOM that hold imagery, and what their columns mean.

A *set* is one collection (Core-S2L2A ...), a *column* of it one band as an embedded GeoTIFF, or the thumbnail. A
*record* is one row: one product of one cell. Names of columns are those of the published files; other spellings are
understood. Francis and Czerkawski, arXiv:2402.12095, and the cards of the collections.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from armillary.earth.card import find_sensor
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.errors import SensorUnknown

THUMBNAIL = "thumbnail"
"""The column of the picture: PNG by its name, PNG or JPEG by its bytes."""

CLOUD_MASK = "cloud_mask"
"""The column of the cloud classes of Sentinel-2: 0 clear, 1 thick, 2 thin, 3 shadow."""

NO_PRODUCT = "id"
"""What stands for the product id where a set has none (heights)."""


@dataclass(frozen=True)
class Set:
    """One collection.

    Args:
        name: as published, Core-S2L2A.
        sensor: name of the sensor that its bands are of.
        columns: house name of a band -> its column.
        extra: other columns with embedded rasters.
    """

    name: str
    sensor: str
    columns: Mapping[str, str]
    extra: tuple[str, ...] = ()

    @property
    def fleet(self) -> Sensor:
        """The sensor."""
        return find_sensor(self.sensor)


def _bands(sensor: str) -> Mapping[str, str]:
    return MappingProxyType({b: b for b in sensors[sensor].band_names})


SETS: Mapping[str, Set] = MappingProxyType(
    {
        s.name: s
        for s in (
            Set("Core-S2L2A", "s2-l2a", _bands("s2-l2a"), (THUMBNAIL, CLOUD_MASK)),
            Set("Core-S2L1C", "s2-l1c", _bands("s2-l1c"), (THUMBNAIL, CLOUD_MASK)),
            Set("Core-S1RTC", "s1-rtc", MappingProxyType({"VV": "vv", "VH": "vh"}), (THUMBNAIL,)),
            Set("Core-DEM", "dem", MappingProxyType({"DEM": "DEM"}), (THUMBNAIL, "compressed")),
            Set("Core-LULC", "land-cover", MappingProxyType({"CLASS": "LULC"}), (THUMBNAIL,)),
        )
    }
)
"""Name -> set, in the order in which one of them gives the grid for all."""


def find_set(name: str) -> Set:
    """The set meant by a name: with or without "Core-", in any case; a path ends in one.

    Raises:
        SensorUnknown: no such set.

    Example:
        >>> find_set("S2L2A").sensor, find_set("https://a.org/Major-TOM/Core-S1RTC").sensor
        ('s2-l2a', 's1-rtc')
    """
    for word in re.split(r"[/\\]", name)[::-1]:
        for found in SETS.values():
            if word.lower().removeprefix("core-").split("_")[0] == found.name.lower().removeprefix("core-"):
                return found
    raise SensorUnknown(f"{name!r} names no set of Major TOM that holds imagery; there are {', '.join(SETS)}")


def set_of_columns(names: Iterable[str]) -> Set | None:
    """The set whose bands are among these columns, None when there is none; B10 tells level 1C from 2A."""
    have = {n.lower() for n in names}
    if "b10" in have:
        return SETS["Core-S2L1C"]
    for found in SETS.values():
        if any(c.lower() in have for c in found.columns.values()):
            return found
    return None


def column_of(name: str, columns: Iterable[str]) -> str | None:
    """The column that is called so, whatever its case and a leading zero (B2 for B02)."""
    plain = {_plain(c): c for c in columns}
    return plain.get(_plain(name))


def _plain(name: str) -> str:
    return re.sub(r"^b0(?=\d)", "b", name.lower())
