"""Encoding: how embeddings are stored. int8 is linear per dimension: value = stored * scale, -128 is nodata."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from armillary.errors import BadInput
from armillary.product.staging import Staging

Dtype = Literal["float32", "float16", "int8"]
NODATA = -128
"""Stored int8 that means nothing; values use -127 to 127."""
HALF_MAX = 65504.0
"""Largest float16."""


@dataclass(frozen=True)
class Encoding:
    """A stored type and, for int8, one scale per dimension."""

    dtype: Dtype
    scale: tuple[float, ...] | None = None

    @classmethod
    def fit(cls, dtype: str, staging: Staging) -> "Encoding":
        """The encoding of a finished scene; int8 scales make each dimension's largest magnitude 127."""
        if dtype == "int8":
            peak = np.zeros(staging.width, np.float32)
            h, w = staging.shape
            for row in range(h):
                values = np.abs(staging.read(slice(row, row + 1), slice(0, w)))
                np.fmax(peak, np.fmax.reduce(values, axis=(0, 1)), out=peak)
            return cls("int8", _scales(peak))
        if dtype == "float16":
            return cls("float16")
        if dtype == "float32":
            return cls("float32")
        raise BadInput(f"dtype {dtype!r} was asked; embeddings are stored as float32, float16 or int8")

    def refit(self, values: Float[np.ndarray, "n d"]) -> "Encoding":
        """The same type with scales for other vectors; NaN is left out."""
        if self.scale is None:
            return self
        return Encoding(self.dtype, _scales(np.fmax.reduce(np.abs(values), axis=0)))

    def encode(self, values: Float[np.ndarray, "... d"]) -> np.ndarray:
        """Values to what is stored, embeddings along the last axis."""
        if self.dtype == "float16":
            half: np.ndarray = np.clip(values, -HALF_MAX, HALF_MAX)
            return half.astype(np.float16)
        if self.scale is None:
            return values
        q: np.ndarray = np.clip(np.rint(values / np.array(self.scale, np.float32)), -127, 127)
        q[~np.isfinite(values)] = NODATA
        return q.astype(np.int8)

    def decode(self, stored: np.ndarray) -> Float[np.ndarray, "... d"]:
        """What is stored back to values; NaN where there is none."""
        values = stored.astype(np.float32)
        if self.scale is None:
            return values
        values = values * np.array(self.scale, np.float32)
        values[stored == NODATA] = np.nan
        return values


def _scales(peak: Float[np.ndarray, " d"]) -> tuple[float, ...]:
    return tuple(np.maximum(np.nan_to_num(peak) / 127, np.finfo(np.float32).tiny).astype(np.float32).tolist())
