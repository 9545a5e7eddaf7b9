"""Readers of Copernicus-Bench: the lists and folders of each archive (arXiv:2503.11849, its repository's loaders).

Each public function takes the facts of one task and gives the reader of it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

import numpy as np

from armillary.bench.archives.codes import (
    BIGEARTHNET,
    CLOUD_CODES,
    DFC_CODES,
    EUROSAT,
    LC100,
    LC100_CODES,
    OLCI_BINARY_CODES,
    OLCI_CLOUD_CODES,
    Codes,
    biomass,
    coded,
    flooded,
    numbers,
)
from armillary.bench.archives.listed import Listed, Shot, Source, in_parts, unique
from armillary.bench.archives.lists import lines, marked, pairs, records
from armillary.bench.archives.rasters import Raster, Unit
from armillary.bench.files import Files
from armillary.bench.task import Items, Reader
from armillary.earth.sensors import Sensor
from armillary.earth.when import find_time
from armillary.errors import SceneNotFound, SceneUnreadable

Label = Callable[[Sequence[Raster]], np.ndarray]

YEAR = "2021-01-01_2021-12-31"
SEASONS = ("2021-01-01_2021-04-01", "2021-04-01_2021-07-01", "2021-07-01_2021-10-01", "2021-10-01_2021-12-31")
"""Spans of air quality: first and last day of a mean."""

Which = Literal["one", "all"]
"""Of a place's samples: the one that the published protocol uses, or every one in the order of time."""


def clouds_s2(sensor: Sensor) -> Reader:
    """Cloud-S2: stems without extension in {part}.csv; the time is the first one of the stem."""
    return lambda files: _twins(files, sensor, "count", "{}.csv", ("s2_toa", "cloud"), CLOUD_CODES)


def clouds_s3(sensor: Sensor, label: Literal["multi", "binary"] = "multi") -> Reader:
    """Cloud-S3: full file names in {part}.csv; the time is the first one of the name."""
    codes = OLCI_CLOUD_CODES if label == "multi" else OLCI_BINARY_CODES
    return lambda files: _twins(files, sensor, "count", "{}.csv", ("s3_olci", f"cloud_{label}"), codes)


def dfc2020(sensor: Sensor, folder: Literal["s1", "s2"]) -> Reader:
    """DFC2020: label names in dfc-{part}-new.csv; a sample's name is the label's with the token swapped."""
    unit: Unit = "value" if folder == "s1" else "count"
    return lambda files: _twins(files, sensor, unit, "dfc-{}-new.csv", (folder, "dfc"), DFC_CODES)


def eurosat(sensor: Sensor, unit: Unit) -> Reader:
    """EuroSAT: names that end in .jpg in eurosat-{part}.txt; the class is the first word of a name."""

    def read(files: Files) -> Items:
        listed, parts = in_parts(lambda part: lines(files, f"eurosat-{part}.txt"))
        stems = tuple(_stem(line.rpartition("/")[2]) for line in listed)
        words = [stem.partition("_")[0] for stem in stems]
        if strange := sorted(set(words) - set(EUROSAT)):
            raise SceneUnreadable(
                f"the lists in {files.where} name the classes {', '.join(strange)}; EuroSAT has {', '.join(EUROSAT)}"
            )

        def source(number: int) -> Source:
            return Source((Shot((f"all_imgs/{words[number]}/{stems[number]}.tif",)),))

        known = tuple(np.array(EUROSAT.index(word)) for word in words)
        return Listed(files, sensor, unit, unique(stems, parts), parts, source, known)

    return read


def bigearthnet(sensor: Sensor, folder: Literal["S1", "S2"]) -> Reader:
    """BigEarthNet: multilabel-{part}.csv holds s1_path, s2_path and 19 marks; S1's date is word 4, S2's word 2."""
    unit: Unit = "value" if folder == "S1" else "count"
    column, word = (0, 4) if folder == "S1" else (1, 2)

    def read(files: Files) -> Items:
        rows, parts = in_parts(lambda part: marked(files, f"multilabel-{part}.csv", 2, (BIGEARTHNET,)))
        paths = [row.names[column] for row in rows]
        stems = [_stem(path.rpartition("/")[2]).removesuffix("_allbands") for path in paths]

        def source(number: int) -> Source:
            time = find_time("_".join(stems[number].split("_")[word : word + 1]))
            return Source((Shot((f"BigEarthNet-{folder}-5%/{paths[number]}",), time),))

        known = tuple(row.marks for row in rows)
        return Listed(files, sensor, unit, unique(stems, parts), parts, source, known)

    return read


def lc100_marks(sensor: Sensor, which: Which = "one") -> Reader:
    """LC100Cls: multilabel-{part}.csv holds the place (PID) and 23 marks; its sample is joined by that name."""
    orders = (LC100, tuple(str(code) for code in LC100_CODES))

    def read(files: Files) -> Items:
        rows, parts = in_parts(lambda part: marked(files, f"multilabel-{part}.csv", 1, orders))
        chosen = _chosen(files)
        places = tuple(row.names[0] for row in rows)
        known = tuple(row.marks for row in rows)

        def source(number: int) -> Source:
            return Source(_olci(files, places[number], chosen, which))

        return Listed(files, sensor, "count", unique(places, parts), parts, source, known)

    return read


def lc100_map(sensor: Sensor, which: Which = "one") -> Reader:
    """LC100Seg: static_fnames-{part}.csv holds place and file; labels are lc100/<place>.tif on their own grid."""
    return lambda files: _mapped(files, sensor, which, "lc100", lambda rasters: coded(rasters, LC100_CODES))


def biomass_map(sensor: Sensor, which: Which = "one") -> Reader:
    """Biomass: static_fnames-{part}.csv holds place and file; labels are biomass/<place>.tif on their own grid."""
    return lambda files: _mapped(files, sensor, which, "biomass", biomass)


def air_quality(sensor: Sensor, gas: Literal["no2", "o3"], which: Which = "one") -> Reader:
    """Air quality: {gas}/{part}.csv holds places; the time of a mean is the first day of its span."""
    folder = "s5p_annual" if which == "one" else "s5p_seasonal"

    def read(files: Files) -> Items:
        listed, parts = in_parts(lambda part: lines(files, f"{gas}/{part}.csv"))
        places = tuple(_stem(line) for line in listed)

        def source(number: int) -> Source:
            shots = _in_time(files, f"{gas}/{folder}/{places[number]}/")
            return Source(shots[:1] if which == "one" else shots, (f"{gas}/label_annual/{places[number]}.tif",))

        return Listed(files, sensor, "value", unique(places, parts), parts, source, label=numbers)

    return read


def floods(sensor: Sensor, before: Literal[1, 2] = 1) -> Reader:
    """Flood-S1: grid_dict_{part}.json holds each tile's path below data/; backscatter is linear, a file per band."""

    def read(files: Files) -> Items:
        listed, parts = in_parts(lambda part: tuple(records(files, f"grid_dict_{part}.json").items()))
        keys = tuple(key for key, _ in listed)
        paths = [str(record.get("path", key)).strip("/").removeprefix("data/") for key, record in listed]

        def source(number: int) -> Source:
            return flood_tile(files, f"data/{paths[number]}/", before)

        return Listed(files, sensor, "linear", unique(keys, parts), parts, source, label=flooded)

    return read


def flood_tile(files: Files, folder: str, before: Literal[1, 2]) -> Source:
    """A tile of Kuro Siwo: VV and VH of the acquisitions before (SL2, SL1) and after (MS1) the flood, and its labels.

    Raises:
        SceneNotFound: one of its files is absent.
    """
    names = {name.rpartition("/")[2][:7]: name for name in files.names(folder) if name.endswith(".tif")}
    roles = ("SL2", "SL1", "MS1")[2 - before :]
    needed = [f"{role}_{band}" for role in roles for band in ("IVV", "IVH")] + ["MK0_MLU"]
    if absent := [start for start in needed if start not in names]:
        raise SceneNotFound(
            f"{folder} in {files.where} has no file that begins with {', '.join(absent)}; download the archive again"
        )
    shots = tuple(Shot((names[f"{role}_IVV"], names[f"{role}_IVH"]), _last_day(names[f"{role}_IVV"])) for role in roles)
    return Source(shots, tuple(names[start] for start in ("MK0_MLU", "MK0_MNA") if start in names))


def _twins(files: Files, sensor: Sensor, unit: Unit, list_of: str, folders: tuple[str, str], codes: Codes) -> Items:
    """Samples and labels of one name in two folders; a word of it that names the labels' folder is swapped."""
    listed, parts = in_parts(lambda part: lines(files, list_of.format(part)))
    stems = tuple(_stem(line.rpartition("/")[2]) for line in listed)
    held, label = folders

    def source(number: int) -> Source:
        stem = "_".join(held if word == label else word for word in stems[number].split("_"))
        return Source((Shot((f"{held}/{stem}.tif",), find_time(stem)),), (f"{label}/{stems[number]}.tif",))

    return Listed(files, sensor, unit, unique(stems, parts), parts, source, label=lambda found: coded(found, codes))


def _mapped(files: Files, sensor: Sensor, which: Which, folder: str, label: Label) -> Items:
    listed, parts = in_parts(lambda part: tuple(pairs(files, f"static_fnames-{part}.csv").items()))
    places = tuple(place for place, _ in listed)

    def source(number: int) -> Source:
        shots = _olci(files, places[number], dict(listed[number : number + 1]), which)
        return Source(shots, (f"{folder}/{places[number]}.tif",))

    return Listed(files, sensor, "count", unique(places, parts), parts, source, label=label)


def _chosen(files: Files) -> dict[str, str]:
    """Place -> the file that the published protocol uses, of all parts together."""
    listed, _ = in_parts(lambda part: tuple(pairs(files, f"static_fnames-{part}.csv").items()))
    return dict(listed)


def _olci(files: Files, place: str, chosen: dict[str, str], which: Which) -> tuple[Shot, ...]:
    folder = f"s3_olci/{place}/"
    if which == "all":
        return _in_time(files, folder)
    if place not in chosen:
        raise SceneNotFound(
            f"{place} has a label and no file in the static_fnames lists of {files.where}; download the archive again"
        )
    return (Shot((folder + chosen[place].rpartition("/")[2],), find_time(chosen[place])),)


def _in_time(files: Files, folder: str) -> tuple[Shot, ...]:
    """Every sample of a folder in the order of the times that their names tell."""
    shots = [Shot((name,), find_time(name.rpartition("/")[2])) for name in files.names(folder) if name.endswith(".tif")]
    if not shots:
        raise SceneNotFound(f"{folder} in {files.where} holds no .tif; download the archive again")
    return tuple(sorted(shots, key=lambda s: (s.time is None, 0.0 if s.time is None else s.time.timestamp(), s.names)))


def _last_day(name: str) -> datetime | None:
    return find_time(_stem(name).rpartition("_")[2])


def _stem(name: str) -> str:
    """A name without the extension of a picture; names have points of their own."""
    for suffix in (".tif", ".tiff", ".jpg"):
        name = name.removesuffix(suffix)
    return name
