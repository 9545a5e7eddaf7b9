"""Teachers: frozen things that say something of a sample, for a student to learn from.

A *teacher* gives one vector per sample, a *map teacher* one map per sample on any grid. Neither is an nn.Module: what
a student's objective holds is trained, moved and saved, and a teacher is none of that. Copies share it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

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
        """The model's vectors of these samples."""
        assert isinstance(self.model, nn.Module)  # noqa: S101
        batch = self._card.collate(samples).to(next(self.model.parameters()).device)
        if self.side_px is not None and tuple(batch.pixels.shape[-2:]) != (self.side_px, self.side_px):
            batch = replace(batch, pixels=_resized(batch.pixels, self.side_px))
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


@dataclass(frozen=True)
class IndexMaps:
    """Spectral indices and brightness as maps: vegetation, water, moisture, built-up; radar's ratio of VV to VH.

    The indices are those of `descriptors.index_planes` whose bands the samples have; Sentinel-2 has brightness (the
    mean reflectance of blue, green and red) besides, and Sentinel-1 its two bands.

    Args:
        bands: sensor -> bands that it has in all samples, so that the number of layers is known beforehand.
        name: what the terms of its lessons are called.
    """

    bands: tuple[str, ...]
    name: str = "indices"
    sensors: tuple[str, ...] = field(default=("s2-l1c", "s2-l2a"))

    @property
    def layers(self) -> int:
        """How many maps it gives of a sample."""
        return 0
