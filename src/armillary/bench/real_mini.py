"""real-mini: questions about real labelled data that are small enough to be asked on a laptop, with fixed splits.

A set of a few places is asked fold by fold: "ombria-change-s1.g2" asks the places of group g2 and learns from all
others. What stands before the dot is the *question*; its score is the mean over its folds. `ABSENT` tells which
labelled sets are not asked, and why.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from armillary.bench.archives import chips, points
from armillary.bench.archives.corine import CLASSES as CORINE
from armillary.bench.task import Archive, Joined, Suite, Task
from armillary.earth.bands import Named
from armillary.earth.card import find_sensor
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.probe.answer import AnyOf, ClassMap, OneOf, Value

ABSENT: Mapping[str, str] = MappingProxyType(
    {
        "majortom_cell": "the cloud mask of its only cell holds one class (0) in every pixel: nothing can be asked",
        "bigearthnet_v2_patch": "one patch, of the tile and day of one of the six pairs that are asked",
        "worldcereal_cubes, cubes": "their labels are products of another model, over two places that touch",
        "worldcereal_cubes, wc_pub and prometheo": "550 fields in seven blocks of land, where each survey has crops "
        "of its own, so that a block that is left out asks for classes which the others hardly have",
        "sen1floods11, S2": "two chips",
        "terramesh_sites": "land-cover maps of four places",
        "treesatai_1sample": "one sample",
        "satclip_s2_100k": "patches without labels; its climate stations are asked as air-temperature",
        "s5p": "pixels and stations of different places: the scenes that go with the stations are not there",
    }
)
"""Labelled sets, or parts of them, that are not asked, and why."""

EUROSAT = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)
CROPS = ("barley", "maize", "potatoes", "soy", "sugarbeet")
FLOOD = ("dry", "flooded")
WATER = ("dry", "water")
CROPLAND = ("other", "annual cropland")

EUROSAT_FOLDS = ("1", "2", "3", "4", "5")
OMBRIA_FOLDS = ("g1", "g2", "g3", "g4", "g5", "g6")
COUNTRIES = ("ghana-pakistan", "india-spain", "srilanka-usa")

_OPTICAL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Bands of the WorldCereal tables."""

_SEASON = ("p10", "p50", "p90", "sd", "t0", "t6", "t12", "t18", "t24", "t30")
_SIGNALS = ("B06", "B12", "NDVI", "NDMI", "NDGI", "ANIR", "NDRE1", "NDRE2", "NDRE5", "ratio", "VV", "VH")
_STATION = ("Altitude", "PopulationDensity", "nature_osm_score", "manmade_osm_score", "road_distance_osm")

_UNSEEN = "only {} was held out of the pretraining of copernicus-fm-nano, which saw the others' pixels and no mask"


@lru_cache(maxsize=1)
def real_mini() -> Suite:
    """Every question and fold, by name.

    Example:
        >>> real_mini()["elevation"].answer
        Value(unit='m')
    """
    made = (*_scenes(), *_floods(), *_patches(), *_series(), *_tables(), *_coordinates())
    return MappingProxyType({task.name: task for task in made})


def question(name: str) -> str:
    """The question of which a task is a fold; a task of one split is its own.

    Example:
        >>> question("ombria-change-s1.g2"), question("elevation")
        ('ombria-change-s1', 'elevation')
    """
    return name.partition(".")[0]


def _archive(folder: str, licence: str, source: str) -> Archive:
    return Archive(path=f"{folder}.zip", folder=folder, md5="", licence=licence, source=source)


def _scenes() -> Iterator[Task]:
    """Land use of whole patches."""
    l1c, l2a = sensors["s2-l1c"], sensors["s2-l2a"]
    for fold in EUROSAT_FOLDS:
        yield Task(
            f"eurosat-ms.{fold}",
            f"EuroSAT multispectral, fold {fold}",
            l1c,
            OneOf(EUROSAT),
            _archive("eurosat_ms", "MIT", "Helber et al. 2019 (arXiv:1709.00029)"),
            chips.eurosat(l1c, EUROSAT, fold),
            knows=("place", "area"),
            note="true labels; folds of whole blocks of 2 degrees; held out of pretraining",
        )
    classes = tuple(c for c in EUROSAT if c != "PermanentCrop")
    yield Task(
        "s2-weak",
        "Sentinel-2 level 2A, weak labels",
        l2a,
        OneOf(classes),
        _archive("s2_l2a_weak", "none stated; Copernicus Sentinel data terms", "labels: agreement of public models"),
        chips.weak(l2a, classes),
        knows=("area",),
        note="weak labels; clusters of near-duplicates are never cut; the tiles that are asked were held out of the "
        "pretraining of copernicus-fm-nano, which was told the weak labels of the tiles that teach",
    )


def _floods() -> Iterator[Task]:
    """Masks of water, per pixel."""
    joins: tuple[tuple[str, tuple[str, ...], Joined], ...] = (
        ("change", ("pre", "post"), "difference"),
        ("post", ("post",), "one"),
    )
    for kind, views, joined in joins:
        for satellite in ("s1", "s2"):
            sensor = find_sensor(f"ombria-{satellite}")
            for fold in OMBRIA_FOLDS:
                yield Task(
                    f"ombria-{kind}-{satellite}.{fold}",
                    f"OMBRIA floods, {satellite.upper()} {' and '.join(views)}, group {fold}",
                    sensor,
                    ClassMap(FLOOD),
                    _archive("ombria", "none stated", "Drakonakis et al. 2022 (OmbriaNet)"),
                    chips.ombria(sensor, satellite, fold, views=views),
                    joined=joined,
                    note=f"8 bit display composites of unknown places; six groups of them, each left out once; an "
                    f"interval is over groups; {_UNSEEN.format('g2')}",
                )
    s1 = sensors["s1-grd"]
    for fold in COUNTRIES:
        yield Task(
            f"sen1floods11.{fold}",
            f"Sen1Floods11, {fold}",
            s1,
            ClassMap(WATER),
            _archive("sen1floods11", "CC-BY-4.0", "Bonafilia et al. 2020 (Sen1Floods11)"),
            chips.sen1floods11(s1, fold),
            knows=("place", "area"),
            note="chips with hand labels, in tiles of 256 px; two countries are asked and four teach; no items "
            f"choose; {_UNSEEN.format('Spain')}",
        )


def _patches() -> Iterator[Task]:
    for satellite, name in (("s1", "s1-grd"), ("s2", "s2-l2a")):
        yield Task(
            f"bigearthnet-{satellite}-pairs",
            f"BigEarthNet, six pairs, {satellite.upper()}",
            sensors[name],
            AnyOf(CORINE),
            _archive("bigearthnet_s1s2_pairs", "CDLA-Permissive-1.0", "Sumbul et al. 2021 (arXiv:2105.07921)"),
            chips.bigearthnet(sensors[name], satellite),
            knows=("place", "time", "area"),
            note="four patches teach and two are asked: shows that it runs, and no more; whole satellite tiles",
        )


def _series() -> Iterator[Task]:
    """Pixels through time as flat patches."""
    flat = "single pixels as flat patches: no texture; features are the mean over dates"
    s1, l1c = sensors["s1-grd"], sensors["s2-l1c"].select(points.PRESTO_S2)
    for sensor in (s1, sensors["s2-l2a"].select(_OPTICAL)):
        yield Task(
            f"cropland-{sensor.name[:2]}",
            f"WorldCereal points, {sensor.name[:2].upper()}",
            sensor,
            OneOf(CROPLAND),
            _archive("worldcereal_cubes", "MIT", "WorldCereal reference points"),
            points.worldcereal(sensor),
            joined="mean",
            knows=("place", "time", "area"),
            note=f"annual cropland or not; blocks of 10 degrees; {flat}",
        )
    for name, title, unit in (("fuel_moisture", "Fuel moisture", "%"), ("algae_blooms", "Algae severity, 1 to 5", "1")):
        for sensor in (s1, l1c):
            yield Task(
                f"{name.split('_')[0]}-{sensor.name[:2]}",
                f"{title}, {sensor.name[:2].upper()}",
                sensor,
                Value(unit),
                _archive("presto_timeseries", "MIT", "Tseng et al. 2023 (arXiv:2304.14065)"),
                points.presto(sensor, name),
                joined="mean",
                knows=("place", "area"),
                note=f"blocks of 2 degrees; years are not told, so times are unknown; {flat}",
            )


def _tables() -> Iterator[Task]:
    """Features without pixels: encoders cannot be asked, baselines can."""
    fields = _table("srr2-season", tuple(f"{s}_{p}" for s in _SIGNALS for p in _SEASON), 10.0)
    yield Task(
        "crops-season",
        "Crops of fields, seasonal features",
        fields,
        OneOf(CROPS),
        _archive("srr2_croptype_s1s2", "Apache-2.0", "openEO Platform, SRR2 notebooks"),
        points.crops(fields, CROPS),
        knows=("place",),
        note="seasonal features of Sentinel-1 and -2 whose scaling nobody tells: no pixels, so baselines only; "
        "blocks of 0.25 degrees",
    )
    station = _table("no2-station", _STATION, 1000.0)
    yield Task(
        "no2-stations",
        "NO2 at European stations, mean of 2018 to 2020",
        station,
        Value("ug m-3"),
        _archive("s5p", "none stated", "Scheibenreif et al. 2022; EEA"),
        points.stations(station),
        knows=("place",),
        note="facts of a station and no pixels, so baselines only; a place is the middle of a Sentinel-2 tile, within "
        "80 km; blocks of 5 degrees",
    )


def _coordinates() -> Iterator[Task]:
    asked = (
        ("elevation", "mosaiks_elevation", "elevation", "m"),
        ("forest-cover", "mosaiks_forest_cover", "forest_cover", "1"),
        ("night-lights", "mosaiks_nightlights", "nightlights", "1"),
        ("population", "mosaiks_population", "population", "1"),
        ("air-temperature", "air_temperature_stations", "meanT", "degC"),
    )
    sensor = sensors["s2-l1c"]
    for name, table, column, unit in asked:
        yield Task(
            name,
            f"{name.replace('-', ' ').capitalize()} by place",
            sensor,
            Value(unit),
            _archive("location_benchmarks", "CC-BY-4.0 (MOSAIKS), MIT", "Rolf et al. 2021; SatCLIP; TorchSpatial"),
            points.places(sensor, table, column),
            knows=("place",),
            note="coordinates and no pixels: an encoder is shown an empty patch and told where it is; blocks of 10 "
            "degrees",
        )


def _table(name: str, columns: tuple[str, ...], gsd_m: float) -> Sensor:
    """Columns of a table as a sensor that no model knows."""
    return Sensor(
        name=name,
        title=f"table {name}",
        band_names=columns,
        bands=tuple(Named(c) for c in columns),
        unit="1",
        gsd_m=gsd_m,
        band_gsd_m=(gsd_m,) * len(columns),
        patch_px=points.POINT_PX,
        chip_px=points.POINT_PX,
        plausible=(-1e6, 1e6),
    )
