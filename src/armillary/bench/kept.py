"""Kept: a labelled set of equal sizes, decoded once and mapped from disk, with the place and time of every item."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from jaxtyping import Float, Int, Num

from armillary.bench.labels import Labelled
from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.probe.features import Encoder, Model, Shelf, View, encoder, fingerprint, frozen
from armillary.sample.sample import Sample

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Kept:
    """Pixels and facts of a labelled set.

    Args:
        labelled: the set.
        shelf: where arrays that are computed from it are kept.
        key: fingerprint of its files.
        pixels: in the sensor's unit, mapped from disk; in bytes where that loses nothing.
        affine: of each item, row-major.
        epsg: of each item, 0 where unknown.
        days: since 1970-01-01, nan where unknown.
    """

    labelled: Labelled
    shelf: Shelf
    key: str
    pixels: Num[np.ndarray, "n c h w"]
    affine: Float[np.ndarray, "n 6"]
    epsg: Int[np.ndarray, " n"]
    days: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, labelled: Labelled, shelf: Shelf) -> "Kept":
        """Decode what is not on the shelf yet.

        Raises:
            BadInput: a CRS of the set has no EPSG code, or its items differ in size.
        """
        key = fingerprint(*dict.fromkeys(labelled.hrefs), labelled.parts)
        causes = (key, labelled.sensor.name, labelled.sensor.band_names)
        pixels = shelf.get(
            lambda: _stack([_narrow(s.pixels) for s in labelled.samples()], labelled.name), "pixels", *causes
        )
        facts = shelf.get(lambda: np.array([_facts(s) for s in labelled.samples()]), "facts", *causes)
        return cls(labelled, shelf, key, pixels, facts[:, :6], facts[:, 6].astype(np.int64), facts[:, 7])

    def __len__(self) -> int:
        return len(self.labelled)

    def samples(self, items: Sequence[int] | Int[np.ndarray, " m"] | None = None) -> Iterator[Sample]:
        """Items in order; None = all."""
        for i in range(len(self)) if items is None else items:
            crs = int(self.epsg[i]) or None
            window = Window.of(self.pixels.shape[2:], tuple(self.affine[i].tolist()), crs)
            days = float(self.days[i])
            time = None if np.isnan(days) else _EPOCH + timedelta(days=days)
            yield Sample(np.array(self.pixels[i], dtype=np.float32), self.labelled.sensor, window, time)

    def lonlat(self) -> Float[np.ndarray, "n 2"]:
        """Centre of each item in degrees, nan where unknown."""
        nowhere = (np.nan, np.nan)
        return np.array([nowhere if s.window.crs is None else s.window.center for s in self.samples()])

    def features(self, model: Model, view: View, *, batch_size: int = 64) -> Float[np.ndarray, "n d"]:
        """Frozen features of a model over the whole set, kept on the shelf."""
        return self.encoded(encoder(model, view), model, view, batch_size=batch_size)

    def encoded(self, encode: Encoder, *causes: object, batch_size: int = 64) -> Float[np.ndarray, "n d"]:
        """Features of any encoder, kept on the shelf under its causes (see `armillary.probe.features.fingerprint`)."""
        return self.shelf.get(
            lambda: frozen(self.samples(), encode, batch_size=batch_size), "features", self.key, *causes
        )


def _narrow(pixels: Float[np.ndarray, "c h w"]) -> Num[np.ndarray, "c h w"]:
    """Whole numbers of 0 to 255 in one byte each, all others as they are."""
    with np.errstate(invalid="ignore"):
        small = pixels.astype(np.uint8)
    return small if np.array_equal(small, pixels) else pixels


def _stack(pixels: Sequence[Num[np.ndarray, "c h w"]], name: str) -> Num[np.ndarray, "n c h w"]:
    sizes = {p.shape for p in pixels}
    if len(sizes) != 1:
        raise BadInput(
            f"items of {name} have the sizes {sorted(sizes)}; only sets of one size are kept, crop them first"
        )
    return np.stack(pixels)


def _facts(sample: Sample) -> tuple[float, ...]:
    crs = sample.window.crs
    epsg = 0 if crs is None else crs.to_epsg()
    if epsg is None:
        raise BadInput(f"the coordinate system {crs} has no EPSG code, and only those are kept; read the set directly")
    return (*map(float, tuple(sample.window.affine)[:6]), float(epsg), sample.days)
