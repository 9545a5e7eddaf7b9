"""The fleet: every sensor that Armillary knows by name. The only table of sensor facts.

Sources of the numbers, cited by each set of statistics:

- Copernicus-FM / Copernicus-Pretrain / Copernicus-Bench: arXiv:2503.11849 and the configurations published with it.
- Sentinel-2: product specification document; the +1000 of processing baseline >= 04.00 is a fact of a Scene, so
  `Counts.shift` stays 0 here and the readers apply the offset that the product states.
- Sentinel-3 OLCI: the per-band scale factors of the L1 product (2017 to 2025 products agree; a file's own win).

The spectral descriptors are the ones with which Copernicus-FM was trained, not the measured centres of one satellite;
those are in `measured_nm`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from armillary.earth.bands import Named, Spectral
from armillary.earth.sensors import Counts, Sensor, Statistics

PRETRAIN = "copernicus-pretrain"
BENCH = "copernicus-bench"
SSL4EO = "ssl4eo-s12"
NANO = "armillary-nano"
FOMO = "fomo-tallos"
_PRETRAIN_SOURCE = "Copernicus-FM pretraining loader, normalisation constants (arXiv:2503.11849)"
_BENCH_SOURCE = "Copernicus-Bench generic task configurations (arXiv:2503.11849)"
_SSL4EO_SOURCE = "SSL4EO-S12 (arXiv:2211.07044), which SoftCon learned from"

_NANO_SOURCE = "round numbers chosen for copernicus-fm-nano: "

_S2_BANDS: Mapping[str, tuple[float, float, float]] = {  # centre nm, width nm, native ground size m
    "B01": (440, 20, 60),
    "B02": (490, 65, 10),
    "B03": (560, 35, 10),
    "B04": (665, 30, 10),
    "B05": (705, 15, 20),
    "B06": (740, 15, 20),
    "B07": (783, 20, 20),
    "B08": (842, 115, 10),
    "B8A": (860, 20, 20),
    "B09": (940, 20, 60),
    "B10": (1370, 30, 60),
    "B11": (1610, 90, 20),
    "B12": (2190, 180, 20),
}

measured_nm: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        satellite: MappingProxyType(dict(zip(_S2_BANDS, centers, strict=True)))
        for satellite, centers in {
            "S2A": (442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4),
            "S2B": (442.3, 492.3, 559.0, 665.0, 703.8, 739.1, 779.7, 833.0, 864.0, 943.2, 1376.9, 1610.4, 2185.7),
        }.items()
    }
)
"""Centre in nm of each band as the product XML of one satellite prints it: satellite -> band -> nm."""

_S3_BANDS: tuple[tuple[float, float, float], ...] = (  # centre nm, width nm, radiance per count
    (400, 15, 0.0139465),
    (412.5, 10, 0.0133873),
    (442.5, 10, 0.0121481),
    (490, 10, 0.0115198),
    (510, 10, 0.0100953),
    (560, 10, 0.0123538),
    (620, 10, 0.00879161),
    (665, 10, 0.00876539),
    (673.75, 7.5, 0.0095103),
    (681.25, 7.5, 0.00773378),
    (708.75, 10, 0.00675523),
    (753.75, 7.5, 0.0071996),
    (761.25, 7.5, 0.00749684),
    (764.375, 3.75, 0.0086512),
    (767.5, 2.5, 0.00526779),
    (778.75, 15, 0.00530267),
    (865, 20, 0.00493004),
    (885, 10, 0.00549962),
    (900, 10, 0.00502847),
    (940, 20, 0.00326378),
    (1020, 40, 0.00324118),
)

_RADAR = tuple(Spectral(5e7, 1e9, polarisation=p) for p in ("VV", "VH"))  # 5 cm; one descriptor in Copernicus-FM

_S1_NOTE = (
    "VV and VH carry the same descriptor, so Copernicus-FM gives them identical kernels and sees only their "
    "normalised sum."
)

_S1_GRD = Sensor(
    name="s1-grd",
    title="Sentinel-1 GRD backscatter (sigma0)",
    band_names=("VV", "VH"),
    bands=_RADAR,
    unit="dB",
    gsd_m=10.0,
    band_gsd_m=(10.0, 10.0),
    patch_px=16,
    chip_px=224,
    plausible=(-60.0, 40.0),
    statistics=(
        Statistics(PRETRAIN, (-12.59, -20.26), (5.26, 5.91), "dB", _PRETRAIN_SOURCE),
        Statistics(BENCH, (-12.548, -20.192), (5.257, 5.912), "dB", _BENCH_SOURCE + ": EuroSAT-S1, BEN-S1, DFC-S1"),
        Statistics(SSL4EO, (-12.548, -20.192), (5.257, 5.912), "dB", _SSL4EO_SOURCE),
    ),
    note=_S1_NOTE,
)

_S1_RTC = Sensor(
    name="s1-rtc",
    title="Sentinel-1 radiometrically terrain-corrected backscatter (gamma0)",
    band_names=("VV", "VH"),
    bands=_RADAR,
    unit="dB",
    gsd_m=10.0,
    band_gsd_m=(10.0, 10.0),
    patch_px=16,
    chip_px=224,
    plausible=(-60.0, 40.0),
    note=_S1_NOTE + " Gamma0 is not the sigma0 that Copernicus-FM was trained on; it has no statistics of its own.",
)

_S2_PRETRAIN = Statistics(
    PRETRAIN,
    (1612.9, 1397.6, 1322.3, 1373.1, 1561.0, 2108.4, 2390.7, 2318.7, 2581.0, 837.7, 22.0, 2195.2, 1537.4),
    (791.0, 854.3, 878.7, 1144.9, 1127.5, 1164.2, 1276.0, 1249.5, 1345.9, 577.5, 47.5, 1340.0, 1142.9),
    "count",
    _PRETRAIN_SOURCE + "; of images before and after the +1000 shift of baseline 04.00",
)
_S2_BENCH = Statistics(
    BENCH,
    (1353.7, 1117.2, 1041.8, 946.5, 1199.1, 2003.0, 2374.0, 2301.2, 2599.7, 732.1, 12.1, 1820.6, 1118.2),
    (897.3, 736.0, 684.8, 620.0, 791.9, 1341.3, 1595.4, 1545.5, 1750.1, 475.1, 98.3, 1216.5, 736.7),
    "count",
    _BENCH_SOURCE + ": the SSL4EO-S12 statistics, for Cloud-S2, DFC-S2, EuroSAT-S2",
)

_S2_SSL4EO = Statistics(
    SSL4EO,
    (1605.6, 1390.8, 1314.9, 1363.5, 1549.4, 2091.7, 2371.7, 2299.9, 2560.3, 830.1, 22.1, 2177.1, 1524.1),
    (786.8, 850.3, 875.1, 1138.8, 1122.2, 1161.6, 1274.4, 1248.4, 1345.5, 577.3, 51.2, 1336.1, 1136.5),
    "count",
    _SSL4EO_SOURCE,
)
_S2_SSL4EO_SURFACE = Statistics(
    SSL4EO,
    (752.4, 884.3, 1144.2, 1297.5, 1624.9, 2194.6, 2422.2, 2517.8, 2581.6, 2645.5, 2368.5, 1805.1),
    (1108.0, 1155.2, 1183.6, 1368.1, 1370.3, 1355.6, 1416.5, 1474.8, 1439.3, 1582.3, 1455.5, 1343.5),
    "count",
    _SSL4EO_SOURCE + ": its level 2A, which SoftCon did not see",
)

_S2_NANO_SURFACE = Statistics(
    NANO,
    (468.8, 503.1, 774.8, 750.2, 1175.2, 2199.3, 2540.1, 2631.7, 2732.7, 2716.9, 1875.2, 1245.5),
    (392.6, 518.6, 577.8, 733.3, 692.1, 980.1, 1185.1, 1275.3, 1259.4, 1179.4, 1036.1, 903.7),
    "count",
    "the 919 cloudless tiles of s2_l2a_weak that copernicus-fm-nano was trained on (docs/results/corpus.md)",
)

_S2_L1C = Sensor(
    name="s2-l1c",
    title="Sentinel-2 MSI level 1C, top of atmosphere",
    band_names=tuple(_S2_BANDS),
    bands=tuple(Spectral(center, width) for center, width, _ in _S2_BANDS.values()),
    unit="reflectance",
    gsd_m=10.0,
    band_gsd_m=tuple(float(gsd) for _, _, gsd in _S2_BANDS.values()),
    patch_px=16,
    chip_px=224,
    plausible=(-0.2, 3.0),
    counts=Counts(scale=(1e-4,) * len(_S2_BANDS), nodata=0.0),
    statistics=(_S2_PRETRAIN, _S2_BENCH, _S2_SSL4EO),
)


def _surface() -> Sensor:
    """Level 2A: the bands of level 1C without B10, which sees no ground."""
    names = tuple(b for b in _S2_BANDS if b != "B10")
    top = _S2_L1C.select(names)
    bench = top.statistic(BENCH)
    source = _BENCH_SOURCE + ": BEN-S2, which normalises level 2A with level 1C statistics less B10"
    return Sensor(
        name="s2-l2a",
        title="Sentinel-2 MSI level 2A, surface",
        band_names=names,
        bands=top.bands,
        unit="reflectance",
        gsd_m=10.0,
        band_gsd_m=top.band_gsd_m,
        patch_px=16,
        chip_px=224,
        plausible=(-0.2, 3.0),
        counts=top.counts,
        statistics=(
            Statistics(BENCH, bench.mean, bench.std, bench.unit, source),
            _S2_SSL4EO_SURFACE,
            _S2_NANO_SURFACE,
        ),
        note="Copernicus-FM was pretrained on level 1C only; no pretraining statistics exist for level 2A.",
    )


_S3_NANO = Statistics(
    NANO,
    (134, 147, 156, 153, 149, 136, 124, 121, 119, 118, 120, 135, 40, 72, 120, 128, 107, 104, 78, 36, 73),
    (45, 52, 62, 68, 68, 62, 59, 60, 60, 59, 55, 51, 16, 28, 45, 47, 39, 38, 30, 16, 26),
    "mW m-2 sr-1 nm-1",
    "the OLCI scenes that copernicus-fm-nano was trained on (docs/results/corpus.md)",
)

_S3_OLCI = Sensor(
    name="s3-olci",
    title="Sentinel-3 OLCI full-resolution radiance",
    band_names=tuple(f"Oa{i:02d}" for i in range(1, 22)),
    bands=tuple(Spectral(center, width) for center, width, _ in _S3_BANDS),
    unit="mW m-2 sr-1 nm-1",
    gsd_m=300.0,
    band_gsd_m=(300.0,) * 21,
    patch_px=8,
    chip_px=96,
    plausible=(-5.0, 950.0),
    counts=Counts(scale=tuple(scale for _, _, scale in _S3_BANDS), nodata=65535.0),
    statistics=(
        *(
            Statistics(name, (0.0,) * 21, tuple(1 / scale for _, _, scale in _S3_BANDS), "count", source)
            for name, source in (
                (PRETRAIN, _PRETRAIN_SOURCE + ": count x scale, no mean; without that loader's 1e-9 on Oa01 and Oa10"),
                (BENCH, _BENCH_SOURCE + ": count x scale, no mean; Cloud-S3, LC100-S3, Biomass-S3"),
            )
        ),
        _S3_NANO,
    ),
    note="Copernicus-FM's pretraining multiplied Oa01 and Oa10 by 1e-9; no other loader does, nor does this one.",
)


def _gas(key: str, title: str, text: str, plausible: tuple[float, float], typical: tuple[float, float]) -> Sensor:
    """One trace gas of TROPOMI on the 1 km grid of the pretraining data; `typical`: a column, and how it varies."""
    raw = ((0.0,), (1.0,), "mol m-2")
    return Sensor(
        name=f"s5p-{key.lower()}",
        title=title,
        band_names=(key,),
        bands=(Named(text),),
        unit="mol m-2",
        gsd_m=1000.0,
        band_gsd_m=(5500.0,),
        patch_px=4,
        chip_px=28,
        plausible=plausible,
        statistics=(
            Statistics(PRETRAIN, *raw, _PRETRAIN_SOURCE + ": values as they are"),
            Statistics(BENCH, *raw, _BENCH_SOURCE + ": values as they are"),
            Statistics(NANO, typical[:1], typical[1:], "mol m-2", _NANO_SOURCE + "columns over land through the year"),
        ),
        note="The grid of about 1 km is finer than what TROPOMI resolves (3.5 x 5.5 km, CO 7 x 5.5 km).",
    )


_DEM = Sensor(
    name="dem",
    title="Copernicus DEM GLO-30, surface height above EGM2008",
    band_names=("DEM",),
    bands=(Named("Copernicus Digital Elevation Model"),),
    unit="m",
    gsd_m=30.0,
    band_gsd_m=(30.0,),
    patch_px=64,
    chip_px=960,
    plausible=(-500.0, 9000.0),
    statistics=(
        Statistics(PRETRAIN, (0.0,), (10000.0,), "m", _PRETRAIN_SOURCE + ": metres / 10000"),
        Statistics(NANO, (300.0,), (600.0,), "m", _NANO_SOURCE + "half of the land lies below 400 m"),
        Statistics(FOMO, (661.94061,), (792.45972,), "m", "TalloS in FoMo-Bench's configuration (arXiv:2312.10114)"),
    ),
)

sensors: Mapping[str, Sensor] = MappingProxyType(
    {
        s.name: s
        for s in (
            _S1_GRD,
            _S1_RTC,
            _S2_L1C,
            _surface(),
            _S3_OLCI,
            _gas(
                "CO",
                "Sentinel-5P carbon monoxide, total column",
                "Sentinel 5P Carbon Monoxide",
                (-0.1, 1.0),
                (0.033, 0.0075),
            ),
            _gas(
                "NO2",
                "Sentinel-5P nitrogen dioxide, tropospheric column",
                "Sentinel 5P Nitrogen Dioxide",
                (-2e-3, 0.02),
                (4e-5, 6e-5),
            ),
            _gas("O3", "Sentinel-5P ozone, total column", "Sentinel 5P Ozone", (0.02, 0.4), (0.135, 0.018)),
            _gas(
                "SO2",
                "Sentinel-5P sulfur dioxide, total column",
                "Sentinel 5P Sulfur Dioxide",
                (-0.1, 5.0),
                (1e-4, 4e-4),
            ),
            _DEM,
        )
    }
)
"""Public name -> Sensor."""
