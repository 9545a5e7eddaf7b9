"""What the released pretraining code makes of a chip: its crops, and the place, area and time that it tells the model.

Known from `engine_pretrain.py` and `main_pretrain.py` of the repository of arXiv:2503.11849 (October 2025); whether the
released weights were trained so is not known. `UpstreamCrops` takes the place of `Augment` in a stream; nothing else
should use it. Right facts come from the Window of a sample (`true_facts`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch.nn.functional import interpolate

from armillary.earth.bands import Spectral
from armillary.earth.ellipsoid import belt_km2
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.sample.sample import Sample

DEGREES_PER_METRE = 9e-5
"""Upstream's; a metre is 9.0e-6 degrees of latitude, and more of longitude away from the equator."""

GASES = ("s5p-co", "s5p-no2", "s5p-o3", "s5p-so2")
"""In upstream's order. One transform crops all four in turn, and what it remembers is the crop of the last."""

OA21_NM = 1029.0
"""Centre of the last OLCI band in pretraining; the instrument's is 1020 nm."""

DIMMED, BY = ("Oa01", "Oa10"), 1e-9
"""Two OLCI bands that the loader multiplies by a constant of unknown meaning."""

DEM_TIME = datetime(2015, 1, 1, tzinfo=UTC)

SIZES_PX = (
    ("s1-grd", 224),
    ("s2-l1c", 224),
    ("s3-olci", 96),
    *((gas, 28) for gas in GASES),
    ("dem", 960),
)
"""Sensor -> side to which a crop is resized."""


@dataclass(frozen=True)
class Crop:
    """Whole pixels of a chip.

    Args:
        row: first.
        col: first.
        rows: how many.
        cols: how many.
        whole: rows and columns of the chip.
    """

    row: int
    col: int
    rows: int
    cols: int
    whole: tuple[int, int]


def upstream_facts(
    lonlat: tuple[float, float], sensor: Sensor, crop: Crop, *, moves: bool
) -> tuple[tuple[float, float], float]:
    """Degrees and km2 per token that upstream tells the model of a crop.

    The area starts from a constant of the sensor. With `moves` (`scale_option="augarea"`) it is multiplied by the
    crop's share of the chip, and the place is shifted to the middle of the crop. Five things are wrong: a degree per
    metre ten times too large; no cosine of the latitude; the resize of the crop (264 -> 224 px for Sentinel-1 and -2)
    left out of the area; corners counted inclusively, so that sides are a pixel short and middles half a pixel off;
    and all gases share a crop (`UpstreamCrops`). Without `moves` ("rawarea") the crop changes nothing.
    """
    (lon, lat), area = lonlat, sensor.patch_km2
    if not moves:
        return (lon, lat), area
    h, w = crop.whole
    right, down = crop.col + (crop.cols - 1) / 2 - w / 2, crop.row + (crop.rows - 1) / 2 - h / 2
    degrees = sensor.gsd_m * DEGREES_PER_METRE
    return (lon + right * degrees, lat - down * degrees), area * (crop.rows - 1) * (crop.cols - 1) / (h * w)


def true_facts(sample: Sample, crop: Crop, side_px: int) -> tuple[tuple[float, float], float]:
    """Degrees and km2 per token of the same crop, resized to `side_px`, as its Window tells them."""
    part = sample.window.crop(rows=slice(crop.row, crop.row + crop.rows), cols=slice(crop.col, crop.col + crop.cols))
    px_km2 = part.pixel_km2 * crop.rows * crop.cols / side_px**2
    return part.center, px_km2 * sample.sensor.patch_px**2


def window_of(lonlat: tuple[float, float], token_km2: float, patch_px: int, side_px: int) -> Window:
    """A window that carries these facts, true or not: upright, in degrees, its middle pixel of the area they ask."""
    px_km2 = token_km2 / patch_px**2
    lon, lat = lonlat
    high = math.sqrt(px_km2) / 111.32
    wide = px_km2 / belt_km2(lat - high / 2, lat + high / 2, 1.0)
    affine = (wide, 0.0, lon - wide * side_px / 2, 0.0, -high, lat + high * side_px / 2)
    return Window.of((side_px, side_px), affine, "EPSG:4326")


@dataclass(frozen=True)
class UpstreamCrops:
    """Crops, facts and slips of the released loader, as a change of a stream. Sensors that it lacks pass unchanged.

    Each sensor is cropped on its own, so that Sentinel-1 and Sentinel-2 do not show the same ground; a crop is resized
    without antialiasing, corner pixel on corner pixel.

    Args:
        scale: smallest and largest share of the area that a crop covers.
        aspect: smallest and largest width / height.
        sizes_px: sensor -> side to which a crop is resized.
        area: "augarea" follows the crop, with its mistakes (the code's comments call it the chosen one); "rawarea",
            the default of its command line, does not.
    """

    scale: tuple[float, float] = (0.2, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    sizes_px: tuple[tuple[str, int], ...] = SIZES_PX
    area: Literal["augarea", "rawarea"] = "augarea"

    def __call__(self, samples: Mapping[str, Sample], rng: np.random.Generator) -> Mapping[str, Sample]:
        """The samples of one place, each with its own random crop."""
        sizes = dict(self.sizes_px)
        crops = {name: self.crop(s.window.shape, rng) for name, s in samples.items() if name in sizes}
        told = dict(crops)
        for last in [gas for gas in GASES if gas in crops][-1:]:
            told |= {gas: crops[last] for gas in GASES if gas in crops}
        views = {}
        for name, sample in samples.items():
            if name not in sizes:
                views[name] = sample
                continue
            view = self._cut(sample, crops[name], told[name], sizes[name])
            views[name] = slipped(view.flip() if rng.random() < 0.5 else view)
        return views

    def crop(self, shape: tuple[int, int], rng: np.random.Generator) -> Crop:
        """A random rectangle; both its share of the chip and the logarithm of its aspect are uniform."""
        h, w = shape
        area = rng.uniform(*self.scale) * h * w
        aspect = float(np.exp(rng.uniform(*np.log(self.aspect))))
        cols, rows = (
            int(np.clip(round(math.sqrt(n)), 2, most)) for n, most in ((area * aspect, w), (area / aspect, h))
        )
        return Crop(int(rng.integers(h - rows + 1)), int(rng.integers(w - cols + 1)), rows, cols, shape)

    def _cut(self, sample: Sample, crop: Crop, told: Crop, side_px: int) -> Sample:
        part = sample.pixels[:, crop.row : crop.row + crop.rows, crop.col : crop.col + crop.cols]
        if sample.window.crs is None:
            window = Window.of((side_px, side_px), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), None)
        else:
            facts = upstream_facts(sample.window.center, sample.sensor, told, moves=self.area == "augarea")
            window = window_of(*facts, sample.sensor.patch_px, side_px)
        return Sample(_resized(part, side_px), sample.sensor, window, sample.time)


def slipped(sample: Sample) -> Sample:
    """A sample as upstream's loader hands it over: OLCI with a wrong wavelength and two bands dimmed, heights dated."""
    if sample.sensor.name == "dem":
        return replace(sample, time=DEM_TIME)
    if sample.sensor.name != "s3-olci":
        return sample
    names = sample.sensor.band_names
    factor = np.array([BY if name in DIMMED else 1.0 for name in names], np.float32)
    bands = tuple(
        replace(band, center_nm=OA21_NM) if name == "Oa21" and isinstance(band, Spectral) else band
        for name, band in zip(names, sample.sensor.bands, strict=True)
    )
    return replace(sample, pixels=sample.pixels * factor[:, None, None], sensor=replace(sample.sensor, bands=bands))


def _resized(pixels: Float[np.ndarray, "c h w"], side_px: int) -> Float[np.ndarray, "c s s"]:
    x = torch.from_numpy(np.array(pixels, np.float32))[None]
    return np.asarray(interpolate(x, (side_px, side_px), mode="bilinear", align_corners=True)[0].numpy())
