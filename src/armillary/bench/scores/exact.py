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


def exact_products(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> int:
    """The sum of x * y, in units of `2 ** -PLACES`; what a product loses by rounding is added to it (Dekker 1971).

    Example:
        >>> x = np.array([2.0**40 + 1])
        >>> real(exact_products(x, x)) == (2**40 + 1) ** 2
        True
    """
    high = x * y
    (x_big, x_small), (y_big, y_small) = _halves(x), _halves(y)
    low = ((x_big * y_big - high) + x_big * y_small + x_small * y_big) + x_small * y_small
    return exact(high) + (exact(low) if low.any() else 0)


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


def _halves(x: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Two numbers of 26 bits each, whose products are exact."""
    far = x * (2.0**27 + 1)
    big = far - (far - x)
    return big, x - big


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
