"""Teachers: frozen things that say something of a sample, for a student to learn from.

A *teacher* gives one vector per sample, a *map teacher* one map per sample on any grid. Neither is an nn.Module: what
a student's objective holds is trained, moved and saved, and a teacher is none of that. Copies share it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from armillary.errors import BadInput
from armillary.models.card import Card
from armillary.models.intake import IntakeCard
from armillary.models.weights import weights_sha256
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.tokens.tokens import Tokens

VISIBLE = ("B02", "B03", "B04")
"""Bands of Sentinel-2 whose mean is the brightness that people see."""


@runtime_checkable
class Teacher(Protocol):
    """Samples of one sensor, bands and size in, one vector each out, without gradients; NaN where it cannot say."""

    @property
    def name(self) -> str:
        """What the terms of its lessons are called."""

    @property
    def width(self) -> int:
        """Length of a vector."""

    @property
    def digest(self) -> str:
        """What decides its vectors, in one word: other weights or another preparation give another word."""

    @property
    def sensors(self) -> tuple[str, ...]:
        """What it reads."""

    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """The vectors, in float32."""


@runtime_checkable
class MapTeacher(Protocol):
    """Samples of one sensor, bands and size in, maps on a grid out, without gradients; NaN where it cannot say."""

    @property
    def name(self) -> str:
        """What the terms of its lessons are called."""

    @property
    def layers(self) -> int:
        """How many maps it gives of a sample."""

    @property
    def sensors(self) -> tuple[str, ...]:
        """What it reads."""

    def on_grid(self, samples: Sequence[Sample], rows: int, columns: int) -> Float[Tensor, "b k rows columns"]:
        """The maps, one number per cell of the grid, in float32."""


@runtime_checkable
class Encoder(Protocol):
    """A model that makes Tokens of a Batch and knows its card: any of the zoo."""

    training: bool

    @property
    def card(self) -> Card | IntakeCard:
        """How values become its input."""

    def __call__(self, batch: Batch) -> Tokens:
        """The tokens."""


@dataclass(frozen=True, eq=False)
class ModelTeacher:
    """A model of the zoo as a teacher: DINOv2, SoftCon, Copernicus-FM.

    Args:
        name: what the terms of its lessons are called.
        model: in eval mode; it is never changed.
        width: length of its vectors.
        vector: which of its vectors is taught.
        card: other than the model's own, as for upstream's z-scores.
        side_px: pixels are resized to this side (bilinear, antialiased); None leaves them, and then they must fit.
    """

    name: str
    model: Encoder
    width: int
    vector: Literal["pooled", "cls"] = "pooled"
    card: Card | IntakeCard | None = None
    side_px: int | None = None

    def __post_init__(self) -> None:
        if self.model.training:
            raise BadInput(f"the teacher {self.name} is in training mode; a teacher is frozen: call model.eval() first")

    def __deepcopy__(self, memo: dict[int, object]) -> "ModelTeacher":
        return self

    @property
    def _card(self) -> Card | IntakeCard:
        return self.model.card if self.card is None else self.card

    @property
    def sensors(self) -> tuple[str, ...]:
        """Those of its card."""
        return tuple(self._card.entries)

    @cached_property
    def digest(self) -> str:
        """Of the weights, of the numbers of the card and of how vectors are taken."""
        assert isinstance(self.model, nn.Module)  # noqa: S101 (every model of the zoo is one)
        how = f"{weights_sha256(self.model)} {self._card!r} {self.vector} {self.side_px}"
        return hashlib.sha256(how.encode()).hexdigest()

    def to(self, device: torch.device | str) -> "ModelTeacher":
        """The same teacher with its model moved; vectors come from there."""
        assert isinstance(self.model, nn.Module)  # noqa: S101
        self.model.to(device)
        return self

    @torch.no_grad()
    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """The model's vectors of these samples, in its own precision."""
        assert isinstance(self.model, nn.Module)  # noqa: S101
        device = next(self.model.parameters()).device
        batch = self._card.collate(samples).to(device)
        if self.side_px is not None and tuple(batch.pixels.shape[-2:]) != (self.side_px, self.side_px):
            batch = replace(batch, pixels=_resized(batch.pixels, self.side_px))
        with torch.autocast(device.type, enabled=False):
            tokens = self.model(batch)
        vectors = tokens.pooled if self.vector == "pooled" else tokens.cls
        return vectors.float()


@dataclass(frozen=True, eq=False)
class DescriptorTeacher:
    """What can be said without learning, as a teacher; see `armillary.models.descriptors`.

    Args:
        name: what the terms of its lessons are called; it says which function with which settings, too.
        width: length of its vectors.
        sensors: what it reads.
        describe: values of samples of one sensor, in its unit -> vectors.
    """

    name: str
    width: int
    sensors: tuple[str, ...]
    describe: Callable[[Float[Tensor, "b c h w"], Sample], Float[Tensor, "b d"]]

    @property
    def digest(self) -> str:
        """Its name: nothing else is known of a function."""
        return f"function {self.name} {self.width}"

    @torch.no_grad()
    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """The function's vectors."""
        return self.describe(stacked(samples), samples[0]).float()


@dataclass(frozen=True, eq=False)
class FunctionMaps:
    """Maps that a function makes of every pixel, averaged over the measured pixels of each cell of a grid.

    Args:
        name: what the terms of its lessons are called.
        layers: how many maps the function gives.
        sensors: what it reads.
        maps: values of samples of one sensor, in its unit -> one number per pixel and layer, NaN where unknown.
    """

    name: str
    layers: int
    sensors: tuple[str, ...]
    maps: Callable[[Float[Tensor, "b c h w"], Sample], Float[Tensor, "b k h w"]]

    @torch.no_grad()
    def on_grid(self, samples: Sequence[Sample], rows: int, columns: int) -> Float[Tensor, "b k rows columns"]:
        """Means over cells; NaN where nothing was measured in a cell."""
        return cell_means(self.maps(stacked(samples), samples[0]).float(), rows, columns)


INDICES: tuple[tuple[str, str, str], ...] = (
    ("vegetation (NDVI)", "B08", "B04"),
    ("open water (NDWI)", "B03", "B08"),
    ("built-up (NDBI)", "B11", "B08"),
    ("snow (NDSI)", "B03", "B11"),
)
"""Name, a and b of (a - b) / (a + b)."""


def indices(x: Float[Tensor, "b c h w"], sample: Sample) -> Float[Tensor, "b k h w"]:
    """The normalised differences of `INDICES`, -1 to 1, then the mean of the visible bands.

    NaN where a band is absent or the sum is not above 0, as over water after atmospheric correction.
    """
    at = {name: i for i, name in enumerate(sample.sensor.band_names)}
    nowhere = x.new_full(x[:, 0].shape, torch.nan)
    band = {n: x[:, at[n]] if n in at else nowhere for n in (*VISIBLE, *(n for _, a, b in INDICES for n in (a, b)))}
    ratios = [_ratio(band[a], band[b]) for _, a, b in INDICES]
    return torch.stack([*ratios, torch.stack([band[n] for n in VISIBLE]).mean(dim=0)], dim=1)


INDEX_MAPS = FunctionMaps("indices", len(INDICES) + 1, ("s2-l1c", "s2-l2a"), indices)
"""What Sentinel-2 shows without learning: vegetation, water, built-up, snow, brightness."""


def cell_means(x: Float[Tensor, "b k h w"], rows: int, columns: int) -> Float[Tensor, "b k rows columns"]:
    """The mean over the finite pixels of each cell of a grid laid over the pixels; NaN where there is none."""
    known = torch.isfinite(x)
    share = adaptive_avg_pool2d(known.to(x.dtype), (rows, columns))
    total = adaptive_avg_pool2d(torch.where(known, x, 0.0), (rows, columns))
    return torch.where(share > 0, total / share, torch.nan)


def stacked(samples: Sequence[Sample]) -> Float[Tensor, "b c h w"]:
    """Values of samples of one sensor, bands and size, as they are."""
    kinds = {(s.sensor.name, s.sensor.band_names, s.pixels.shape) for s in samples}
    if len(kinds) != 1:
        raise BadInput(f"a teacher takes samples of one sensor, bands and size at once, got {sorted(map(str, kinds))}")
    return torch.from_numpy(np.stack([s.pixels for s in samples]))


def _resized(pixels: Float[Tensor, "b c h w"], side_px: int) -> Float[Tensor, "b c {side_px} {side_px}"]:
    return interpolate(pixels, size=(side_px, side_px), mode="bilinear", antialias=True, align_corners=False)


def _ratio(a: Float[Tensor, "b h w"], b: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    return ((a - b) / torch.where(a + b > 0, a + b, torch.nan)).clamp(-1.0, 1.0)
