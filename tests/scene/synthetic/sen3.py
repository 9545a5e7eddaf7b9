"""Synthetic Sentinel-3 OLCI level 1 products in the exact SEN3 layout, and desktop exports of them."""

from pathlib import Path

import h5py
import numpy as np

ROWS, COLUMNS, DETECTORS = 8, 129, 10
NAME = "S3A_OL_1_EFR____20210723T100000_20210723T100300_20210724T120000_0179_074_122_2160_LN1_O_NT_002.SEN3"
SCALE = np.array([0.0139464596 / (1 + 0.1 * b) for b in range(21)])
MEANINGS = (
    "land coastline fresh_inland_water tidal_region bright straylight_risk invalid cosmetic duplicated sun_glint_risk "
    "dubious " + " ".join(f"saturated_Oa{b:02d}" for b in range(1, 22))
)
MASKS = (np.uint64(1) << np.arange(31, -1, -1, dtype=np.uint64)).astype(np.uint32)
INVALID, DUPLICATED, NO_COUNT, LAND, NO_DETECTOR = (2, 10), (3, 20), (4, 30), (5, 40), (6, 50)
"""Planted pixels (row, column)."""


def latitude() -> np.ndarray:
    return np.repeat(45 - 0.003 * np.arange(ROWS)[:, None], COLUMNS, axis=1)


def longitude(west=10.0) -> np.ndarray:
    return np.repeat((west + 0.004 * np.arange(COLUMNS) + 180)[None] % 360 - 180, ROWS, axis=0)


def counts(band: int) -> np.ndarray:
    """Distinct per band and pixel; beyond int16 from band 4 on."""
    values = (3000 * band + 100 * np.arange(ROWS)[:, None] + np.arange(COLUMNS)[None]).astype(np.uint16)
    values[NO_COUNT] = 65535
    return values


def flags() -> np.ndarray:
    values = np.zeros((ROWS, COLUMNS), np.uint32)
    values[INVALID], values[DUPLICATED], values[LAND] = 1 << 25, 1 << 23, 1 << 31
    return values


def sza() -> np.ndarray:
    """Linear in column, so that interpolation between tie points is exact."""
    return np.repeat(30 + 0.05 * np.arange(COLUMNS)[None], ROWS, axis=0)


def detector() -> np.ndarray:
    values = np.repeat((np.arange(COLUMNS) % DETECTORS).astype(np.int16)[None], ROWS, axis=0)
    values[NO_DETECTOR] = -1
    return values


def irradiance(band: int) -> np.ndarray:
    return 1000.0 + 10 * band + detector()


def write(folder: Path, *, west=10.0, kind="OL_1_EFR___", name=NAME) -> Path:
    root = folder / name
    root.mkdir(parents=True)
    (root / "xfdumanifest.xml").write_text(_MANIFEST.format(kind=kind, name=name, rows=ROWS, columns=COLUMNS))
    for b in range(1, 22):
        with h5py.File(root / f"Oa{b:02d}_radiance.nc", "w") as file:
            _put(file, f"Oa{b:02d}_radiance", counts(b), np.uint16(65535), scale_factor=SCALE[b - 1], add_offset=0.0)
    with h5py.File(root / "geo_coordinates.nc", "w") as file:
        for key, degrees in {"latitude": latitude(), "longitude": longitude(west)}.items():
            _put(file, key, np.round(degrees * 1e6).astype(np.int32), np.int32(-2147483648), scale_factor=1e-6)
    with h5py.File(root / "qualityFlags.nc", "w") as file:
        _put(file, "quality_flags", flags(), None, flag_masks=MASKS, flag_meanings=MEANINGS)
    with h5py.File(root / "tie_geometries.nc", "w") as file:
        file.attrs.update(ac_subsampling_factor=np.int32(64), al_subsampling_factor=np.int32(1))
        _put(file, "SZA", np.round(sza()[:, ::64] * 1e6).astype(np.uint32), np.uint32(4294967295), scale_factor=1e-6)
    with h5py.File(root / "instrument_data.nc", "w") as file:
        flux = 1000.0 + 10 * np.arange(1, 22)[:, None] + np.arange(DETECTORS)[None]
        _put(file, "solar_flux", flux.astype(np.float32), np.float32(-1))
        _put(file, "detector_index", detector(), np.int16(-1))
    return root


def write_export(path: Path, *, reflectance=False) -> Path:
    """One file as a desktop tool writes it: counts and flags as signed integers."""
    with h5py.File(path, "w") as file:
        file.attrs.update(start_date="23-JUL-2021 10:00:00.250000", stop_date="23-JUL-2021 10:03:00.000000")
        file.attrs["product_type"] = "C2RCC_OLCI" if reflectance else "OL_1_EFR"
        for b in range(1, 22):
            if reflectance:
                _put(file, f"rtoa_{b}", np.full((ROWS, COLUMNS), 0.01 * b, np.float32), np.float32(np.nan))
                continue
            stored = counts(b).view(np.int16)
            _put(file, f"Oa{b:02d}_radiance", stored, np.int16(-1), scale_factor=SCALE[b - 1])
            _put(file, f"solar_flux_band_{b}", irradiance(b).astype(np.float32), np.float32(-1))
        _put(file, "latitude", np.round(latitude() * 1e6).astype(np.int32), None, scale_factor=1e-6)
        _put(file, "longitude", np.round(longitude() * 1e6).astype(np.int32), None, scale_factor=1e-6)
        _put(
            file, "quality_flags", flags().view(np.int32), None, flag_masks=MASKS.view(np.int32), flag_meanings=MEANINGS
        )
        columns = np.arange(0, COLUMNS, 64)
        for key, plane in {"SZA": sza(), "TP_latitude": latitude(), "TP_longitude": longitude()}.items():
            _put(file, key, plane[:, columns].astype(np.float32), None)
    return path


def _put(group, name, data, fill, **attrs) -> None:
    dataset = group.create_dataset(name, data=data)
    dataset.attrs.update(attrs)
    if fill is not None:
        dataset.attrs["_FillValue"] = np.array([fill], dtype=np.asarray(data).dtype)


_MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:gml="http://www.opengis.net/gml"
 xmlns:sentinel-safe="http://www.esa.int/safe/sentinel/1.1" xmlns:sentinel3="http://www.esa.int/safe/sentinel/sentinel-3/1.0">
<sentinel-safe:startTime>2021-07-23T10:00:00.250000Z</sentinel-safe:startTime>
<sentinel-safe:stopTime>2021-07-23T10:03:00.000000Z</sentinel-safe:stopTime>
<gml:posList>45.0 10.0 45.0 10.512 44.979 10.512 44.979 10.0 45.0 10.0</gml:posList>
<sentinel3:productName>{name}</sentinel3:productName><sentinel3:productType>{kind}</sentinel3:productType>
<sentinel3:baselineCollection>002</sentinel3:baselineCollection>
<sentinel3:imageSize grid="Full"><sentinel3:rows>{rows}</sentinel3:rows><sentinel3:columns>{columns}</sentinel3:columns>
</sentinel3:imageSize></xfdu:XFDU>"""
