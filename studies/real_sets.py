"""Which real sets the corpus is made of: where their files lie, what must be told, which places are held out.

One row of SETS per kind of file. A *place* is one site on the ground; a *group* is what must not be split: near
duplicates, patches of one satellite tile, chips of one country, cubes that overlap. Only sets whose README allows
training are here; eurosat_ms, location_benchmarks (tests) and s1_rome_sarsen (not marked for training) are not.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

COPERNICUS = "Copernicus Sentinel data terms"


@dataclass(frozen=True)
class RealSet:
    """Files of one kind.

    Args:
        source: name of the set, which is its folder.
        pattern: of the files under the data folder.
        licence: as its README states it.
        sensors: what to open each file as; None lets the file tell.
        place: path -> name of the site, without the source.
        group: name of the site -> unit of splitting.
        held_out: which groups are held out.
        lock: path -> name of the pixel grid, for files without a CRS.
        least_valid: share of pixels with a value below which a tile is left out.
        series: whether every step of a time series becomes a tile.
    """

    source: str
    pattern: str
    licence: str
    sensors: tuple[str | None, ...] = (None,)
    place: Callable[[Path], str] = lambda path: path.stem
    group: Callable[[str], str] = lambda place: place
    held_out: Callable[[str], bool] = lambda _: False
    lock: Callable[[Path], str] = lambda _: ""
    least_valid: float = 0.5
    series: bool = False


WEAK_HELD_OUT = 0.17
"""Share of the clusters of s2_l2a_weak that is held out, about."""


def share_of(name: str) -> float:
    """A number in [0, 1) that depends on the name alone: the SHA-256 of it."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8


def weak_group(cluster: str) -> str:
    """What a cluster of near-duplicates of s2_l2a_weak is called in the corpus."""
    return f"s2_l2a_weak/cluster-{cluster}"


def is_held_out_weak(cluster: str) -> bool:
    """Whether a cluster of near-duplicates of s2_l2a_weak is held out."""
    return share_of(weak_group(cluster)) < WEAK_HELD_OUT


def _among(*names: str) -> Callable[[str], bool]:
    return lambda group: group in names


def _found(pattern: str) -> Callable[[str], str]:
    """The first match of a pattern in a name."""

    def find(name: str) -> str:
        match = re.search(pattern, name)
        if match is None:
            raise ValueError(f"{name} does not match {pattern}")
        return match.group(0)

    return find


def _bigearthnet(path: Path) -> str:
    """MGRS tile and position; the two halves of a pair have it in different words."""
    return _PAIRS.get(path.name, "_".join(path.name.split("_")[-3:]).removeprefix("T"))


_PAIRS = {
    "S2A_MSIL2A_20170613T101031_87_48": "33UUP_87_48",
    "S2A_MSIL2A_20170617T113321_36_85": "29UPU_36_85",
    "S2A_MSIL2A_20170617T113321_4_55": "29UPU_4_55",
    "S2A_MSIL2A_20171221T112501_56_35": "29SND_56_35",
    "S2B_MSIL2A_20170924T93020_69_24": "35VPK_69_24",
    "S2B_MSIL2A_20180204T94161_57_38": "35VPK_57_38",
}
"""The first version of BigEarthNet does not name the tile of a Sentinel-2 patch."""

_CUBE_GROUPS = {"wc_belgium": "wc_hesbaye", "wc_inputs": "wc_hesbaye"}
"""Two cubes whose rectangles touch."""


def _gfmap(place: str) -> str:
    return "gfmap_puglia" if place.startswith("polygons") else place


def _gfmap_place(path: Path) -> str:
    return "kempen" if path.stem.startswith(("bap", "cdse")) else path.stem


_TERRAMESH = "data CC-BY-SA-4.0 (TerraMesh, Major TOM)"
_BIGEARTHNET = "CDLA-Permissive-1.0"
_SSL4EO = "CC-BY-4.0 (SSL4EO-S12)"
_OLCI = "test resources of optical-toolbox (GPL-3) and xcube (MIT); pixels ESA"
_TROPOMI = "none stated by the copy; " + COPERNICUS


def sets_of(clusters: Mapping[str, str], ombria_groups: Mapping[str, str]) -> tuple[RealSet, ...]:
    """Every kind of file.

    Args:
        clusters: file name in s2_l2a_weak -> near-duplicate cluster.
        ombria_groups: site -> place group.
    """
    weak = {Path(name).stem: weak_group(c) for name, c in clusters.items()}
    terramesh = RealSet("terramesh_sites", "", _TERRAMESH, held_out=_among("38D_378R_2_3"))
    ssl4eo = RealSet("ssl4eo_s12_site", "", _SSL4EO, place=lambda path: path.parent.name)
    bigearthnet = RealSet(
        "bigearthnet_s1s2_pairs",
        "",
        _BIGEARTHNET,
        place=_bigearthnet,
        group=_found(r"\d\d[A-Z]{3}"),
        held_out=_among("29SND"),
    )
    floods = RealSet(
        "sen1floods11",
        "",
        "CC-BY-4.0",
        place=lambda path: path.stem.rsplit("_", 1)[0],
        group=lambda place: place.split("_")[0],
        held_out=_among("Spain"),
    )
    ombria = RealSet(
        "ombria",
        "",
        "none stated; " + COPERNICUS,
        place=lambda path: path.name[:4],
        group=lambda place: "ombria/" + ombria_groups[place],
        held_out=_among("ombria/g2"),
        lock=lambda path: path.stem.split("_")[-1],
    )
    return (
        RealSet(
            "s2_l2a_weak",
            "s2_l2a_weak/jp2/*.jp2",
            "none stated; " + COPERNICUS,
            group=weak.__getitem__,
            held_out=lambda group: share_of(group) < WEAK_HELD_OUT,
        ),
        RealSet(
            "satclip_s2_100k",
            "satclip_s2_100k/*.tif",
            "MIT",
            held_out=_among("patch_566084", "patch_8845", "patch_61808", "patch_275979"),
        ),
        *(replace(terramesh, pattern=f"terramesh_sites/{kind}/*.tif") for kind in ("S2L1C", "S2L2A", "S1RTC", "DEM")),
        *(replace(ssl4eo, pattern=f"ssl4eo_s12_site/{kind}/*/*") for kind in ("s1", "s2a", "s2c")),
        replace(bigearthnet, pattern="bigearthnet_s1s2_pairs/BigEarthNet-S1-Example/*"),
        replace(bigearthnet, pattern="bigearthnet_s1s2_pairs/BigEarthNet-S2-Example/*"),
        replace(bigearthnet, source="bigearthnet_v2_patch", pattern="bigearthnet_v2_patch/BigEarthNet-S1/*/*"),
        replace(bigearthnet, source="bigearthnet_v2_patch", pattern="bigearthnet_v2_patch/BigEarthNet-S2/*/*"),
        replace(floods, pattern="sen1floods11/S1/*.tif"),
        replace(floods, pattern="sen1floods11/S2/*.tif"),
        RealSet("majortom_cell", "majortom_cell/S2L2A/*/*/*", "CC-BY-SA-4.0", place=lambda path: path.parent.name),
        RealSet(
            "gfmap_s1s2",
            "gfmap_s1s2/*.nc",
            "Apache-2.0",
            place=_gfmap_place,
            group=_gfmap,
            held_out=_among("test_optical_cube"),
            series=True,
        ),
        RealSet(
            "nasaharvest_cubes",
            "nasaharvest_cubes/*.tif",
            "Apache-2.0 (crop-mask), CC-BY-SA-4.0 (CropHarvest)",
            sensors=("s1-grd", "s2-l1c", "dem"),
            held_out=_among("cropharvest_togo_206band"),
            series=True,
        ),
        *(
            RealSet(
                "worldcereal_cubes",
                f"worldcereal_cubes/{name}.nc",
                "MIT (worldcereal-classification); none stated for the others",
                sensors=("s1-grd", "s2-l2a", "dem"),
                group=lambda place: _CUBE_GROUPS.get(place, place),
                held_out=_among("tervuren"),
                series=True,
            )
            for name in ("tervuren", "wc_belgium", "wc_inputs")
        ),
        RealSet("sen12mscr_1pair", "sen12mscr_1pair/*.tif", "CC-BY-4.0 (SEN12MS-CR)", place=lambda _: "19_p30"),
        RealSet(
            "treesatai_1sample",
            "treesatai_1sample/*.h5",
            "CC-BY-4.0 (TreeSatAI-TS)",
            sensors=("s1-grd", "s2-l2a"),
            series=True,
        ),
        replace(ombria, pattern="ombria/*/*_s1_*.webp", sensors=("ombria-s1",)),
        replace(ombria, pattern="ombria/*/*_s2_*.webp", sensors=("ombria-s2",)),
        RealSet("s3_olci", "s3_olci/S3A_OL_1*.nc", _OLCI, place=lambda _: "canaries", least_valid=0.3),
        RealSet("s3_olci", "s3_olci/O_L2_0001*.nc", _OLCI, place=lambda _: "north_sea", least_valid=0.3),
        RealSet(
            "s3_olci",
            "s3_olci/ppetest*.nc",
            _OLCI,
            group=lambda _: "rio_de_la_plata",
            held_out=_among("rio_de_la_plata"),
            least_valid=0.3,
        ),
        RealSet(
            "s5p",
            "s5p/delhi_raw_nc4/*_NO2_*",
            _TROPOMI,
            place=lambda _: "delhi_no2",
            held_out=_among("delhi_no2"),
            least_valid=0.1,
        ),
        RealSet(
            "s5p",
            "s5p/delhi_raw_nc4/*_CO_*",
            _TROPOMI,
            place=lambda _: "delhi_co",
            held_out=_among("delhi_co"),
            least_valid=0.1,
        ),
    )
