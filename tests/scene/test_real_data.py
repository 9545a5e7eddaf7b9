"""Every imagery file of a fleet sensor among the real data opens as what it is. One row per kind of file."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from armillary.earth.fleet import sensors
from armillary.errors import ArmillaryError
from armillary.scene.open import open

L1C, L2A = sensors["s2-l1c"].band_names, sensors["s2-l2a"].band_names
B8A_LAST = (*(b for b in L1C if b != "B8A"), "B8A")
RGB = ("B02", "B03", "B04")
DB = (-60.0, 40.0)
REFLECTANCE = (-0.1, 3.0)


@dataclass(frozen=True)
class Kind:
    """Files under data/ that share what is expected of them."""

    pattern: str
    sensor: str
    bands: tuple[str, ...]
    span: tuple[float, float]
    count: int
    place: bool = True
    time: bool = False
    facts: dict[str, object] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


KINDS = [
    Kind("eurosat_ms/*/*.tif", "s2-l1c", B8A_LAST, REFLECTANCE, 150),
    Kind("terramesh_sites/S2L1C/*.tif", "s2-l1c", L1C, REFLECTANCE, 4),
    Kind("terramesh_sites/S2L2A/*.tif", "s2-l2a", L2A, REFLECTANCE, 4),
    Kind("terramesh_sites/S1RTC/*.tif", "s1-rtc", ("VV", "VH"), DB, 4, time=True),
    Kind("terramesh_sites/DEM/*.tif", "dem", ("DEM",), (-10, 2000), 4),
    Kind("satclip_s2_100k/*.tif", "s2-l2a", L2A, REFLECTANCE, 23),
    Kind("sen1floods11/S1/*.tif", "s1-grd", ("VV", "VH"), (-65, 40), 9),
    Kind("sen1floods11/S2/*.tif", "s2-l1c", L1C, REFLECTANCE, 2),
    Kind("sen12mscr_1pair/*_s1_*.tif", "s1-grd", ("VV", "VH"), DB, 1),
    Kind("sen12mscr_1pair/*_s2_*.tif", "s2-l1c", L1C, REFLECTANCE, 1),
    Kind("s2_l2a_weak/jp2/*0.jp2", "s2-l2a", L2A, REFLECTANCE, 101, place=False),
    Kind("ssl4eo_s12_site/s1/*/*", "s1-grd", ("VV", "VH"), DB, 2, time=True),
    Kind("ssl4eo_s12_site/s2c/*/*", "s2-l1c", L1C, REFLECTANCE, 2, time=True, sources={"scaling": "read"}),
    Kind("ssl4eo_s12_site/s2a/*/*", "s2-l2a", L2A, REFLECTANCE, 2, time=True, sources={"scaling": "read"}),
    Kind("bigearthnet_s1s2_pairs/BigEarthNet-S1-Example/*", "s1-grd", ("VV", "VH"), DB, 6, time=True),
    Kind("bigearthnet_s1s2_pairs/BigEarthNet-S2-Example/*", "s2-l2a", L2A, REFLECTANCE, 6, time=True),
    Kind("bigearthnet_v2_patch/BigEarthNet-S1/*/*", "s1-grd", ("VV", "VH"), DB, 1, time=True),
    Kind("bigearthnet_v2_patch/BigEarthNet-S2/*/*", "s2-l2a", L2A, REFLECTANCE, 1, time=True),
    Kind("majortom_cell/S2L2A/*/*/*", "s2-l2a", L2A, REFLECTANCE, 1, time=True, sources={"scaling": "read"}),
    Kind("s1_rome_sarsen/tests/data/*.tif", "dem", ("DEM",), (-10, 500), 1),
    Kind("ombria/test/*_s1_pre.webp", "ombria-s1", ("SAR",), (0, 255), 70, place=False, facts={"sensor": "ombria-s1"}),
    Kind(
        "ombria/test/*_s2_post.webp",
        "ombria-s2",
        ("SWIR", "NIR", "RED"),
        (0, 255),
        70,
        place=False,
        facts={"sensor": "ombria-s2"},
    ),
    *(
        Kind(
            f"worldcereal_cubes/{file}.nc",
            sensor,
            bands,
            span,
            1,
            time=sensor != "dem",
            facts={"sensor": sensor, "step": step},
        )
        for file, step, s2 in (
            ("tervuren", 20, tuple(b for b in L2A if b not in ("B01", "B09"))),
            ("wc_belgium", 3, tuple(b for b in L2A if b not in ("B01", "B8A", "B09"))),
            ("wc_inputs", 3, tuple(b for b in L2A if b not in ("B01", "B8A", "B09"))),
        )
        for sensor, bands, span in (
            ("s2-l2a", s2, REFLECTANCE),
            ("s1-grd", ("VV", "VH"), DB),
            ("dem", ("DEM",), (-10, 500)),
        )
    ),
    Kind("gfmap_s1s2/cdse_sentinel1_grd.nc", "s1-grd", ("VV", "VH"), DB, 1, time=True),
    Kind("gfmap_s1s2/cdse_sentinel2_l2a.nc", "s2-l2a", ("B01", "B04", "B08", "B11"), REFLECTANCE, 1, time=True),
    Kind("gfmap_s1s2/bap_composited_cdse.nc", "s2-l2a", RGB, REFLECTANCE, 1, time=True),
    Kind("gfmap_s1s2/bap_quintad_cdse.nc", "s2-l2a", (*RGB, "B08"), REFLECTANCE, 1, time=True),
    Kind("gfmap_s1s2/test_optical_cube.nc", "s2-l2a", (*RGB, "B08"), REFLECTANCE, 1, time=True),
    Kind("gfmap_s1s2/polygons_s2_*.nc", "s2-l2a", RGB, REFLECTANCE, 6, time=True),
    Kind("nasaharvest_cubes/*.tif", "s2-l1c", L1C, REFLECTANCE, 2, facts={"sensor": "s2-l1c", "step": 5}),
    Kind("nasaharvest_cubes/*.tif", "s1-grd", ("VV", "VH"), DB, 2, facts={"sensor": "s1-grd", "step": 0}),
    Kind("nasaharvest_cubes/*.tif", "dem", ("DEM",), (-10, 3000), 2, facts={"sensor": "dem"}),
]

NOT_IMAGERY = [
    "terramesh_sites/LULC/*.tif",
    "terramesh_sites/NDVI/*.tif",
    "s5p/so2_qa_swath/*.tif",
    "treesatai_1sample/*.tif",
    "sen1floods11/Label/*.tif",
    "bigearthnet_v2_patch/Reference_Maps/*/*/*.tif",
    "ombria/test/*_mask.webp",
    "worldcereal_cubes/wc_crop.nc",
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.pattern}-{k.sensor}")
def test_a_real_file_opens_as_what_it_is(kind: Kind, shared: Path) -> None:
    files = sorted((shared / "data").glob(kind.pattern))
    assert len(files) == kind.count
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            array = open(file, **kind.facts)
        values = array.values
        assert array.attrs["sensor"] == kind.sensor, file
        assert tuple(array["band"].values) == kind.bands, file
        assert values.dtype == np.float32
        assert np.isfinite(values).any(), file
        assert kind.span[0] <= np.nanmin(values), file
        assert np.nanmax(values) <= kind.span[1], file
        assert (array.rio.crs is not None) == kind.place, file
        assert (array.attrs["crs_source"] == "read") == kind.place, file
        assert (array.attrs["time"] is not None) == kind.time, file
        for fact, source in kind.sources.items():
            assert array.attrs[f"{fact}_source"] == source, file


@pytest.mark.parametrize("pattern", NOT_IMAGERY)
def test_a_file_that_is_no_imagery_of_the_fleet_is_refused_in_one_sentence(pattern: str, shared: Path) -> None:
    files = sorted((shared / "data").glob(pattern))
    assert files
    for file in files[:5]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with pytest.raises(ArmillaryError) as refused:
                open(file)
        assert str(file) in str(refused.value)
        assert "\n" not in str(refused.value)


def test_the_reader_applies_the_offset_of_baseline_four_to_a_major_tom_cell(shared: Path) -> None:
    (cell,) = (shared / "data").glob("majortom_cell/S2L2A/*/*/*")
    array = open(cell)
    assert array.attrs["offset"] == "-1000 (baseline 04.00)"
    assert array.attrs["time"] == "2022-07-06T08:56:11Z"
    assert float(array.sel(band="B02").median()) < 0.2  # 0.1 too bright without the offset


def test_the_cube_of_a_mission_stores_backscatter_as_its_convention_says(shared: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        array = open(shared / "data/worldcereal_cubes/wc_inputs.nc", sensor="s1-grd")
    vv, vh = (float(array.sel(band=b).median()) for b in ("VV", "VH"))
    assert -16 < vv < -6
    assert -24 < vh < -12


def test_a_series_in_one_tif_keeps_each_band_in_its_own_step(shared: Path) -> None:
    file = shared / "data/nasaharvest_cubes/cropharvest_togo_206band.tif"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        steps = [open(file, sensor="s2-l1c", step=i).values for i in range(12)]
    cirrus = L1C.index("B10")
    medians = [np.nanmedian(s, axis=(1, 2)) for s in steps]
    assert all(int(np.argmin(m)) == cirrus for m in medians)  # no step mixes B1 of step 1 with B11
