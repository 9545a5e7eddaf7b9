"""Descriptors: what can be said of pixels without learning. Baselines for every encoder, and targets to learn from.

All take raw pixels in the sensor's physical unit, NaN where nothing was measured, and give one vector per item. They
have no parameters that are trained; `RandomPatches` holds patches that were drawn once, with a seed. A pixel that is
NaN in a band is left out of that band's numbers; a band without one valid pixel gives NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from armillary.earth.sensors import Sensor
from armillary.errors import BandMismatch, OutOfRange

PERCENTILES = (2.0, 10.0, 25.0, 50.0, 75.0, 90.0, 98.0)
"""In percent; the ends are robust forms of least and largest."""

RATIOS = (
    ("B08", "B04"),  # vegetation
    ("B03", "B08"),  # open water
    ("B08", "B11"),  # moisture
    ("B08", "B12"),  # burnt and bare ground
    ("B03", "B11"),  # snow, water
    ("B8A", "B05"),  # red edge
    ("B11", "B02"),  # roofs and dry soil
    ("B04", "B02"),  # iron
    ("NIR", "RED"),
    ("NIR", "SWIR"),
    ("Oa17", "Oa08"),
)
"""Pairs of band names whose normalised difference (a - b) / (a + b) is an index; pairs that are absent are left out."""

DIFFERENCES = (("VV", "VH"),)
"""The same for values in dB, whose difference is a ratio."""

GRADIENT_PERCENTILES = (50.0, 90.0)
COARSE_PX = 4
"""Side of the blocks whose means give the coarse gradient."""


def band_means(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
    """The mean of each band.

    Example:
        >>> band_means(torch.tensor([[[[1.0, 3.0], [torch.nan, 5.0]]]]))
        tensor([[3.]])
    """
    return torch.nanmean(x.flatten(2), dim=2)


def band_statistics(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 4*c"]:
    """Mean, standard deviation, least and largest of each band: all means first, then all deviations, and so on."""
    mean, std = _moments(x)
    bare = torch.isnan(x).flatten(2)
    none = bare.all(dim=2)
    least = x.flatten(2).masked_fill(bare, torch.inf).amin(dim=2).masked_fill(none, torch.nan)
    largest = x.flatten(2).masked_fill(bare, -torch.inf).amax(dim=2).masked_fill(none, torch.nan)
    return torch.cat([mean, std, least, largest], dim=1)


def rich_statistics(x: Float[Tensor, "b c h w"], sensor: Sensor) -> Float[Tensor, "b d"]:
    """Percentiles and deviation per band, percentiles of the spectral indices, and gradients at two scales.

    The names of the parts, in order, are those of `rich_names`.

    Raises:
        BandMismatch: pixels and sensor differ in their number of bands.
    """
    _same_bands(x, sensor)
    planes = index_planes(x, sensor)
    layers = x if planes is None else torch.cat([x, planes], dim=1)
    coarse = _coarse(layers)
    parts = [percentiles(layers, PERCENTILES).flatten(1), _moments(layers)[1]]
    for plane in (layers,) if coarse is None else (layers, coarse):
        slope = gradient(plane)
        parts += [torch.nanmean(slope.flatten(2), dim=2), percentiles(slope, GRADIENT_PERCENTILES).flatten(1)]
    return torch.cat(parts, dim=1)


def index_planes(x: Float[Tensor, "b c h w"], sensor: Sensor) -> Float[Tensor, "b i h w"] | None:
    """The spectral indices whose bands are there, as maps; None when there is none."""
    _same_bands(x, sensor)
    at = {name: i for i, name in enumerate(sensor.band_names)}
    ratios = [_ratio(x[:, at[a]], x[:, at[b]]) for a, b in RATIOS if a in at and b in at]
    steps = [x[:, at[a]] - x[:, at[b]] for a, b in DIFFERENCES if a in at and b in at]
    return torch.stack([*ratios, *steps], dim=1) if ratios or steps else None


def percentiles(x: Float[Tensor, "b c h w"], at: Sequence[float]) -> Float[Tensor, "b c q"]:
    """Percentiles (in percent) of each band, with linear interpolation, among its valid pixels.

    Example:
        >>> percentiles(torch.arange(5.0).reshape(1, 1, 1, 5), (50.0, 75.0))
        tensor([[[2., 3.]]])
    """
    ranked = _ranked(x.flatten(2))
    last = (~torch.isnan(ranked)).sum(dim=2, keepdim=True) - 1
    place = last.clamp_min(0) * torch.tensor(list(at), dtype=x.dtype, device=x.device) / 100
    low = place.floor()
    share = place - low
    below = ranked.gather(2, low.long())
    above = ranked.gather(2, torch.minimum(low.long() + 1, last.clamp_min(0)))
    return torch.lerp(below, above, share)


def gradient(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h-1 w-1"]:
    """Size of the step to the next pixel, per band: sqrt(dx^2 + dy^2) in the band's unit."""
    dx = x[..., :-1, 1:] - x[..., :-1, :-1]
    dy = x[..., 1:, :-1] - x[..., :-1, :-1]
    return (dx.square() + dy.square()).sqrt()


@dataclass(frozen=True, eq=False)
class RandomPatches:
    """Convolution with whitened patches of real scenes, both signs kept, averaged (MOSAIKS, Rolf et al. 2021).

    Args:
        sensor: which bands, in which order.
        mean: of each band where the patches were drawn.
        std: the same; values are standardised before they are filtered.
        filters: one bank per side of patch, whitened.
        bias: taken off each response before the sign is split, so that the features are sparse.
        step_px: between two places where patches are laid on.
    """

    sensor: Sensor
    mean: Float[Tensor, " c"]
    std: Float[Tensor, " c"]
    filters: tuple[Float[Tensor, "_ c _ _"], ...]
    bias: float
    step_px: int = 1

    @property
    def width(self) -> int:
        """Length of the vector of one item."""
        return 2 * sum(len(bank) for bank in self.filters)

    def __call__(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The features; what is not finite counts as the mean of its band."""
        _same_bands(x, self.sensor)
        z = torch.nan_to_num((x - _column(self.mean, x)) / _column(self.std, x), nan=0.0, posinf=0.0, neginf=0.0)
        parts = []
        for bank in self.filters:
            response = conv2d(z, bank.to(z), stride=self.step_px)
            parts += [(sign * response - self.bias).relu().mean(dim=(2, 3)) for sign in (1, -1)]
        return torch.cat(parts, dim=1)


def draw_patches(
    x: Float[Tensor, "b c h w"],
    sensor: Sensor,
    *,
    rng: torch.Generator,
    count: int = 256,
    sides_px: tuple[int, ...] = (3,),
    ridge: float = 0.01,
    bias: float = 1.0,
) -> RandomPatches:
    """Patches of these pixels, whitened, as filters.

    Args:
        x: where patches are drawn; a training part only.
        sensor: narrowed to the bands of `x`.
        rng: decides which patches.
        count: filters of each side.
        sides_px: sides of the patches.
        ridge: added to the patches' variances (1 after standardisation) before they are whitened.
        bias: in standard deviations of a filter's response.

    Raises:
        BandMismatch: pixels and sensor differ in their number of bands.
        OutOfRange: a patch is larger than the pixels.
    """
    _same_bands(x, sensor)
    if max(sides_px) > min(x.shape[-2:]):
        raise OutOfRange(f"patches of {max(sides_px)} px were asked of {x.shape[-2]} x {x.shape[-1]} px; take smaller")
    mean = torch.nanmean(x.transpose(0, 1).flatten(1), dim=1)
    std = torch.nanmean((x - _column(mean, x)).square().transpose(0, 1).flatten(1), dim=1).sqrt().clamp_min(1e-12)
    mean, std = torch.nan_to_num(mean, nan=0.0), torch.nan_to_num(std, nan=1.0)
    z = torch.nan_to_num((x - _column(mean, x)) / _column(std, x), nan=0.0, posinf=0.0, neginf=0.0)
    banks = tuple(_whitened(_cut(z, side, rng), count, ridge) for side in sides_px)
    return RandomPatches(sensor, mean, std, banks, bias)


CUTS = 8192
"""Patches from which the covariance of a bank is estimated; its filters are the first of them."""


def _cut(z: Float[Tensor, "b c h w"], side: int, rng: torch.Generator) -> Float[Tensor, "p c k k"]:
    b, _, h, w = z.shape
    item, row, col = (torch.randint(n, (CUTS,), generator=rng) for n in (b, h - side + 1, w - side + 1))
    return torch.stack([z[i, :, r : r + side, c : c + side] for i, r, c in zip(item, row, col, strict=True)])


def _whitened(cuts: Float[Tensor, "p c k k"], count: int, ridge: float) -> Float[Tensor, "f c k k"]:
    """Filters whose responses are the inner products of whitened patches, at unit variance."""
    flat = cuts.flatten(1).double()
    centred = flat - flat.mean(dim=0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(flat))
    root = vectors / (values.clamp_min(0.0) + ridge).sqrt() @ vectors.T
    chosen = centred[:count] @ root @ root  # (root p) . (root x): both sides whitened
    response = centred @ chosen.T
    bank = chosen / response.std(dim=0, keepdim=True).T.clamp_min(1e-12)
    whitened: Tensor = bank.float().reshape(-1, *cuts.shape[1:])
    return whitened


def _ranked(x: Float[Tensor, "b c n"]) -> Float[Tensor, "b c n"]:
    """Sorted, NaN last. NumPy sorts on the CPU, because it needs no positions and is ten times as fast."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.sort(x.numpy(), axis=2))
    return x.sort(dim=2).values


def _moments(x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
    mean = band_means(x)
    return mean, torch.nanmean((x - mean[:, :, None, None]).square().flatten(2), dim=2).sqrt()


def _coarse(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c rows columns"] | None:
    """Means of the valid pixels of blocks, or None where fewer than two blocks fit."""
    if min(x.shape[-2:]) < 2 * COARSE_PX:
        return None
    known = avg_pool2d(torch.isfinite(x).to(x.dtype), COARSE_PX)
    return avg_pool2d(x.nan_to_num(), COARSE_PX) / torch.where(known > 0, known, torch.nan)


def _ratio(a: Float[Tensor, "b h w"], b: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """(a - b) / (a + b), kept to -1 to 1; 0 where both are 0."""
    total = a + b
    safe = torch.where(total == 0, 1.0, total)
    return ((a - b) / safe).clamp(-1.0, 1.0)


def _column(values: Float[Tensor, " c"], like: Tensor) -> Float[Tensor, "c 1 1"]:
    return values.to(like)[:, None, None]


def _same_bands(x: Float[Tensor, "b c h w"], sensor: Sensor) -> None:
    if x.shape[1] != len(sensor.bands):
        raise BandMismatch(
            f"{sensor.name} has {len(sensor.bands)} bands here, pixels have {x.shape[1]}; select() the sensor's bands"
        )
