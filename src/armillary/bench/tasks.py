"""Tasks: Copernicus-Bench as fifteen constants, and what its files allow beyond the published protocol.

Layouts, splits and licences: arXiv:2503.11849, the repository published with it and its data set on the hub. Official
normalisations: the generic dataset configurations of that repository, with their mistakes (`Official` reproduces them,
nothing else uses them).
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from armillary.bench.archive import Archive
from armillary.bench.archives import codes, readers
from armillary.bench.archives.lcz import zones
from armillary.bench.published import PUBLISHED
from armillary.bench.task import Official, Suite, Task
from armillary.earth.fleet import BENCH, sensors
from armillary.earth.sensors import Sensor
from armillary.probe.answer import AnyOf, ClassMap, OneOf, ValueMap

HUB = "wangyi111/Copernicus-Bench"
REVISION = "9d252acd3aa0e3da3128e05c6f028647f0e48e5f"
"""Of the hub's repository, to which the MD5 sums belong."""

_S1 = sensors["s1-grd"]
_S2 = sensors["s2-l1c"]
_S2_EUROSAT = _S2.select((*(b for b in _S2.band_names if b != "B8A"), "B8A"))  # as stored: B8A last
_S2_LCZ = _S2.select(("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"))
_S2_SURFACE = sensors["s2-l2a"]
_S3 = sensors["s3-olci"]

_ALL = ("place", "time", "area")


def _archive(path: str, folder: str, md5: str, licence: str, source: str, marks: tuple[str, ...] = ()) -> Archive:
    return Archive(path, folder, md5, licence, source, marks=marks, repository=HUB, revision=REVISION)


def _parts(train: int, val: int, test: int) -> Mapping[str, int]:
    return MappingProxyType({"train": train, "val": val, "test": test})


def _scaled(sensor: Sensor, side_px: int, lr: float, batch: int) -> Official:
    """Z-scores with the statistics that the fleet calls Copernicus-Bench's, band by band in the stored order."""
    s = sensor.statistic(BENCH)
    return Official(side_px, s.mean, s.std, s.unit, 0.0256, lr, batch, source=s.source)


def _radiance(side_px: int, lr: float, batch: int, patch_km2: float = 5.76) -> Official:
    """Counts times scale, NaN as 0, and nothing else."""
    return Official(side_px, (), (), _S3.unit, patch_km2, lr, batch, resize="cubic")


CLOUD_S2 = Task(
    name="cloud-s2",
    title="Cloud-S2",
    sensor=_S2,
    answer=ClassMap(codes.CLOUDS),
    archive=_archive(
        "l1_cloud_s2/cloud_s2.zip",
        "cloud_s2",
        "39a1f966e76455549a3e6c209ba751c1",
        "CC0-1.0",
        "CloudSEN12+ (doi:10.1016/j.dib.2024.110852), a quarter of its high-quality labels",
        ("train.csv", "s2_toa"),
    ),
    read=readers.clouds_s2(_S2),
    knows=_ALL,
    sizes=_parts(1699, 567, 551),
    official=_scaled(_S2, 512, 1e-3, 16),
    published=PUBLISHED["cloud-s2"],
    level=1,
    truth_gsd_m=10.0,
)

CLOUD_S3 = Task(
    name="cloud-s3",
    title="Cloud-S3",
    sensor=_S3,
    answer=ClassMap(codes.OLCI_CLOUDS),
    archive=_archive(
        "l1_cloud_s3/cloud_s3.zip",
        "cloud_s3",
        "1f82a8ccf16a0c44f0b1729e523e343a",
        "CC-BY-4.0",
        "Sentinel-3 OLCI with labels of IdePix (arXiv:2503.11849)",
        ("train.csv", "s3_olci"),
    ),
    read=readers.clouds_s3(_S3),
    knows=_ALL,
    sizes=_parts(1197, 399, 399),
    official=replace(_radiance(224, 1e-4, 16), resize="bilinear"),
    published=PUBLISHED["cloud-s3"],
    level=1,
    truth_gsd_m=300.0,
    note="The labels are those of an algorithm. Invalid pixels (stored 0) are not asked.",
)

EUROSAT_S1 = Task(
    name="eurosat-s1",
    title="EuroSAT-S1",
    sensor=_S1,
    answer=OneOf(codes.EUROSAT),
    archive=_archive(
        "l2_eurosat_s1s2/eurosat_s1.zip",
        "eurosat_s1",
        "e7e7f8fc68fc55a7a689cb654912ff3f",
        "CC-BY-4.0",
        "EuroSAT-SAR (arXiv:2310.18653)",
    ),
    read=readers.eurosat(_S1, "value"),
    knows=("place", "area"),
    sizes=_parts(16200, 5400, 5400),
    official=_scaled(_S1, 224, 0.1, 64),
    published=PUBLISHED["eurosat-s1"],
    level=2,
)

EUROSAT_S2 = Task(
    name="eurosat-s2",
    title="EuroSAT-S2",
    sensor=_S2_EUROSAT,
    answer=OneOf(codes.EUROSAT),
    archive=_archive(
        "l2_eurosat_s1s2/eurosat_s2.zip",
        "eurosat_s2",
        "b2be02ca9767554c717f2e9bd15bbd23",
        "MIT",
        "EuroSAT (doi:10.1109/JSTARS.2019.2918242)",
    ),
    read=readers.eurosat(_S2_EUROSAT, "count"),
    knows=("place", "area"),
    sizes=_parts(16200, 5400, 5400),
    official=_scaled(_S2_EUROSAT, 224, 0.1, 64),
    published=PUBLISHED["eurosat-s2"],
    level=2,
)

_BIGEARTHNET = _archive(
    "l2_bigearthnet_s1s2/bigearthnetv2.zip",
    "bigearthnet_s1s2",
    "269355db0449e0da7213c95f30c346d4",
    "CDLA-Permissive-1.0",
    "BigEarthNet v2 (arXiv:2407.03653), 5 % of it",
    ("multilabel-train.csv", "BigEarthNet-S2-5%"),
)

BIGEARTHNET_S1 = Task(
    name="bigearthnet-s1",
    title="BigEarthNet-S1",
    sensor=_S1,
    answer=AnyOf(codes.BIGEARTHNET),
    archive=_BIGEARTHNET,
    read=readers.bigearthnet(_S1, "S1"),
    knows=_ALL,
    sizes=_parts(11894, 6117, 5991),
    official=_scaled(_S1, 224, 1.0, 64),
    published=PUBLISHED["bigearthnet-s1"],
    level=2,
)

BIGEARTHNET_S2 = replace(
    BIGEARTHNET_S1,
    name="bigearthnet-s2",
    title="BigEarthNet-S2",
    sensor=_S2_SURFACE,
    read=readers.bigearthnet(_S2_SURFACE, "S2"),
    official=_scaled(_S2_SURFACE, 224, 1.0, 64),
    published=PUBLISHED["bigearthnet-s2"],
    note="Level 2A; the published protocol normalises it with statistics of level 1C.",
)

LC100CLS_S3 = Task(
    name="lc100cls-s3",
    title="LC100Cls-S3",
    sensor=_S3,
    answer=AnyOf(codes.LC100),
    archive=_archive(
        "l2_lc100_s3/lc100_s3.zip",
        "lc100_s3",
        "967d1da6286e0d0e346e425a8f3800e9",
        "CC-BY-4.0",
        "Sentinel-3 OLCI with CGLS-LC100 land cover (doi:10.5281/zenodo.3939049)",
        ("multilabel-train.csv", "lc100"),
    ),
    read=readers.lc100_marks(_S3),
    knows=_ALL,
    sizes=_parts(5181, 1727, 1727),
    official=_radiance(96, 1.0, 64),
    published=PUBLISHED["lc100cls-s3"],
    level=2,
    note='The class "unknown" is scored, as published.',
)

LC100SEG_S3 = replace(
    LC100CLS_S3,
    name="lc100seg-s3",
    title="LC100Seg-S3",
    answer=ClassMap(codes.LC100),
    read=readers.lc100_map(_S3),
    official=_radiance(288, 1e-4, 16),
    published=PUBLISHED["lc100seg-s3"],
    truth_gsd_m=100.0,
    note='The class "unknown" is scored, as published. Labels of about 282 to 288 pixels have a grid of their own.',
)

_DFC = _archive(
    "l2_dfc2020_s1s2/dfc2020.zip",
    "dfc2020_s1s2",
    "f10ba017dab6f38b7a6857b169ea924b",
    "CC-BY-4.0",
    "IEEE GRSS Data Fusion Contest 2020 (doi:10.21227/rha7-m332)",
    ("dfc-train-new.csv", "dfc"),
)

DFC2020_S1 = Task(
    name="dfc2020-s1",
    title="DFC2020-S1",
    sensor=_S1,
    answer=ClassMap(codes.DFC),
    archive=_DFC,
    read=readers.dfc2020(_S1, "s1"),
    knows=("area",),
    sizes=_parts(3156, 986, 986),
    official=_scaled(_S1, 256, 1e-3, 16),
    published=PUBLISHED["dfc2020-s1"],
    level=2,
    truth_gsd_m=10.0,
    note="Of ten classes eight are asked: savanna and snow do not occur.",
)

DFC2020_S2 = replace(
    DFC2020_S1,
    name="dfc2020-s2",
    title="DFC2020-S2",
    sensor=_S2,
    read=readers.dfc2020(_S2, "s2"),
    official=_scaled(_S2, 256, 1e-3, 16),
    published=PUBLISHED["dfc2020-s2"],
)

FLOOD_S1 = Task(
    name="flood-s1",
    title="Flood-S1",
    sensor=_S1,
    answer=ClassMap(codes.FLOOD),
    archive=_archive(
        "l3_flood_s1/flood_s1.zip",
        "flood_s1",
        "f4337fee5e90203c6d0c3efeb0b97b8a",
        "MIT",
        "Kuro Siwo (arXiv:2311.12056), a part of it",
        ("grid_dict_train.json", "data"),
    ),
    read=readers.floods(_S1),
    joined="difference",
    samples=(2, 2),
    knows=_ALL,
    sizes=_parts(3000, 1000, 1000),
    official=Official(
        224,
        (0.0981, 0.0253, 0.0981, 0.0253),
        (0.0430, 0.0174, 0.0981, 0.0253),
        "linear",
        0.0256,
        1e-3,
        16,
        clamp=(0.0, 0.15),
        fill=0.15,
        source="Copernicus-Bench configuration, whose deviations after the flood are a copy of its means",
    ),
    published=PUBLISHED["flood-s1"],
    level=3,
    truth_gsd_m=10.0,
    note="Stored backscatter is linear, in EPSG:3857: 10 m there are 10 m x cos(latitude) on the ground. Backscatter of"
    " 0 is none. Pixels that the mask of valid ones leaves out are not asked; the published protocol asks them.",
)

LCZ_S2 = Task(
    name="lcz-s2",
    title="LCZ-S2",
    sensor=_S2_LCZ,
    answer=OneOf(codes.LCZ),
    archive=Archive(
        "l3_lcz_s2/lcz_train.h5",
        "lcz_s2",
        "e0b10cdb7f12e053cda8dd3ff12dbd9e",
        "CC-BY-4.0",
        "So2Sat LCZ42 (doi:10.1109/MGRS.2020.2964708)",
        more=(
            ("l3_lcz_s2/lcz_val.h5", "be3b503dba5a1405ec6d5a770c2bee33"),
            ("l3_lcz_s2/lcz_test.h5", "4e95788c72a421d636f6f8dc7623d116"),
        ),
        aliases=("lcz_s1s2",),
        marks=("lcz_train.h5",),
        repository=HUB,
        revision=REVISION,
    ),
    read=zones(_S2_LCZ),
    knows=("area",),
    sizes=_parts(15000, 5000, 5000),
    official=Official(
        112,
        (0.112, 0.104, 0.095, 0.120, 0.200, 0.237, 0.230, 0.260, 0.182, 0.112),
        (0.074, 0.068, 0.062, 0.079, 0.134, 0.160, 0.155, 0.175, 0.122, 0.074),
        "reflectance",
        0.0256,
        0.1,
        64,
    ),
    published=PUBLISHED["lcz-s2"],
    level=3,
    note="So2Sat documents a processing of its own; the values are reflectance.",
)

BIOMASS_S3 = Task(
    name="biomass-s3",
    title="Biomass-S3",
    sensor=_S3,
    answer=ValueMap("Mg/ha"),
    archive=_archive(
        "l3_biomass_s3/biomass_s3.zip",
        "biomass_s3",
        "4769ab8c2c23cd8957b99e15e071931c",
        "CC-BY-4.0",
        "Sentinel-3 OLCI with ESA CCI above-ground biomass v4 of 2020",
        ("static_fnames-train.csv", "biomass"),
    ),
    read=readers.biomass_map(_S3),
    knows=_ALL,
    sizes=_parts(3000, 1000, 1000),
    official=replace(_radiance(288, 1e-4, 16, 23.04), target=(92.3196, 117.8162)),
    published=PUBLISHED["biomass-s3"],
    level=3,
    truth_gsd_m=100.0,
    note="Labels of about 282 x 282 pixels have a grid of their own; the published protocol resizes them by cubic"
    " interpolation, which overshoots.",
)


def _air(gas: str, md5: str, unit: str, target: tuple[float, float]) -> Task:
    sensor = sensors[f"s5p-{gas}"]
    name = f"aq-{gas}-s5p"
    return Task(
        name=name,
        title=f"AQ-{gas.upper()}-S5P",
        sensor=sensor,
        answer=ValueMap(unit),
        archive=_archive(
            "l3_airquality_s5p/airquality_s5p.zip",
            "airquality_s5p",
            md5,
            "CC-BY-4.0",
            "Sentinel-5P with air quality maps of the European Environment Agency, 2021",
            ("no2", "o3"),
        ),
        read=readers.air_quality(sensor, "no2" if gas == "no2" else "o3"),
        knows=_ALL,
        sizes=_parts(1480, 493, 494),
        official=Official(56, (), (), sensor.unit, 16.0, 1e-4, 16, resize="cubic", target=target),
        published=PUBLISHED[name],
        level=3,
        truth_gsd_m=1000.0,
        note="The labels are maps of a model, smooth in space; numbers above 1e10 are none.",
    )


_AIR_MD5 = "92081c7437c5c1daf783868ad7669877"
AQ_NO2_S5P = _air("no2", _AIR_MD5, "ug m-3", (5.3167, 3.9948))
AQ_O3_S5P = _air("o3", _AIR_MD5, "ug m-3 day (SOMO35)", (4654.2632, 2589.4207))

COPERNICUS: Suite = MappingProxyType(
    {
        task.name: task
        for task in (
            CLOUD_S2,
            CLOUD_S3,
            EUROSAT_S1,
            EUROSAT_S2,
            BIGEARTHNET_S1,
            BIGEARTHNET_S2,
            LC100CLS_S3,
            DFC2020_S1,
            DFC2020_S2,
            LC100SEG_S3,
            FLOOD_S1,
            LCZ_S2,
            BIOMASS_S3,
            AQ_NO2_S5P,
            AQ_O3_S5P,
        )
    }
)
"""Task by name, in the order of the publication."""
