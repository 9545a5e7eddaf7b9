"""SEN3: the folder or zip of one Sentinel-3 product, the manifest that says what it is, and OLCI's swath in it."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.earth.when import utc
from armillary.errors import SceneUnreadable, SensorUnknown
from armillary.scene.access.archive import Archive, elements, holds, text
from armillary.scene.access.members import Members
from armillary.scene.access.netcdf import NetCDF, opened
from armillary.scene.s3.radiance import decoded, flagged, from_ties, radiance, reflectance

MANIFEST = r"xfdumanifest\.xml"

LEVEL_1 = ("OL_1_EFR", "OL_1_ERR")
"""Product types whose pixels are radiances of the whole fleet's OLCI."""


@dataclass(frozen=True)
class Manifest:
    """What a SEN3 product says about itself.

    Args:
        product: its name, without .SEN3.
        kind: product type without trailing underscores, as OL_1_EFR.
        start: first measurement, UTC.
        stop: last measurement, UTC.
        footprint: (lon, lat) around it, degrees.
        shape: (rows, columns), None for products that state none.
        collection: baseline collection, as "002".
    """

    product: str
    kind: str
    start: datetime
    stop: datetime
    footprint: tuple[tuple[float, float], ...]
    shape: tuple[int, int] | None
    collection: str | None


def manifest_of(archive: Archive) -> Manifest:
    """Read the manifest.

    Raises:
        SceneUnreadable: it is missing, or without the times or the type.
    """
    root = archive.xml(archive.one(MANIFEST, "xfdumanifest.xml"))
    words = (text(root, "posList") or "").split()
    numbers = [float(w) for w in words]
    sizes = [(text(e, "rows"), text(e, "columns")) for e in elements(root, "imageSize")]
    rows, columns = sizes[0] if sizes else (None, None)
    name, start, stop = text(root, "productName"), text(root, "startTime"), text(root, "stopTime")
    kind = text(root, "productType") or (name or archive.name)[4:15]
    if start is None or stop is None:
        raise SceneUnreadable(f"the manifest of {archive.path} has no start or stop time; download it again, whole")
    return Manifest(
        product=(name or archive.name).removesuffix(".SEN3"),
        kind=kind.strip("_"),
        start=utc(start),
        stop=utc(stop),
        footprint=tuple(zip(numbers[1::2], numbers[::2], strict=False)),
        shape=None if rows is None or columns is None else (int(rows), int(columns)),
        collection=text(root, "baselineCollection"),
    )


def is_sen3(path: Path) -> bool:
    """Whether this is a SEN3 product: its folder, its manifest, or a zip of it. Cheap, never raises."""
    return path.name == "xfdumanifest.xml" or holds(path, MANIFEST)


def refuse_others(kind: str, path: Path) -> None:
    """Say why a product of another type is not opened.

    Raises:
        SensorUnknown: it is none of LEVEL_1.
    """
    if kind in LEVEL_1:
        return
    reason = {
        "OL_2": "derived quantities of land or water, not the radiances that models were trained on",
        "SL_1": "of the radiometer SLSTR, which is no sensor of the fleet",
        "SL_2": "of the radiometer SLSTR, which is no sensor of the fleet",
        "SY_2": "a synergy of OLCI and SLSTR, not the radiances that models were trained on",
    }.get(kind[:4], "of a type that Armillary does not know")
    raise SensorUnknown(
        f"{path} is Sentinel-3 {kind}: {reason}; choose the OLCI level 1 product (OL_1_EFR) of the same time"
    )


@dataclass(frozen=True, eq=False)
class Sen3:
    """The swath of an OLCI level 1 product: one file per band."""

    members: Members
    band_names: tuple[str, ...]
    reflective: bool

    def values(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Radiance (or reflectance) of a crop of the swath, NaN where there is none or it is flagged invalid."""
        with self.open("qualityFlags.nc") as nc:
            void = flagged(nc.variable("quality_flags"), (rows, cols), "invalid")
        out = np.stack([self._radiance(self.band_names[b], rows, cols) for b in bands])
        out = self._reflectance(out, bands, rows, cols) if self.reflective else out
        return np.where(void, np.nan, out)

    def geometry(self) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Degrees of each pixel as float32 (1.7 m at worst), NaN for those that repeat a neighbour."""
        with self.open("geo_coordinates.nc") as nc:
            lon, lat = (decoded(nc.variable(n)).astype(np.float32) for n in ("longitude", "latitude"))
        with self.open("qualityFlags.nc") as nc:
            again = flagged(nc.variable("quality_flags"), ..., "duplicated")
        if again.shape != lon.shape:
            raise SceneUnreadable(
                f"{self.members.archive.path} has flags and places of unequal size; download it again"
            )
        return np.where(again, np.nan, lon), np.where(again, np.nan, lat)

    def open(self, name: str) -> AbstractContextManager[NetCDF]:
        """One of the product's files."""
        return opened(self.members.path(self.members.archive.one(re.escape(name), name)))

    def _radiance(self, name: str, rows: slice, cols: slice) -> Float[np.ndarray, "h w"]:
        with self.open(f"{name}_radiance.nc") as nc:
            return radiance(nc.variable(f"{name}_radiance"), (rows, cols))

    def _reflectance(
        self, values: Float[np.ndarray, "c h w"], bands: Sequence[int], rows: slice, cols: slice
    ) -> Float[np.ndarray, "c h w"]:
        numbers = [int(self.band_names[b][2:]) - 1 for b in bands]
        with self.open("instrument_data.nc") as nc:
            detector = nc.variable("detector_index").raw((rows, cols)).astype(np.int64)
            flux = decoded(nc.variable("solar_flux"))[numbers]
        with self.open("tie_geometries.nc") as nc:
            sza = from_ties(nc, "SZA", rows, cols)
        known = (detector >= 0) & (detector < flux.shape[1])
        irradiance = np.where(known, flux[:, np.where(known, detector, 0)], np.nan)
        return np.stack([reflectance(v, e, sza) for v, e in zip(values, irradiance, strict=True)])
