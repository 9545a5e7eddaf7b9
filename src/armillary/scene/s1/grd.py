"""Sentinel-1 GRD in SAFE: a folder or zip of one TIFF of counts per polarisation, calibrated and laid on a map grid.

What comes out is ellipsoid-geocoded backscatter in dB (`unit="sigma0"`, the default, or "gamma0" or "beta0"), with
thermal noise removed; "sigma0+noise" keeps the noise in. Terrain is not corrected: slopes lie where the ellipsoid
would put them. Border noise of scenes before 2018 (low counts at the edges) is kept.

Each map pixel is the mean, in linear power, of samples taken bilinearly from the image, one sample for each image
pixel that fits into it; dB come last. A sample with less than half of its weight on valid counts is NaN.
The ground control points of the TIFF are never used: some copies have lost them.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable
from xml.etree.ElementTree import Element
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np
from jaxtyping import Float

from armillary.earth.fleet import sensors
from armillary.earth.when import iso, utc
from armillary.earth.window import Window
from armillary.errors import BadInput, SceneUnreadable, SensorUnknown
from armillary.scene.access import handles
from armillary.scene.access.archive import Archive, elements, text
from armillary.scene.agreement import agree
from armillary.scene.request import Request
from armillary.scene.s1.calibration import QUANTITIES, Noise, Table, calibration_of, decibel, noise_of, power
from armillary.scene.scene import Scene, Source
from armillary.scene.swath.geolocation import Inverse, TieGrid
from armillary.scene.swath.grid import DEGREE_M, grid_over, known_crs, step_of, utm

_ANNOTATION = re.compile(r"annotation/(s1[a-d]-(?:iw|ew|s\d|wv)\d?-(\w{3})-(vv|vh|hh|hv)-[^/]*)\.xml$")
BLANK_LINES = 16
"""Lines read on opening to see whether there are pixels at all."""

_TILE_PX = 512
_KEEP_NOISE = "+noise"
_LOG = logging.getLogger(__name__)

Plane = Float[np.ndarray, "h w"]


@runtime_checkable
class Image(Protocol):
    """One polarisation in the order in which it was sensed."""

    @property
    def shape(self) -> tuple[int, int]:
        """(lines, pixels)."""

    def power(self, lines: slice, pixels: slice) -> Plane:
        """Linear backscatter of a crop; NaN outside the swath."""


@dataclass(frozen=True, eq=False)
class Channel:
    """One polarisation: where its counts are and what they mean."""

    href: str
    shape: tuple[int, int]
    amplitude: Table
    noise: Noise | None
    void: float | None
    stamp: float

    def counts(self, lines: slice, pixels: slice) -> Plane:
        """Stored amplitudes of a crop of the image; 0 where there is none."""
        raw = handles.read(self.href, 1, lines, pixels, stamp=self.stamp).astype(np.float64)
        return raw if self.void is None else np.where(raw == self.void, 0.0, raw)

    def power(self, lines: slice, pixels: slice) -> Plane:
        """Linear backscatter of a crop of the image; NaN outside the swath."""
        counts = self.counts(lines, pixels)
        at = np.arange(lines.start, lines.stop, dtype=float), np.arange(pixels.start, pixels.stop, dtype=float)
        return power(counts, self.amplitude.at(*at), 0.0 if self.noise is None else self.noise.at(*at))


@dataclass(frozen=True, eq=False)
class Backscatter:
    """Pixels of a scene: dB on the map grid. `samples` per side of a map pixel are averaged in linear power."""

    channels: tuple[Image, ...]
    inverse: Inverse
    samples: int

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """DB of these bands under this crop, float32; the same whatever the crop."""
        out = np.empty((len(bands), rows.stop - rows.start, cols.stop - cols.start), np.float32)
        tile = max(1, _TILE_PX // self.samples)
        for r in range(rows.start, rows.stop, tile):
            for c in range(cols.start, cols.stop, tile):
                part = slice(r, min(r + tile, rows.stop)), slice(c, min(c + tile, cols.stop))
                block = self._tile([self.channels[b] for b in bands], *part)
                out[:, r - rows.start : part[0].stop - rows.start, c - cols.start : part[1].stop - cols.start] = block
        return out

    def _tile(self, channels: Sequence[Image], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        line, pixel = self.inverse.at(_subsamples(rows, self.samples), _subsamples(cols, self.samples))
        return np.stack([self._mean(c, line, pixel) for c in channels]).astype(np.float32)

    def _mean(self, channel: Image, line: Plane, pixel: Plane) -> Float[np.ndarray, "i j"]:
        h, w = (n // self.samples for n in line.shape)
        fine = sample(channel, line, pixel).reshape(h, self.samples, w, self.samples)
        count = np.isfinite(fine).sum(axis=(1, 3))
        total = np.where(np.isfinite(fine), fine, 0.0).sum(axis=(1, 3))
        return decibel(np.where(2 * count >= self.samples**2, total / np.maximum(count, 1), np.nan))


def sample(channel: Image, line: Plane, pixel: Plane) -> Plane:
    """Linear backscatter at places between the image's pixels, bilinear over the valid ones of the four around."""
    height, width = channel.shape
    inside = (line >= -0.5) & (line <= height - 0.5) & (pixel >= -0.5) & (pixel <= width - 0.5)
    if not inside.any():
        return np.full(line.shape, np.nan)
    line, pixel = np.clip(line, 0, height - 1), np.clip(pixel, 0, width - 1)
    i, j = np.minimum(line.astype(int), max(height - 2, 0)), np.minimum(pixel.astype(int), max(width - 2, 0))
    top, left = int(i[inside].min()), int(j[inside].min())
    bottom, right = min(int(i[inside].max()) + 2, height), min(int(j[inside].max()) + 2, width)
    image = channel.power(slice(top, bottom), slice(left, right))
    total, weight = np.zeros(line.shape), np.zeros(line.shape)
    for down in (0, 1):
        for along in (0, 1):
            at = np.clip(i + down - top, 0, bottom - top - 1), np.clip(j + along - left, 0, right - left - 1)
            share = (1 - np.abs(line - i - down)) * (1 - np.abs(pixel - j - along))
            value = image[at]
            total += np.where(np.isfinite(value), value * share, 0.0)
            weight += np.where(np.isfinite(value), share, 0.0)
    return np.where(inside & (weight >= 0.5), total / np.maximum(weight, 1e-12), np.nan)


def recognises(path: Path) -> bool:
    """Whether this is a Sentinel-1 SAFE product, as a folder, its manifest, or a zip."""
    if path.name.lower() == "manifest.safe":
        path = path.parent
    try:
        if path.is_dir():
            return any(path.glob("annotation/s1?-*.xml")) or any(path.glob("*.SAFE/annotation/s1?-*.xml"))
        if path.is_file() and is_zipfile(path):
            with ZipFile(path) as archive:
                return any(_ANNOTATION.search(n) for n in archive.namelist())
    except (OSError, BadZipFile):
        return False
    return False


def open_scene(path: Path, request: Request) -> Scene:
    """A GRD product as a lazy scene in dB on a map grid.

    The grid is north-up in the UTM zone of the scene's middle at the product's own pixel spacing (10 m for IW);
    `request.crs` and `request.resolution` choose another.

    Raises:
        SensorUnknown: it is no GRD product, or holds HH and HV, which no model of the fleet knows.
        SceneUnreadable: a file is missing or damaged.
    """
    request.refuse(("offset", "min_qa", "step"), f"{path}, a Sentinel-1 GRD product")
    archive = Archive.open(path)
    quantity, denoise = quantity_of(request.unit)
    annotations = _annotations(archive)
    found = sensors["s1-grd"].select([b for b in ("VV", "VH") if b in annotations])
    sensor = agree(found, request, path)
    root = archive.xml(annotations[sensor.band_names[0]])
    tie = TieGrid.of(root)
    shape = int(_required(root, "numberOfLines")), int(_required(root, "numberOfSamples"))
    channels = tuple(_channel(archive, annotations[b], shape, quantity, denoise=denoise) for b in sensor.band_names)
    spacing = float(_required(root, "rangePixelSpacing"))
    window, size_m = grid_of(tie, spacing, request)
    pixels = Backscatter(channels, Inverse.of(tie, window), max(1, round(size_m / spacing)))
    blank = _looks_blank(channels[0])
    if blank:
        _LOG.warning("%s holds no count in %d lines: the measurement looks blank; download it again", path, BLANK_LINES)
    return Scene(
        href=str(path),
        sensor=sensor,
        window=window,
        time=request.time or utc(_required(root, "startTime")),
        pixels=pixels,
        sources=_sources(request),
        facts={"quantity": quantity, **_facts(archive, root, tie), **_measured(channels, denoise=denoise, blank=blank)},
    )


def _subsamples(span: slice, samples: int) -> Float[np.ndarray, " _"]:
    return (np.arange(span.start * samples, span.stop * samples) + 0.5) / samples - 0.5


def quantity_of(unit: str | None) -> tuple[str, bool]:
    """(quantity, whether thermal noise is removed) of what a caller asks for as unit=."""
    word = (unit or "sigma0").lower().removesuffix(_KEEP_NOISE)
    word = "sigma0" if word == "db" else word
    if word not in QUANTITIES:
        raise BadInput(
            f"Sentinel-1 GRD was asked as {unit!r}; it can be {', '.join(QUANTITIES)}, each in dB, "
            f"and with thermal noise kept in as for example sigma0{_KEEP_NOISE}"
        )
    return word, not (unit or "").lower().endswith(_KEEP_NOISE)


def _annotations(archive: Archive) -> dict[str, str]:
    """Polarisation -> annotation file of a GRD product."""
    found = [(m.group(2), m.group(3).upper(), n) for n in archive.names if (m := _ANNOTATION.search(n))]
    kinds = sorted({k for k, _, _ in found})
    if not found:
        raise SceneUnreadable(f"{archive.path} has no annotation of a measurement; download the product again, whole")
    if kinds != ["grd"]:
        raise SensorUnknown(
            f"{archive.path} holds Sentinel-1 {', '.join(k.upper() for k in kinds)}; "
            "Armillary reads GRD: download the GRD product of the same time"
        )
    by = {pol: name for _, pol, name in found}
    if not {"VV", "VH"} & set(by):
        raise SensorUnknown(
            f"{archive.path} is Sentinel-1 GRD in {' and '.join(sorted(by))}; s1-grd is VV and VH, "
            "and values of other polarisations would be misread: choose a VV+VH scene"
        )
    return by


def _channel(archive: Archive, annotation: str, shape: tuple[int, int], quantity: str, *, denoise: bool) -> Channel:
    stem = annotation.rpartition("/")[2].removesuffix(".xml")
    bare = re.escape(stem.removesuffix("-cog"))
    image = archive.one(rf"measurement/{bare}(-cog)?\.tiff?", f"measurement of {stem}")
    table = archive.xml(
        archive.one(rf"annotation/calibration/calibration-{bare}(-cog)?\.xml", f"calibration of {stem}")
    )
    noise = None
    done = (text(archive.xml(annotation), "thermalNoiseCorrectionPerformed") or "false").lower() == "true"
    if denoise and not done:
        names = archive.find(rf"annotation/calibration/noise-{bare}(-cog)?\.xml")
        noise = noise_of(archive.xml(names[0])) if names else None
        if noise is None:
            _LOG.warning("%s has no usable noise table: thermal noise stays in", archive.path)
    href, stamp = archive.gdal_path(image), archive.path.stat().st_mtime
    raster = handles.header(href, stamp=stamp)
    if raster.shape != shape:
        raise SceneUnreadable(
            f"{image} is {raster.shape[0]} x {raster.shape[1]} and its annotation says {shape[0]} x {shape[1]}; "
            "download the product again, whole"
        )
    return Channel(href, shape, calibration_of(table, quantity), noise, raster.nodata, stamp)


def grid_of(tie: TieGrid, spacing: float, request: Request) -> tuple[Window, float]:
    """The map grid of a scene whose samples lie `spacing` metres apart, and the size of its pixel in metres."""
    lon, lat = float(tie.lon.mean()), float(tie.lat.mean())
    crs = known_crs(request.crs or utm((lon + 180.0) % 360.0 - 180.0, lat))
    step = step_of(crs, spacing, lat, request.resolution)
    window = grid_over(tie.lon, tie.lat, crs, step)
    return window, step[1] if not crs.geographic else step[1] * DEGREE_M


def _looks_blank(channel: Channel) -> bool:
    """Whether BLANK_LINES lines, spread over the image, hold no count at all."""
    height, width = channel.shape
    lines = np.unique(np.linspace(0, height - 1, BLANK_LINES).astype(int)).tolist()
    return not any(channel.counts(slice(n, n + 1), slice(0, width)).any() for n in lines)


def _sources(request: Request) -> dict[str, Source]:
    return {
        "sensor": "read",
        "bands": "read",
        "crs": "given" if request.crs else "read",
        "time": "given" if request.time else "read",
        "scaling": "read",
    }


def _facts(archive: Archive, root: Element, tie: TieGrid) -> dict[str, str]:
    manifest = next((archive.xml(n) for n in archive.names if n.lower() == "manifest.safe"), None)
    versions = (
        []
        if manifest is None
        else [e.get("version", "") for e in elements(manifest, "software") if "IPF" in e.get("name", "")]
    )
    middle = text(root, "incidenceAngleMidSwath")
    named = {
        "product": archive.name,
        "pass": (text(root, "pass") or "").lower(),
        "orbit": text(root, "absoluteOrbitNumber"),
        "relative_orbit": None if manifest is None else text(manifest, "relativeOrbitNumber"),
        "ipf": versions[0] if versions else None,
        "mode": text(root, "mode"),
        "incidence_deg": f"{float(middle) if middle else float(tie.incidence.mean()):.2f}",
        "start": _moment(root, "startTime"),
        "stop": _moment(root, "stopTime"),
    }
    return {k: v for k, v in named.items() if v}


def _measured(channels: tuple[Channel, ...], *, denoise: bool, blank: bool) -> dict[str, str]:
    removed = all(c.noise is not None for c in channels)
    noise = "removed" if removed else ("as in the file: no table to remove it" if denoise else "kept")
    return {"thermal_noise": noise} | ({"measurement": f"blank: no count in {BLANK_LINES} lines"} if blank else {})


def _moment(root: Element, name: str) -> str | None:
    found = text(root, name)
    return None if found is None else iso(datetime.fromisoformat(found).replace(tzinfo=UTC))


def _required(root: Element, name: str) -> str:
    found = text(root, name)
    if found is None:
        raise SceneUnreadable(f"the annotation has no <{name}>; download the product again, whole")
    return found
