"""NetCDF: raw numbers and attributes of one file, exactly as stored.

No scale, offset, fill or time is decoded here: four layers like to do that and each reader must do it once, itself.
HDF5-based files (netCDF-4) are read by h5py; the classic format, which desktop tools still export, by scipy.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from armillary.errors import SceneNotFound, SceneUnreadable, need

_CLASSIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, eq=False)
class Variable:
    """One array of a file.

    Args:
        attrs: its attributes as plain Python values (text is str, single numbers are scalars).
        shape: its shape.
        stored: the array itself; slicing reads.
    """

    attrs: Mapping[str, Any]
    shape: tuple[int, ...]
    stored: Any

    def raw(self, key: Any = ...) -> np.ndarray:
        """The stored numbers under an index, in this machine's byte order; `_Unsigned` integers come unsigned."""
        values = np.array(self.stored[key])
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if str(self.attrs.get("_Unsigned", "")).lower() == "true" and values.dtype.kind == "i":
            values = values.view(f"u{values.dtype.itemsize}")
        return values

    def number(self, name: str, default: float) -> float:
        """A numeric attribute."""
        return float(self.attrs.get(name, default))


@dataclass(frozen=True, eq=False)
class NetCDF:
    """An open file. Names are paths, as in PRODUCT/qa_value."""

    path: Path
    attrs: Mapping[str, Any]
    names: tuple[str, ...]
    _get: Any

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def variable(self, name: str) -> Variable:
        """One array.

        Raises:
            SceneUnreadable: the file does not hold it.
        """
        if name not in self.names:
            raise SceneUnreadable(
                f"{self.path} has no variable {name}; it may be a cut or partial product: download it again, whole"
            )
        stored, attrs = self._get(name)
        return Variable(_plain(attrs), tuple(int(n) for n in stored.shape), stored)


def is_netcdf(path: Path) -> bool:
    """Whether the first bytes are those of a NetCDF file. Cheap, never raises."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError:
        return False
    return head == _HDF5 or head[:4] in _CLASSIC


@contextmanager
def opened(path: Path) -> Iterator[NetCDF]:
    """Open a NetCDF file for reading; it is closed at the end of the block.

    Raises:
        SceneNotFound: nothing is there.
        SceneUnreadable: it is not a whole NetCDF file.
    """
    if not path.is_file():
        raise SceneNotFound(f"{path} was asked for and is not there; check the path")
    if not is_netcdf(path):
        raise SceneUnreadable(f"{path} should be a NetCDF file and does not begin like one; download it again")
    with path.open("rb") as file:
        classic = file.read(4) in _CLASSIC
    try:
        with _classic(path) if classic else _hdf5(path) as found:
            yield found
    except (SceneUnreadable, SceneNotFound):
        raise
    except (OSError, RuntimeError, EOFError) as cause:
        reason = str(cause).splitlines()[0]
        raise SceneUnreadable(f"{path} is not a whole NetCDF file ({reason}); download it again") from cause


@contextmanager
def _hdf5(path: Path) -> Iterator[NetCDF]:
    with h5py.File(path, "r") as file:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
        yield NetCDF(path, _plain(file.attrs), tuple(names), lambda n: (file[n], file[n].attrs))


@contextmanager
def _classic(path: Path) -> Iterator[NetCDF]:
    netcdf_file = need("scipy.io", "geo").netcdf_file
    try:
        file = netcdf_file(path, mmap=False)
    except (TypeError, ValueError, IndexError, KeyError) as cause:
        raise SceneUnreadable(f"{path} is not a whole NetCDF file ({cause}); download it again") from cause
    with file:
        held = file.variables
        yield NetCDF(path, _plain(file._attributes), tuple(held), lambda n: (held[n].data, held[n]._attributes))


def _plain(attrs: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType({k: _scalar(attrs[k]) for k in attrs if not k.startswith(("REFERENCE", "DIMENSION_LIST"))})


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray) and value.size == 1:
        return _scalar(value.reshape(-1)[0])
    if isinstance(value, np.generic):
        return _scalar(value.item()) if value.dtype.kind in "SOU" else value.item()
    return value
