"""Layouts: every file of every archive of Copernicus-Bench, drawn; see `armillary.bench.specimens.write`.

Each function draws one archive: name within the archive's folder -> content.
"""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType

import h5py
import numpy as np
from affine import Affine
from jaxtyping import Float, Integer

from armillary.bench.archives.codes import BIGEARTHNET, EUROSAT, LC100_CODES, LCZ
from armillary.bench.archives.listed import PARTS
from armillary.bench.archives.readers import SEASONS, YEAR
from armillary.bench.specimens.drawn import (
    Recipe,
    Spot,
    column,
    counts,
    decibels,
    olci,
    patches,
    regrid,
    spot_of,
    spot_utm,
    tif,
    times,
)
from armillary.bench.tasks import EUROSAT_S2
from armillary.earth.fleet import sensors

Contents = dict[str, bytes]
Layout = Callable[[np.random.Generator, Recipe], Contents]

_OLCI_DEGREES = 0.0026949458523585646
"""Step of the OLCI files; labels of LC100 have a third of it."""

_BIOMASS_DEGREES = 1 / 1125
"""Step of the biomass labels: their 282 pixels cover less than the 96 of the sample."""

_NOTHING = 3.4028234663852886e38
"""What air quality maps store where they know nothing."""


def cloud_s2(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """ROI_<5>__<time>_<time>_<tile>.tif in s2_toa and cloud; stems in {part}.csv."""
    side = min(512, recipe.side_px)
    files: Contents = {}
    stems = []
    for number, time in enumerate(times(rng, len(recipe.parts))):
        later = time + timedelta(minutes=5)
        stems.append(f"ROI_{number:05d}__{time:%Y%m%dT%H%M%S}_{later:%Y%m%dT%H%M%S}_T{19 + number % 9}GDN")
        label, spot = patches(rng, side, 4), spot_utm(rng, 10.0)
        files[f"s2_toa/{stems[-1]}.tif"] = tif(counts(rng, _bright(label, 4), sensors["s2-l1c"]), spot)
        files[f"cloud/{stems[-1]}.tif"] = tif(label[None].astype(np.uint8), spot)
    return files | _lists("{}.csv", stems, recipe)


def cloud_s3(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """S3A_OL_1_EFR____<time>_..._<a>_<b>.tif in s3_olci, cloud_multi and cloud_binary; file names in {part}.csv."""
    side = min(256, recipe.side_px)
    binary = np.array([0, 1, 2, 2, 1, 1], dtype=np.uint8)
    files: Contents = {}
    names = []
    for number, time in enumerate(times(rng, len(recipe.parts))):
        span = (
            f"{time:%Y%m%dT%H%M%S}_{time + timedelta(minutes=3):%Y%m%dT%H%M%S}_{time + timedelta(days=1):%Y%m%dT%H%M%S}"
        )
        names.append(f"S3A_OL_1_EFR____{span}_0179_060_111_2160_LN1_O_NT_002_{number // 4:02d}_{number % 4:02d}.tif")
        label = patches(rng, side, 6).astype(np.uint8)
        spot = spot_of(rng, "EPSG:4326", 0.0036)
        files[f"s3_olci/{names[-1]}"] = tif(olci(rng, _bright(label, 6), sensors["s3-olci"]), spot)
        files[f"cloud_multi/{names[-1]}"] = tif(label[None], spot)
        files[f"cloud_binary/{names[-1]}"] = tif(binary[label][None], spot)
    return files | _lists("{}.csv", names, recipe)


def eurosat_s1(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """all_imgs/<Class>/<Class>_<n>.tif in dB; names that end in .jpg in eurosat-{part}.txt."""
    return _eurosat(rng, recipe, lambda bright: decibels(rng, bright).astype(np.float32))


def eurosat_s2(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """The same with 13 bands of counts, B8A last."""
    return _eurosat(rng, recipe, lambda bright: counts(rng, bright, EUROSAT_S2.sensor))


def bigearthnet(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """<scene>/<patch>/<patch>_allbands.tif of S1 and S2; both paths and 19 marks in multilabel-{part}.csv."""
    side = min(120, recipe.side_px)
    files: Contents = {}
    rows = []
    for number, time in enumerate(times(rng, len(recipe.parts))):
        scenes = (f"S1A_IW_GRDH_1SDV_{time:%Y%m%dT%H%M%S}", f"S2B_MSIL2A_{time:%Y%m%dT%H%M%S}_N9999_R123_T29UPU")
        tails = (f"29UPU_{number}_6", f"{number:02d}_06")
        paths = [f"{s}/{s}_{t}/{s}_{t}_allbands.tif" for s, t in zip(scenes, tails, strict=True)]
        level, spot = rng.random(), spot_utm(rng, 10.0)
        marks = (np.abs(np.linspace(0, 1, len(BIGEARTHNET)) - level) < 0.15).astype(int)
        bright = np.full((side, side), level)
        files[f"BigEarthNet-S1-5%/{paths[0]}"] = tif(decibels(rng, bright).astype(np.float32), spot)
        files[f"BigEarthNet-S2-5%/{paths[1]}"] = tif(counts(rng, bright, sensors["s2-l2a"]), spot)
        rows.append(",".join([*paths, *map(str, marks)]))
    heads = ("s1_path", "s2_path", *(f'"{c}"' if "," in c else c for c in BIGEARTHNET))
    return files | _lists("multilabel-{}.csv", rows, recipe, ",".join(heads))


def lc100(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """s3_olci/<place>/<S3A|S3B>_<time>_<time>.tif (1 to 4) and lc100/<place>.tif of 100 m; marks and chosen files."""
    side = min(96, recipe.side_px)
    codes = np.array(tuple(LC100_CODES), dtype=np.uint8)
    files: Contents = {}
    marks, chosen = [], []
    for number in range(len(recipe.parts)):
        spot = spot_of(rng, "EPSG:4326", _OLCI_DEGREES)
        place = _grid_name(spot, number)
        few = rng.choice(len(codes), size=4, replace=False)
        label = few[patches(rng, 3 * side - 6 * (number % 2), 4)]
        marks.append(",".join([place, *(str(int(k in label)) for k in range(len(codes)))]))
        names = _series(rng, files, place, spot, _bright(regrid(label, side), len(codes)))
        chosen.append(f"{place},{names[int(rng.integers(len(names)))]}")
        files[f"lc100/{place}.tif"] = tif(codes[label][None], _finer(spot, 3))
    heads = ",".join(["PID", *map(str, LC100_CODES)])
    turned = [chosen[i] for i in _turned(recipe)]  # the two lists do not share their order: they are joined by name
    return files | _lists("multilabel-{}.csv", marks, recipe, heads) | _lists("static_fnames-{}.csv", turned, recipe)


def dfc2020(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """ROIs0000_test_<dfc|s1|s2>_0_p<n>.tif in dfc, s1 and s2, without a place; label names in dfc-{part}-new.csv."""
    side = min(256, recipe.side_px)
    nowhere = Spot("EPSG:4326", Affine(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    files: Contents = {}
    names = []
    for number in range(len(recipe.parts)):
        label = patches(rng, side, 11)
        bright = _bright(label, 11)
        names.append(f"ROIs0000_test_dfc_0_p{number}.tif")
        files[f"dfc/{names[-1]}"] = tif(label[None].astype(np.int32), nowhere)
        files[f"s1/{names[-1].replace('dfc', 's1')}"] = tif(decibels(rng, bright), nowhere)
        files[f"s2/{names[-1].replace('dfc', 's2')}"] = tif(counts(rng, bright, sensors["s2-l1c"]), nowhere)
    return files | _lists("dfc-{}-new.csv", names, recipe)


def flood(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """data/<activation>/<area>/<tile>/: linear backscatter of three days, a file per band, labels, mask and heights."""
    side = min(224, recipe.side_px)
    files: Contents = {}
    records: list[tuple[str, dict[str, object]]] = []
    for number, time in enumerate(times(rng, len(recipe.parts))):
        act, tile = 1111000 + number // 3, bytes(rng.integers(256, size=16, dtype=np.uint8)).hex()
        path, spot = f"{act}/01/{tile}", spot_of(rng, "EPSG:3857", 10.0)
        label = patches(rng, side, 4).astype(np.uint8)
        days = {"MS1": time, "SL1": time - timedelta(days=12), "SL2": time - timedelta(days=24)}
        planes = {
            f"MK0_MLU_{act}_01_{time:%Y%m%d}": label,
            f"MK0_MNA_{act}_01_{time:%Y%m%d}": np.uint8(1) * (label < 3),
        }
        planes[f"MK0_DEM_{act}_01_{time:%Y%m%d}"] = rng.normal(100, 20, (side, side)).astype(np.float32)
        for role, day in days.items():
            water = (label == 1) | ((label == 2) & (role == "MS1"))
            linear = 10 ** (decibels(rng, np.where(water, 0.1, 0.8)) / 10)
            for band, plane in zip(("IVV", "IVH"), linear.astype(np.float32), strict=True):
                planes[f"{role}_{band}_{act}_01_{day:%Y%m%d}"] = plane
        files |= {f"data/{path}/{name}.tif": tif(plane[None], spot) for name, plane in planes.items()}
        records.append((tile, {"path": path, "info": {"actid": act, "aoiid": 1, "datasets": _described(planes)}}))
    for part, held in _by_part(recipe, records):
        files[f"grid_dict_{part}.json"] = json.dumps(dict(held)).encode()
    return files


def lcz(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """lcz_{part}.h5 with sen1 [n 32 32 8], sen2 [n 32 32 10] and label [n 17], one-hot."""
    files: Contents = {}
    for part in PARTS:
        kinds = np.arange(recipe.parts.count(part)) * 5 % len(LCZ)
        bright = ((kinds + 0.5) / len(LCZ))[:, None, None, None]
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file["label"] = np.eye(len(LCZ), dtype=np.uint8)[kinds]
            file["sen1"] = rng.normal(size=(len(kinds), 32, 32, 8)).astype(np.float32)
            noise = rng.normal(0, 0.02, size=(len(kinds), 32, 32, 10))
            file["sen2"] = np.clip(0.02 + 0.4 * bright + noise, 0, 2.8).astype(np.float32)
        files[f"lcz_{part}.h5"] = content.getvalue()
    return files


def biomass(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """s3_olci/<tile>/<S3A|S3B>_<time>_<time>.tif and biomass/<tile>.tif in Mg/ha, on a grid of 1/1125 degree."""
    side = min(96, recipe.side_px)
    files: Contents = {}
    chosen = []
    for number in range(len(recipe.parts)):
        place = f"S30E140_ESACCI-BIOMASS-L4-AGB-MERGED-100m-2020-fv4.0_{number // 20:02d}_{number % 20:02d}"
        spot = spot_of(rng, "EPSG:4326", _OLCI_DEGREES)
        bright = _bright(patches(rng, side, 8), 8)
        names = _series(rng, files, place, spot, bright)
        chosen.append(f"{place},{names[-1]}")
        label = (300 * regrid(bright, round(side * 282 / 96))).astype(np.uint16)
        a = spot.affine
        grid = Affine(_BIOMASS_DEGREES, 0.0, a.c + 0.004, 0.0, -_BIOMASS_DEGREES, a.f - 0.004)
        files[f"biomass/{place}.tif"] = tif(label[None], Spot(spot.crs, grid))
    return files | _lists("static_fnames-{}.csv", chosen, recipe)


def air_quality(rng: np.random.Generator, recipe: Recipe) -> Contents:
    """{no2|o3}/{s5p_annual|s5p_seasonal}/<place>/<span>.tif and label_annual/<place>.tif in EPSG:3035."""
    side = min(56, recipe.side_px)
    files: Contents = {}
    for gas, low, high, top in (("no2", 1e-5, 2e-4, 30.0), ("o3", 0.12, 0.16, 9000.0)):
        places = []
        for number in range(len(recipe.parts)):
            places.append(f"EEA_1kmgrid_2021_{gas}_avg_{number // 20}_{number % 20}")
            spot, bright = spot_of(rng, "EPSG:3035", 1113.2), _bright(patches(rng, side, 6), 6)
            spans = [f"s5p_annual/{places[-1]}/{YEAR}", *(f"s5p_seasonal/{places[-1]}/{s}" for s in SEASONS)]
            files |= {f"{gas}/{span}.tif": tif(column(rng, bright, low, high), spot) for span in spans}
            label = (top * bright).astype(np.float32)
            label[:2, :2] = _NOTHING
            files[f"{gas}/label_annual/{places[-1]}.tif"] = tif(label[None], spot)
        files |= _lists(gas + "/{}.csv", places, recipe)
    return files


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "cloud_s2": cloud_s2,
        "cloud_s3": cloud_s3,
        "eurosat_s1": eurosat_s1,
        "eurosat_s2": eurosat_s2,
        "bigearthnet_s1s2": bigearthnet,
        "lc100_s3": lc100,
        "dfc2020_s1s2": dfc2020,
        "flood_s1": flood,
        "lcz_s2": lcz,
        "biomass_s3": biomass,
        "airquality_s5p": air_quality,
    }
)
"""Folder of an archive -> how it is drawn."""


def _eurosat(
    rng: np.random.Generator, recipe: Recipe, pixels: Callable[[Float[np.ndarray, "h w"]], np.ndarray]
) -> Contents:
    side = min(64, recipe.side_px)
    files: Contents = {}
    names = []
    for number in range(len(recipe.parts)):
        kind = number * 3 % len(EUROSAT)
        names.append(f"{EUROSAT[kind]}_{number + 1}")
        bright = np.full((side, side), (kind + 0.5) / len(EUROSAT))
        files[f"all_imgs/{EUROSAT[kind]}/{names[-1]}.tif"] = tif(pixels(bright), spot_utm(rng, 10.0))
    return files | _lists("eurosat-{}.txt", [f"{name}.jpg" for name in names], recipe)


def _series(
    rng: np.random.Generator, files: Contents, place: str, spot: Spot, bright: Float[np.ndarray, "h w"]
) -> list[str]:
    """Write 1 to 4 samples of a place; the satellites take turns, so that names and times have other orders."""
    names = []
    for number, time in enumerate(times(rng, int(rng.integers(1, 5)))):
        later = time + timedelta(minutes=3)
        names.append(f"{('S3B', 'S3A')[number % 2]}_{time:%Y%m%dT%H%M%S}_{later:%Y%m%dT%H%M%S}.tif")
        files[f"s3_olci/{place}/{names[-1]}"] = tif(olci(rng, bright, sensors["s3-olci"]), spot)
    return names


def _bright(label: Integer[np.ndarray, "h w"], count: int) -> Float[np.ndarray, "h w"]:
    return (label + 0.5) / count


def _finer(spot: Spot, times_finer: int) -> Spot:
    return Spot(spot.crs, spot.affine @ Affine.scale(1 / times_finer))


def _grid_name(spot: Spot, number: int) -> str:
    lon, lat = round(spot.affine.c * 4) / 4, round(spot.affine.f * 4) / 4
    return f"{round((lat + 90) * 4) * 1440 + round((lon + 180) * 4) + number:07d}_{lon:.2f}_{lat:.2f}"


def _turned(recipe: Recipe) -> list[int]:
    """Items of each part backwards."""
    found = []
    for part in PARTS:
        found += [i for i, p in enumerate(recipe.parts) if p == part][::-1]
    return found


def _described(planes: Mapping[str, np.ndarray]) -> dict[str, dict[str, str]]:
    return {
        name: {"name": name, "dtype": str(p.dtype), "ptype": name[:2], "rank": name[2], "pname": name[4:7]}
        for name, p in planes.items()
    }


def _by_part(recipe: Recipe, entries: Iterable[tuple[str, object]]) -> list[tuple[str, list[tuple[str, object]]]]:
    held = list(zip(recipe.parts, entries, strict=True))
    return [(part, [entry for p, entry in held if p == part]) for part in PARTS]


def _lists(pattern: str, entries: Iterable[str], recipe: Recipe, head: str = "") -> Contents:
    held = list(zip(recipe.parts, entries, strict=True))
    return {
        pattern.format(part): "".join(
            f"{line}\n" for line in [*([head] if head else []), *(e for p, e in held if p == part)]
        ).encode()
        for part in PARTS
    }
