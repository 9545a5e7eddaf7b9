"""Store: the arrays of a Zarr hierarchy, format 2 or 3, folder or zip, exactly as stored.

Nothing is scaled, masked or decoded here: the numbers that do it are read once, from where each format keeps them.

- Nodata: in format 2 the array's `fill_value` is the nodata (an attribute `_FillValue` wins). In format 3 it is only
  the default for absent chunks; the nodata is the attribute `_FillValue`, else that of `_eopf_attrs`, else the
  attribute `fill_value` unless `eopf_is_masked` denies it.
- Scale: `scale_factor` and `add_offset` of the array. Their copy in `_eopf_attrs` counts for whole numbers only:
  floating-point arrays that still carry it have been decoded before.
"""

import base64
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np
import zarr
from jaxtyping import Float, Shaped
from zarr.storage import LocalStore, ZipStore

from armillary.errors import SceneUnreadable
from armillary.scene.gridded.radiometry import Rule

_ROOT = re.compile(r"(?:^|/)(?:\.zgroup|\.zmetadata|\.zattrs|zarr\.json)$")
_FAILURES = (OSError, ValueError, KeyError, TypeError, RuntimeError, BadZipFile)
"""What zarr and its codecs raise on cut files."""


@dataclass(frozen=True, eq=False)
class Array:
    """One array.

    Args:
        path: its place in the hierarchy, as in measurements/reflectance/r10m/b02.
        dims: names of its axes; empty where the store names none.
        attrs: its attributes.
        stored: the array itself.
    """

    path: str
    dims: tuple[str, ...]
    attrs: Mapping[str, Any]
    stored: Any

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def group(self) -> str:
        """The path of the group that holds it."""
        return self.path.rpartition("/")[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(int(n) for n in self.stored.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type."""
        found: np.dtype[Any] = np.dtype(self.stored.dtype)
        return found

    def raw(self, *key: slice | int) -> Shaped[np.ndarray, "..."]:
        """Stored numbers under an index (nothing: all of them)."""
        try:
            return np.asarray(self.stored[key or ...])
        except _FAILURES as cause:
            raise SceneUnreadable(
                f"array {self.path} of {self.stored.store} cannot be read ({_short(cause)}); a chunk is cut or "
                "damaged: download it again"
            ) from cause

    def values(self) -> Float[np.ndarray, "..."]:
        """All of it, decoded, in float64: for coordinates and look-up tables, which float32 would blur."""
        raw = self.raw().astype(np.float64)
        scale, offset = self.scaling or (1.0, 0.0)
        return np.where(np.isin(raw, self.nodata), np.nan, raw * scale + offset)

    @property
    def nodata(self) -> tuple[float, ...]:
        """Stored numbers that mean nothing was measured, by the rules above."""
        mirror = self.attrs.get("_eopf_attrs") or {}
        found = self.attrs.get("_FillValue")
        if found is None and self.stored.metadata.zarr_format == 2:
            found = self.stored.metadata.fill_value
        elif found is None:
            masked = self.attrs.get("eopf_is_masked", mirror.get("eopf_is_masked"))
            found = mirror.get("fill_value")
            found = self.attrs.get("fill_value") if found is None and masked is not False else found
        number = _number(found)
        return () if number is None or np.isnan(number) else (number,)

    @property
    def scaling(self) -> tuple[float, float] | None:
        """(scale, offset) with value = stored * scale + offset, None where the array tells neither."""
        mirror = {} if self.dtype.kind == "f" else self.attrs.get("_eopf_attrs") or {}
        for held in (self.attrs, mirror):
            scale, offset = _number(held.get("scale_factor")), _number(held.get("add_offset"))
            if scale is not None or offset is not None:
                return (1.0 if scale is None else scale), (0.0 if offset is None else offset)
        return None

    @property
    def rule(self) -> Rule:
        """Nodata and scaling as they are stored; the identity where nothing is told."""
        scale, offset = self.scaling or (1.0, 0.0)
        return Rule(nodata=self.nodata, shift=offset / scale, scale=scale)


@dataclass(frozen=True, eq=False)
class Store:
    """An open hierarchy.

    Args:
        path: folder or zip.
        attrs: of the root group.
        arrays: every array by its path.
        groups: attributes of every group below the root, by path.
    """

    path: Path
    attrs: Mapping[str, Any]
    arrays: Mapping[str, Array]
    groups: Mapping[str, Mapping[str, Any]]

    @classmethod
    def open(cls, path: Path) -> "Store":
        """List a Zarr folder or zip.

        Raises:
            SceneUnreadable: it is no whole Zarr group.
        """
        try:
            if path.is_dir():
                root = zarr.open_group(LocalStore(path, read_only=True), mode="r")
            else:
                root = zarr.open_group(ZipStore(path, mode="r"), path=_top(path), mode="r")
            members = dict(root.members(max_depth=None))
            attrs = dict(root.attrs)
        except _FAILURES as cause:
            raise SceneUnreadable(f"{path} is no whole Zarr group ({_short(cause)}); download it again") from cause
        arrays = {n: _array(n, m) for n, m in sorted(members.items()) if isinstance(m, zarr.Array)}
        groups = {n: dict(m.attrs) for n, m in sorted(members.items()) if isinstance(m, zarr.Group)}
        return cls(path, MappingProxyType(attrs), MappingProxyType(arrays), MappingProxyType(groups))

    def find(self, pattern: str) -> tuple[Array, ...]:
        """Arrays whose whole path matches the regular expression, in order of path."""
        return tuple(a for n, a in self.arrays.items() if re.fullmatch(pattern, n))

    def beside(self, array: Array, *names: str) -> Array | None:
        """The first array of one of these names in the array's own group."""
        held = (f"{array.group}/{n}" if array.group else n for n in names)
        return next((self.arrays[n] for n in held if n in self.arrays), None)


def is_zarr(path: Path) -> bool:
    """Whether a folder or zip is a Zarr group. Cheap, never raises."""
    try:
        if path.is_dir():
            return any((path / n).is_file() for n in (".zgroup", ".zmetadata", "zarr.json"))
        if path.is_file() and path.suffix.lower() == ".zip":
            return path.name.lower().endswith(".zarr.zip") or (is_zipfile(path) and _has_root(path))
    except OSError:
        return False
    return False


def _has_root(path: Path) -> bool:
    try:
        with ZipFile(path) as archive:
            return any(_ROOT.search(n) and n.count("/") <= 1 for n in archive.namelist() if "__MACOSX" not in n)
    except (OSError, BadZipFile):
        return False


def _top(path: Path) -> str:
    """The folder inside the zip that holds the root group: "" or a name."""
    with ZipFile(path) as archive:
        held = [n for n in archive.namelist() if _ROOT.search(n) and "__MACOSX" not in n]
    if not held:
        raise ValueError("no .zgroup and no zarr.json inside")
    return min(held, key=lambda n: (n.count("/"), n)).rpartition("/")[0]


def _array(path: str, stored: Any) -> Array:
    attrs = dict(stored.attrs)
    dims = getattr(stored.metadata, "dimension_names", None) or attrs.get("_ARRAY_DIMENSIONS") or ()
    return Array(path, tuple(str(d) for d in dims), attrs, stored)


def _number(value: object) -> float | None:
    """A number as attributes hold it: plain, numpy, text, or the base64 of its eight bytes (xarray, format 3)."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    try:
        return float(struct.unpack("<d", base64.b64decode(str(value), validate=True))[0])
    except (ValueError, struct.error):
        return None


def _short(cause: BaseException) -> str:
    return (str(cause) or type(cause).__name__).split("\n")[0][:160]
