"""Chance: random numbers that are a pure function of what they are for.

A number depends on (seed, place, visit, layer, position) and on nothing else: not on the batch, nor on the order in
which it is asked for, nor on the device. Positions are hashed by two rounds of a 32-bit mixer (multiply and shift),
which passes for noise here and is no cipher.
"""

from functools import lru_cache
from math import pi, prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

_FIRST, _SECOND, _STEP = 0x7FEB352D, 0x846CA68B - 2**32, 0x9E3779B1 - 2**32
"""Odd multipliers; as signed 32-bit numbers, which wrap."""


def key(seed: int, layer: int, *words: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """One 32-bit key per item, of a seed, a layer, and words such as a place and a visit."""
    state = torch.full_like(words[0], (seed * 0x9E3779B1 + layer * 0x85EBCA6B) % 2**31, dtype=torch.int32)
    state = _mix(state)
    for word in words:
        for part in (word, word >> 32):
            state = _mix(state ^ (part & 0x7FFFFFFF).to(torch.int32)) + _STEP
    return state


def uniform(key: Int[Tensor, " b"], *shape: int) -> Float[Tensor, "b ..."]:
    """Numbers in (0, 1), of a shape per item."""
    at = torch.arange(prod(shape), dtype=torch.int32, device=key.device)
    return _unit(_mix(_mix(at * _STEP ^ key[:, None]) + key[:, None])).view(len(key), *shape)


def of_number(key: Int[Tensor, " b"], number: Int[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
    """A number in (0, 1) for each whole number: equal numbers of one item get equal ones."""
    own = key.view(-1, *(1,) * (number.ndim - 1))
    return _unit(_mix(_mix(number.to(torch.int32) * _STEP ^ own) + own))


def normal(key: Int[Tensor, " b"], *shape: int) -> Float[Tensor, "b ..."]:
    """Standard normal numbers, of a shape per item (Box and Muller)."""
    n = prod(shape)
    u = uniform(key, n + n % 2)
    radius, turn = (-2 * u[:, : (n + 1) // 2].log()).sqrt(), 2 * pi * u[:, (n + 1) // 2 :]
    return torch.cat([radius * turn.cos(), radius * turn.sin()], dim=1)[:, :n].reshape(len(key), *shape)


def gamma(key: Int[Tensor, " b"], looks: int, *shape: int) -> Float[Tensor, "b ..."]:
    """Gamma numbers of mean 1 and variance 1 / looks: the mean of so many exponential ones."""
    return -uniform(key, looks, *shape).log().mean(dim=1)


def fields(
    key: Int[Tensor, " b"], slopes: tuple[float, ...], side: int, torus: int | None = None
) -> Float[Tensor, "b f h w"]:
    """Gaussian fields whose power falls with wavenumber as k^-slope, of mean 0 and variance 1 on their torus.

    Args:
        key: one per item.
        slopes: one field for each; 2 is rough, 3 like land, 5 smooth.
        side: of the part that is returned.
        torus: side of the torus that it is cut from; half as long again as the part when None, so that edges differ.
    """
    n = torus or side * 3 // 2
    phase = 2 * pi * uniform(key, len(slopes), n, n // 2 + 1)
    for column in (0, n // 2) if n % 2 == 0 else (0,):  # waves that are their own mirror: phases must be odd
        one = phase[..., column].clone()
        phase[..., column] = one - one.flip(-1).roll(1, -1)
    spectrum = _amplitudes(slopes, n).to(phase.device) * torch.polar(torch.ones_like(phase), phase)
    whole: Tensor = torch.fft.irfft2(spectrum, s=(n, n))
    return whole[..., :side, :side]


@lru_cache(maxsize=32)
def _amplitudes(slopes: tuple[float, ...], n: int) -> Float[Tensor, "f n m"]:
    """Amplitudes for irfft2 that give variance 1; the mean is 0."""
    ky, kx = torch.fft.fftfreq(n)[:, None] * n, torch.fft.rfftfreq(n)[None] * n
    k = torch.hypot(ky, kx)
    out = []
    for slope in slopes:
        amplitude = torch.where(k > 0, k.clamp(min=1) ** (-slope / 2), 0.0)
        twice = torch.where((kx > 0) & (kx < n / 2), 2.0, 1.0)
        out.append(amplitude * n * n / (twice * amplitude.square()).sum().sqrt())
    return torch.stack(out)


def _mix(x: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    x = (x ^ ((x >> 16) & 0xFFFF)) * _FIRST
    x = (x ^ ((x >> 15) & 0x1FFFF)) * _SECOND
    return x ^ ((x >> 16) & 0xFFFF)


def _unit(x: Int[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The upper 24 bits as a number in (0, 1)."""
    return (((x >> 8) & 0xFFFFFF).float() + 0.5) * 2.0**-24
