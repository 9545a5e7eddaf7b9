"""Invented: an OLCI product in the exact SEN3 layout whose pixels come from a formula, for when no real one is at hand.

SYNTHETIC. It shows that the reader and the model run, and nothing about the Earth. The scene is a coast: a smooth sum
of waves decides land and water; each has one reflectance spectrum; radiance is rho * E0 * cos(SZA) / pi.
"""

from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float, Shaped

from armillary.earth.fleet import sensors

ROWS, COLUMNS, TIE = 192, 193, 64
NAME = "S3A_OL_1_EFR____20210601T093000_20210601T093300_20210602T120000_0179_072_250_2160_LN1_O_NT_002.SEN3"
SZA_DEG = 35.0
DETECTORS = 8

_MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:sentinel-safe="http://www.esa.int/safe/sentinel/1.1"
 xmlns:sentinel3="http://www.esa.int/safe/sentinel/sentinel-3/1.0">
<!-- SYNTHETIC: pixels from a formula, no measurement -->
<sentinel-safe:startTime>2021-06-01T09:30:00.000000Z</sentinel-safe:startTime>
<sentinel-safe:stopTime>2021-06-01T09:33:00.000000Z</sentinel-safe:stopTime>
<sentinel3:productName>{name}</sentinel3:productName><sentinel3:productType>OL_1_EFR___</sentinel3:productType>
<sentinel3:imageSize grid="Full"><sentinel3:rows>{rows}</sentinel3:rows><sentinel3:columns>{columns}</sentinel3:columns>
</sentinel3:imageSize></xfdu:XFDU>"""


def invent_olci(folder: Path) -> Path:
    """Write the product below `folder` and return its path; one that is there already is used again."""
    root = folder / NAME
    if (root / "xfdumanifest.xml").exists():
        return root
    root.mkdir(parents=True, exist_ok=True)
    olci = sensors["s3-olci"]
    scale = () if olci.counts is None else olci.counts.scale
    centers = [band.center_nm for band in olci.bands]  # type: ignore[union-attr]
    land = _land()
    flux = np.array([_irradiance(nm) for nm in centers])
    for name, nm, step, e0 in zip(olci.band_names, centers, scale, flux, strict=True):
        radiance = _reflectance(land, nm) * e0 * np.cos(np.radians(SZA_DEG)) / np.pi
        with h5py.File(root / f"{name}_radiance.nc", "w") as file:
            counts = np.clip(np.round(radiance / step), 0, 65534).astype(np.uint16)
            _put(file, f"{name}_radiance", counts, np.uint16(65535), scale_factor=step, add_offset=0.0)
    _geometry(root)
    with h5py.File(root / "instrument_data.nc", "w") as file:
        _put(file, "solar_flux", np.repeat(flux[:, None], DETECTORS, axis=1).astype(np.float32), np.float32(-1))
        detectors = np.repeat((np.arange(COLUMNS) % DETECTORS)[None], ROWS, axis=0).astype(np.int16)
        _put(file, "detector_index", detectors, np.int16(-1))
    (root / "xfdumanifest.xml").write_text(_MANIFEST.format(name=NAME, rows=ROWS, columns=COLUMNS), encoding="utf-8")
    return root


def _geometry(root: Path) -> None:
    row, col = np.mgrid[0:ROWS, 0:COLUMNS]
    degrees = {"latitude": 42.5 - 0.0027 * row - 0.0004 * col, "longitude": 5.0 + 0.0036 * col - 0.0006 * row}
    with h5py.File(root / "geo_coordinates.nc", "w") as file:
        for name, values in degrees.items():
            _put(file, name, np.round(values * 1e6).astype(np.int32), np.int32(-2147483648), scale_factor=1e-6)
    with h5py.File(root / "tie_geometries.nc", "w") as file:
        file.attrs.update(ac_subsampling_factor=np.int32(TIE), al_subsampling_factor=np.int32(1))
        angles = np.full((ROWS, COLUMNS // TIE + 1), round(SZA_DEG * 1e6), np.uint32)
        _put(file, "SZA", angles, np.uint32(4294967295), scale_factor=1e-6)
    with h5py.File(root / "qualityFlags.nc", "w") as file:
        masks = np.array([1 << 31, 1 << 25, 1 << 23], np.uint32)
        flags = np.where(_land() > 0.5, np.uint32(1 << 31), np.uint32(0)).astype(np.uint32)
        _put(file, "quality_flags", flags, None, flag_masks=masks, flag_meanings="land invalid duplicated")


def _land() -> Float[np.ndarray, "h w"]:
    """1 on land, 0 on water, soft between; with ripples so that neighbouring patches differ."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS] / 32.0
    coast = np.sin(1.1 * x + 0.7 * np.sin(y)) + np.cos(0.9 * y - 0.4 * x) + 0.25 * np.sin(5 * x) * np.cos(4 * y)
    land: Float[np.ndarray, "h w"] = 1 / (1 + np.exp(-8 * coast))
    return land


def _reflectance(land: Float[np.ndarray, "h w"], nm: float) -> Float[np.ndarray, "h w"]:
    """A plant-like spectrum on land, a dark blue one on water, and the haze of the air over both."""
    plant: float = 0.05 + 0.04 * np.exp(-(((nm - 550) / 30) ** 2)) + 0.3 / (1 + np.exp(-(nm - 715) / 15))
    haze = 0.12 * (400 / nm) ** 4
    water = 0.03 * np.exp(-(nm - 400) / 150)
    rho: Float[np.ndarray, "h w"] = haze + land * plant + (1 - land) * water
    return rho


def _irradiance(nm: float) -> float:
    """Sunlight as a black body of 5772 K scaled to 1900 at 490 nm, mW m-2 nm-1."""

    def planck(w: float) -> float:
        return float(w**-5 / np.expm1(1.4388e7 / (w * 5772)))

    return 1900 * planck(nm) / planck(490)


def _put(file: h5py.File, name: str, data: Shaped[np.ndarray, "..."], fill: np.generic | None, **attrs: object) -> None:
    dataset = file.create_dataset(name, data=data, compression="gzip")
    dataset.attrs.update(attrs)
    if fill is not None:
        dataset.attrs["_FillValue"] = np.array([fill], dtype=data.dtype)
