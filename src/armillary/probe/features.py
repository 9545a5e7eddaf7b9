"""Frozen features: computed once over a labelled set, kept under a name that says all they depend on, mapped from disk.

An *encoder* is any callable that gives one vector per Sample of a stack; `encoder` makes one of a model.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from armillary.errors import BadInput, OutputRefused
from armillary.models.card import Card
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.tokens.tokens import Tokens

OUTPUTS: Mapping[str, Callable[[Tokens], Float[Tensor, "b d"]]] = {
    "pooled": lambda tokens: tokens.pooled,
    "cls": lambda tokens: tokens.cls,
    "grid": lambda tokens: tokens.grid.mean(dim=(2, 3)),
}
"""What a model gives for one item, by name."""

Encoder = Callable[[Sequence[Sample]], Float[Tensor, "b d"]]


@dataclass(frozen=True)
class View:
    """How a model is asked for one vector.

    Args:
        output: "pooled", "cls", or "grid" (the mean of the map, without any norm).
        side_px: pixels are resized to squares of this side, their area moving along; None: as they are.
        knows: what the model is told: any of "place", "time", "area".
    """

    output: str = "pooled"
    side_px: int | None = None
    knows: tuple[str, ...] = ("place", "time", "area")

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise BadInput(f"output={self.output!r} is none of {', '.join(OUTPUTS)}; give one")
        odd = set(self.knows) - {"place", "time", "area"}
        if odd:
            raise BadInput(f"knows={self.knows} holds {', '.join(sorted(odd))}; give any of place, time, area")


@runtime_checkable
class Model(Protocol):
    """What has a card and turns a Batch into Tokens, as every encoder of the zoo."""

    card: Card

    def __call__(self, batch: Batch) -> Tokens:
        """Every item on its own."""


BLIND = View(knows=())
"""Pixels alone: neither place nor time nor area."""


def encoder(model: Model, view: View = View()) -> Encoder:
    """A model as an encoder of raw samples, without gradients."""

    def encode(samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        batch = seen(model.card.collate(samples), view)
        with torch.inference_mode():
            return OUTPUTS[view.output](model(batch)).float()

    return encode


def seen(batch: Batch, view: View) -> Batch:
    """The batch as a view shows it: resized, and with what is not to be known left out."""
    h, w = batch.pixels.shape[-2:]
    pixels, token_km2 = batch.pixels, batch.token_km2
    assert token_km2 is not None  # noqa: S101 (Batch fills it)
    if view.side_px is not None and (h, w) != (view.side_px, view.side_px):
        pixels = interpolate(pixels, size=(view.side_px, view.side_px), mode="bilinear", antialias=True)
        token_km2 = token_km2 * h * w / view.side_px**2
    return replace(
        batch,
        pixels=pixels,
        lonlat=batch.lonlat if "place" in view.knows else None,
        days=batch.days if "time" in view.knows else None,
        token_km2=token_km2 if "area" in view.knows else None,
    )


def frozen(samples: Iterable[Sample], encode: Encoder, *, batch_size: int = 32) -> Float[np.ndarray, "n d"]:
    """One vector per sample, in their order; samples of one batch must be of one size.

    Raises:
        BadInput: there are no samples.
    """
    rows = [encode(some).cpu().numpy() for some in _batches(samples, batch_size)]
    if not rows:
        raise BadInput("features of no samples were asked for; give at least one")
    return np.concatenate(rows)


@dataclass(frozen=True)
class Shelf:
    """A folder of arrays, each under the fingerprint of what it was computed from.

    Args:
        folder: made when first written to.
    """

    folder: Path

    def get(self, make: Callable[[], np.ndarray], *causes: object) -> np.ndarray:
        """The array of these causes, mapped from disk; computed and kept when it is not there.

        Args:
            make: computes it.
            causes: everything it depends on, as `fingerprint` takes it.

        Raises:
            OutputRefused: the folder cannot be written to.
        """
        path = self.folder / f"{fingerprint(*causes)}.npy"
        if not path.is_file():
            self._keep(path, np.ascontiguousarray(make()))
        kept: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return kept

    def _keep(self, path: Path, array: np.ndarray) -> None:
        aside = path.with_name(f".{path.stem}.{os.getpid()}.npy")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            np.save(aside, array, allow_pickle=False)
            aside.replace(path)
        except OSError as cause:
            aside.unlink(missing_ok=True)
            raise OutputRefused(f"features cannot be kept in {self.folder}: {cause}; choose another folder") from cause


def fingerprint(*causes: object) -> str:
    """SHA-256 over what a value depends on: models by their weights, files by their content, all else by its words.

    Example:
        >>> fingerprint("a", 1) == fingerprint("a", 1), fingerprint("a", 1) == fingerprint("a1")
        (True, False)
    """
    total = hashlib.sha256()
    for cause in causes:
        for part in _parts(cause):
            total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()[:32]


def _parts(cause: object) -> Iterator[bytes]:
    match cause:
        case nn.Module():
            yield repr(getattr(cause, "config", type(cause).__name__)).encode()
            for name, tensor in sorted(cause.state_dict().items()):
                yield name.encode()
                yield tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        case Path():
            yield cause.read_bytes()
        case np.ndarray():
            yield f"{cause.dtype.str}{cause.shape}".encode()
            yield np.ascontiguousarray(cause).tobytes()
        case _:
            yield repr(cause).encode()


def _batches(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    left = iter(samples)
    while some := list(islice(left, size)):
        yield some
