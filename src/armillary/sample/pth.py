"""Saved tensors: one slice of a `.pth` member of a shard, without loading the rest of it.

The small pickle within the member says shape and type; torch reads it with `weights_only=True` and without its numbers
(a fake tensor), once for each kind of tensor, and the slice is then read straight from the tar. What is unusual (an old
format, a compressed or strided tensor) is loaded whole, which gives the same numbers.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pickle import UnpicklingError

import numpy as np
import torch
from jaxtyping import Shaped
from torch._subclasses.fake_tensor import FakeTensorMode

from armillary.errors import SceneUnreadable
from armillary.scene.pretrain.catalogue import Catalogue
from armillary.scene.pretrain.members import Part, broken

_CANNOT = (RuntimeError, UnpicklingError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError)
"""What torch.load raises for bytes that are no whole tensor."""


@dataclass(frozen=True)
class Plan:
    """How the numbers of a contiguous tensor lie: shape, numpy type, and bytes from the start of its storage."""

    shape: tuple[int, ...]
    dtype: str
    start: int


def shape_of(catalogue: Catalogue, entry: np.void) -> tuple[int, ...]:
    """The shape of a tensor of a shard."""
    plan = _plan_of(catalogue, entry)
    return tuple(load(catalogue, entry).shape) if plan is None else plan.shape


def read(catalogue: Catalogue, entry: np.void, at: Sequence[int] = ()) -> Shaped[np.ndarray, "..."]:
    """`tensor[at]` of a tensor of a shard; only that slice is read from the file.

    Raises:
        SceneUnreadable: the member is cut off or damaged, or has no such slice.
    """
    plan = _plan_of(catalogue, entry)
    whole = None if plan is not None else load(catalogue, entry).numpy()
    shape = whole.shape if plan is None else plan.shape  # type: ignore[union-attr]
    if len(at) > len(shape) or any(not 0 <= i < n for i, n in zip(at, shape, strict=False)):
        raise broken(
            catalogue.paths[entry["shard"]],
            catalogue.name(entry),
            f"its labels name the position {tuple(at)}, its tensor is {' x '.join(map(str, shape))}",
        )
    if whole is not None:
        return np.ascontiguousarray(whole[tuple(at)])
    assert plan is not None  # noqa: S101
    return _slice(catalogue, entry, plan, at)


def load(catalogue: Catalogue, entry: np.void) -> torch.Tensor:
    """The whole tensor of a shard, as torch loads it.

    Raises:
        SceneUnreadable: the member is cut off or damaged, or no tensor.
    """
    path = catalogue.paths[entry["shard"]]
    with path.open("rb") as file, Part(file, int(entry["offset"]), int(entry["size"])) as part:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tensor = torch.load(io.BufferedReader(part), map_location="cpu", weights_only=True)
        except _CANNOT as cause:
            raise broken(path, catalogue.name(entry), str(cause).split("\n")[0][:200]) from cause
    if not isinstance(tensor, torch.Tensor):
        raise SceneUnreadable(f"{catalogue.name(entry)} in the shard {path} holds {type(tensor).__name__}, no tensor")
    return tensor


def _slice(catalogue: Catalogue, entry: np.void, plan: Plan, at: Sequence[int]) -> Shaped[np.ndarray, "..."]:
    rest = plan.shape[len(at) :]
    dtype = np.dtype(plan.dtype)
    skipped = sum(i * prod(plan.shape[n + 1 :]) for n, i in enumerate(at))
    path = catalogue.paths[entry["shard"]]
    begin = int(entry["data"]) + plan.start
    inside = begin + prod(plan.shape) * dtype.itemsize <= int(entry["offset"] + entry["size"])
    values = np.fromfile(path, dtype, prod(rest) if inside else 0, offset=begin + skipped * dtype.itemsize)
    if values.size < prod(rest):
        raise broken(path, catalogue.name(entry), "it ends before its tensor does")
    return values.reshape(rest)


def _plan_of(catalogue: Catalogue, entry: np.void) -> Plan | None:
    if entry["pickle"] < 0:
        return None
    pickle = catalogue.pickles[entry["pickle"]]
    if pickle not in _PLANS:
        _PLANS[pickle] = _described(catalogue, entry)
    return _PLANS[pickle]


_PLANS: dict[bytes, Plan | None] = {}
"""A few hundred bytes for each kind of tensor met in this process; holds no pixel."""


def _described(catalogue: Catalogue, entry: np.void) -> Plan | None:
    """What torch says of a tensor, without its numbers."""
    with FakeTensorMode():
        tensor = load(catalogue, entry)
    dtype = _NUMPY.get(tensor.dtype)
    if dtype is None or not tensor.is_contiguous():
        return None
    return Plan(tuple(tensor.shape), dtype, int(tensor.storage_offset()) * tensor.element_size())


_NUMPY = {
    torch.float32: "<f4",
    torch.float64: "<f8",
    torch.float16: "<f2",
    torch.int16: "<i2",
    torch.uint16: "<u2",
    torch.int32: "<i4",
    torch.uint8: "|u1",
}
