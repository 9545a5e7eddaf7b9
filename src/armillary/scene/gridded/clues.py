"""Clues: what names, tags and sidecar files say about imagery whose pixels do not say it themselves.

Texts are asked from the closest to the farthest: the file's own tags, its name, the JSON beside it, then the folders
above it. The first text that knows a fact settles it. A *stamp* is the time inside a product's name.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from armillary.earth.fleet import sensors
from armillary.scene.scene import Source

_S1 = ("s1-grd", "s1-rtc")
_S2 = ("s2-l1c", "s2-l2a")

_STAMP = r"(?P<time>\d{8}T\d{5,6})"
_PRODUCTS: tuple[tuple[re.Pattern[str], tuple[str, ...], str | None], ...] = tuple(
    (re.compile(pattern), names, unit)
    for pattern, names, unit in (
        (rf"S2[A-D]_MSIL1C_{_STAMP}(?:_N(?P<baseline>\d{{4}}))?", ("s2-l1c",), None),
        (rf"S2[A-D]_MSIL2A_{_STAMP}(?:_N(?P<baseline>\d{{4}}))?", ("s2-l2a",), None),
        (r"S2[A-D]_\d{1,2}[A-Z]{3}_(?P<time>\d{8})_\d+_L1C", ("s2-l1c",), None),
        (r"S2[A-D]_\d{1,2}[A-Z]{3}_(?P<time>\d{8})_\d+_L2A", ("s2-l2a",), None),
        (rf"T\d{{2}}[A-Z]{{3}}_{_STAMP}_\w{{3}}_[126]0m", ("s2-l2a",), None),
        (rf"{_STAMP}_\d{{8}}T\d{{6}}_T\d{{2}}[A-Z]{{3}}", _S2, None),  # Earth Engine's index of Sentinel-2
        (rf"T\d{{2}}[A-Z]{{3}}_{_STAMP}", _S2, None),
        (rf"S1[A-D]_\w\w_{_STAMP}_\w{{3}}_RTC\d\d_[GS]_[gs]p", ("s1-rtc",), "linear"),  # HyP3: power
        (rf"S1[A-D]_\w\w_{_STAMP}_\w{{3}}_RTC\d\d_[GS]_[gs]a", ("s1-rtc",), "amplitude"),
        (rf"S1[A-D]_\w\w_{_STAMP}_\w{{3}}_RTC\d\d_[GS]_[gs]d", ("s1-rtc",), "dB"),
        (rf"OPERA_L2_RTC-S1_\w+-\w+-\w+_{_STAMP}", ("s1-rtc",), "linear"),
        (rf"S1[A-D]_\w\w_GRD[FHM]_1S\w\w_{_STAMP}\w*[-_]rtc", ("s1-rtc",), "linear"),
        (rf"S1[A-D]_\w\w_GRD[FHM]_1S\w\w_{_STAMP}", ("s1-grd",), None),
        (rf"S3[A-D]_OL_1_E[FR]R____{_STAMP}", ("s3-olci",), None),
        *((rf"S5P_\w{{4}}_L2__{gas}_+{_STAMP}", (f"s5p-{gas.lower()}",), None) for gas in ("CO", "NO2", "O3", "SO2")),
        (r"Copernicus_DSM_COG_\d\d_[NS]\d\d_00_[EW]\d{3}", ("dem",), None),
    )
)
"""Product name -> the sensors it may be of, and the unit of what it stores where the name tells."""

_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("s2l1c", "l1c", "msil1c", "s2toa"), ("s2-l1c",)),
    **dict.fromkeys(("s2l2a", "l2a", "msil2a"), ("s2-l2a",)),
    **dict.fromkeys(("s1rtc", "rtc"), ("s1-rtc",)),
    **dict.fromkeys(("s1grd", "grd", "grdh"), ("s1-grd",)),
    **dict.fromkeys(("s1", "s1hand", "sentinel1"), _S1),
    **dict.fromkeys(("s2", "s2hand", "sentinel2", "s2a", "s2b"), _S2),
    **dict.fromkeys(("dem", "copdem", "glo30"), ("dem",)),
    **dict.fromkeys(("olci", "s3olci", "efr"), ("s3-olci",)),
}
"""A word of a name -> the sensors it may be of."""

_TIME_KEYS = ("datetime", "acquisition_time", "acquisition_date", "sensing_time", "acquisitiondatetime", "time")
_STAMPED_KEYS = ("product_id", "system:id", "tile_source", "scene_source", "id")
_NOTHING = (None, (), "")
_FOLDERS = 4
"""How many folders above a file may speak for it."""


@dataclass(frozen=True)
class Clues:
    """What was found out, and where. None and () mean: nothing found.

    Args:
        sensors: names of the sensors that it may be of.
        time: when it was sensed.
        time_source: "read" for a stamp with hours, "assumed" for a bare date or the time a file was written.
        baseline: Sentinel-2 processing baseline as a number.
        unit: what the stored numbers are.
        shift: added to counts before scaling, where metadata settle it; `shift_why` says which do.
        scale: value per count, where metadata give it.
    """

    sensors: tuple[str, ...] = ()
    time: datetime | None = None
    time_source: Source | None = None
    baseline: float | None = None
    unit: str | None = None
    shift: float | None = None
    shift_why: str = ""
    scale: float | None = None

    def or_else(self, other: "Clues") -> "Clues":
        """These, and the other's where these know nothing. A stamp with hours beats a bare date.

        Sensors that both allow are narrowed to; where they share none, these win.
        """
        known = {
            f.name: getattr(self if getattr(self, f.name) not in _NOTHING else other, f.name) for f in fields(self)
        }
        shared = tuple(s for s in self.sensors if s in other.sensors)
        merged = Clues(**(known | ({"sensors": shared} if shared else {})))
        late = self.time_source == "assumed" and other.time_source == "read"
        return replace(merged, time=other.time, time_source="read") if late else merged


def clues_of(path: Path, tags: Mapping[str, str] | None = None) -> Clues:
    """Everything that the tags, the name, the sidecars and the folders of a path say."""
    folders = [p.name for p in path.parents][: _FOLDERS + 1]
    clues = _of_tags(tags or {}).or_else(read_name(path.name)).or_else(_of_sidecars(path))
    for name in folders:
        clues = clues.or_else(read_name(name))
    return clues.or_else(_written(tags or {}))


def read_name(text: str) -> Clues:
    """What one name says.

    Example:
        >>> c = read_name("S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419")
        >>> c.sensors, c.baseline, c.time.isoformat()
        (('s2-l2a',), 4.0, '2022-07-06T08:56:11+00:00')
    """
    for pattern, names, unit in _PRODUCTS:
        if m := pattern.search(text):
            found = m.groupdict()
            stamp = found.get("time")
            baseline = found.get("baseline")
            return Clues(
                sensors=names,
                time=None if stamp is None else stamp_time(stamp),
                time_source=None if stamp is None else ("read" if "T" in stamp else "assumed"),
                baseline=None if baseline is None else int(baseline) / 100,
                unit=unit,
            )
    words = [w for w in re.split(r"[^a-z0-9]+", text.lower()) if w in _WORDS]
    narrow = [_WORDS[w] for w in words if len(_WORDS[w]) == 1] or [_WORDS[w] for w in words]
    date = re.search(r"(?<!\d)((?:19|20)\d{2})[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)", text)
    return Clues(
        sensors=narrow[0] if len(set(narrow)) == 1 else (),
        time=None if date is None else stamp_time("".join(date.groups())),
        time_source=None if date is None else "assumed",
    )


def stamp_time(stamp: str) -> datetime:
    """UTC of 20170613T101031, 20170924T93020 (BigEarthNet drops the zero) or 20220706; 61 seconds are carried over."""
    day = datetime.strptime(stamp[:8], "%Y%m%d").replace(tzinfo=UTC)
    clock = stamp[9:].zfill(6)
    return day + timedelta(hours=int(clock[:2]), minutes=int(clock[2:4]), seconds=int(clock[4:6]))


def _of_tags(tags: Mapping[str, str]) -> Clues:
    low = {k.lower(): v for k, v in tags.items()}
    time = _first_time(low.get(k) for k in _TIME_KEYS)
    named = [read_name(low[k]) for k in _STAMPED_KEYS if k in low]
    own = (low["sensor"],) if low.get("sensor") in sensors else ()  # written by Armillary itself
    unit = low.get("unit") if own and low.get("unit") in ("dB", "reflectance") else None
    clues = Clues(sensors=own, time=time, time_source="read" if time else None, unit=unit)
    for other in named:
        clues = clues.or_else(other)
    return clues


def _written(tags: Mapping[str, str]) -> Clues:
    """TIFFTAG_DATETIME is when a file was written; better than nothing, and said to be assumed."""
    text = tags.get("TIFFTAG_DATETIME", "")
    m = re.fullmatch(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", text.strip())
    if not m or m[1] == "0000":
        return Clues()
    return Clues(time=stamp_time("".join(m.groups()[:3]) + "T" + "".join(m.groups()[3:])), time_source="assumed")


def _of_sidecars(path: Path) -> Clues:
    """metadata.json of the folder, `<stem>.json`, and the patch JSON of BigEarthNet."""
    folder = path if path.is_dir() else path.parent
    beside = [path.with_suffix(".json"), folder / "metadata.json", folder / f"{folder.name}_labels_metadata.json"]
    clues = Clues()
    for sidecar in beside:
        clues = clues.or_else(_of_json(sidecar))
    return clues


def _of_json(path: Path) -> Clues:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Clues()
    if not isinstance(facts, dict):
        return Clues()
    texts = {str(k).lower(): v for k, v in facts.items() if isinstance(v, str)}
    clues = _of_tags(texts)
    baseline = re.fullmatch(r"(\d\d)\.(\d\d)", texts.get("processing_baseline", ""))
    start = facts.get("system:time_start")
    own = Clues(baseline=float(texts["processing_baseline"]) if baseline else None)
    if isinstance(start, int | float):
        own = replace(own, time=datetime.fromtimestamp(start / 1000, tz=UTC), time_source="read")
    clues = own.or_else(clues)
    # a patch's sidecar names the product that it was cut from, which may be of another level
    return replace(clues, sensors=()) if "tile_source" in texts else clues


def _first_time(texts: Iterable[str | None]) -> datetime | None:
    for text in texts:
        m = re.match(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)", text or "")
        if m:
            return stamp_time("".join(m.groups()[:3]) + "T" + "".join(m.groups()[3:]))
    return None
