"""Exact sums: real numbers added without rounding, so that neither order nor split can change a sum.

A float64 is a whole number of `2 ** -PLACES`, however small it is; a sum of such numbers is a Python integer of the
same unit. Mantissas are added by exponent, so that arrays are added at the speed of arrays.
"""

from fractions import Fraction

import numpy as np
from jaxtyping import Float

PLACES = 1127
"""Binary places: 1,074 of the smallest float64 and the 53 of its mantissa."""

HALF = 26
"""Mantissas are added in two parts, the lower of this many bits: a float64 then holds the sum of `MOST` of them."""

MOST = 2**25


def exact(x: Float[np.ndarray, "..."]) -> int:
    """The sum of finite numbers, in units of `2 ** -PLACES`.

    Example:
        >>> real(exact(np.array([1e16, 1.0, -1e16])))
        Fraction(1, 1)
    """
    flat = np.asarray(x, dtype=np.float64).reshape(-1)
    return sum(_added(flat[start : start + MOST]) for start in range(0, len(flat), MOST))


def real(total: int) -> Fraction:
    """The number that an exact sum stands for."""
    return Fraction(total, 1 << PLACES)


def spelled(total: int) -> str:
    """An exact sum as a short text, `<hexadecimal>p<binary zeros that follow>`.

    Example:
        >>> read_exact(spelled(exact(np.array([0.1, 0.2])))) == exact(np.array([0.2, 0.1]))
        True
    """
    zeros = (total & -total).bit_length() - 1 if total else 0
    return f"{total >> zeros:x}p{zeros}"


def read_exact(text: str) -> int:
    """An exact sum from its text."""
    digits, zeros = text.split("p")
    return int(digits, 16) << int(zeros)


def _added(x: Float[np.ndarray, " n"]) -> int:
    if not len(x):
        return 0
    fraction, exponent = np.frexp(x)
    mantissa = (fraction * 2.0**53).astype(np.int64)
    least = int(exponent.min())
    high = np.bincount(exponent - least, weights=mantissa >> HALF)
    low = np.bincount(exponent - least, weights=mantissa & (2**HALF - 1))
    parts = enumerate(zip(high.tolist(), low.tolist(), strict=True), start=least - 53 + PLACES)
    return sum(((int(h) << HALF) + int(lo)) << place for place, (h, lo) in parts)
