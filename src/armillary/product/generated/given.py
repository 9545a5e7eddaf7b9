"""Given: what was measured, as the network reads it; and what it is told of places that were not measured.

A strand without any number is absent for the network, as in training; a number that is unknown beside known ones
becomes what the model's field expects there (`models.holes`), or 0 without a field. Both are decided window by window,
so unknown numbers travel through the sampling loop as `UNKNOWN`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from einops import reduce
from jaxtyping import Bool, Float
from torch import Tensor

from armillary.errors import EmptyScene
from armillary.generate.denoiser import ByStrand
from armillary.product.generated.grid import reader
from armillary.product.generated.layout import mirrored
from armillary.product.generated.plan import Plan
from armillary.product.generated.store import Store
from armillary.sample.strands import HEIGHT_M, RELIEF_M, Bands, Categories, Code, Height, Relief

UNKNOWN = -1e30
"""Stands for a number that is not known; no value comes near it."""


@runtime_checkable
class Network(Protocol):
    """A joint model."""

    def __call__(self, x: ByStrand, times: Float[Tensor, "b m"], present: Bool[Tensor, "b m"] | None, /) -> ByStrand:
        """Of strands, their times, and which of them an item has."""

    def completed(self, given: ByStrand, known: Mapping[str, Bool[Tensor, "b _ _ _"]]) -> ByStrand:
        """Given strands without holes."""


READ_ROWS = 256
"""Rows that are read at once, about."""


def take(plan: Plan, store: Store) -> Iterator[int]:
    """Read what is given, once, and keep it as the network's numbers, with the valid mask; yields rows that are read.

    Raises:
        EmptyScene: not one pixel of something that is given was measured there.
    """
    layout = plan.layout
    h, w = layout.shape_px
    valid = store.array("valid", layout.grid.shape, "bool")
    kept = {s: store.array(f"given-{s}", layout.shapes[s]) for s in plan.roles.named("given")}
    for s, numbers in plan.told.items():
        kept[s][:] = numbers
    rows = max(1, READ_ROWS // layout.cell_px) * layout.cell_px
    cols = mirrored(slice(0, w), layout.grid.shape[1])
    readers = {k: reader(s, layout.grid, categories=k in plan.menu.categories) for k, s in plan.scenes.items()}
    blank = dict.fromkeys(readers, True)
    for top in range(0, h, rows):
        part = slice(top, min(top + rows, h))
        at = mirrored(part, layout.grid.shape[0])
        for key, read in readers.items():
            seen = _meant(plan, key, read(slice(int(at.min()), int(at.max()) + 1)))
            blank[key] &= not _mark(valid, seen, int(at.min()))
            _keep(plan, key, seen[:, at - at.min()][:, :, cols], part, kept)
        yield part.stop
    if not plan.scenes:
        valid[:] = True
    if empty := [key for key, yes in blank.items() if yes]:
        raise EmptyScene(
            f"{', '.join(empty)} was given and holds not one valid pixel on the grid of the products; leave it out, or "
            "check window=, nodata and whether the scenes overlap"
        )


def _meant(plan: Plan, key: str, seen: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "c h w"]:
    """The same with NaN for codes of categories that the model does not know."""
    codes = [c for c in plan.layout.codes if isinstance(c, Categories) and plan.known.get(c.name) == key]
    for code in codes:
        seen = np.where(np.isin(seen, code.codes), seen, np.float32(np.nan))
    return seen


def _mark(valid: np.ndarray, seen: Float[np.ndarray, "c h w"], top: int) -> bool:
    """Note where anything was measured; whether anything was."""
    known = np.isfinite(seen).any(axis=0)
    valid[top : top + seen.shape[1]] |= known
    return bool(known.any())


def _keep(plan: Plan, key: str, seen: Float[np.ndarray, "c h w"], rows: slice, kept: Mapping[str, np.ndarray]) -> None:
    """Numbers of every strand that is known by this name."""
    for code in plan.layout.codes:
        if plan.known.get(code.name) != key or isinstance(code, Height):
            continue
        step = plan.layout.step(code)
        numbers = _numbers(code, key, seen, plan.scenes[key].sensor.band_names, step)
        part = slice(rows.start // step, rows.stop // step)
        kept[code.name][:, part] = np.where(np.isfinite(numbers), numbers, np.float32(UNKNOWN))


def _numbers(
    code: Code, key: str, seen: Float[np.ndarray, "c h w"], bands: tuple[str, ...], step: int
) -> Float[np.ndarray, "d y x"]:
    """As `Code.physical` and `Code.encode` make them, of a part of any size; heights stay metres."""
    if isinstance(code, Bands):
        values = np.full((len(code.bands), *seen.shape[1:]), np.nan, np.float32)
        for channel, band in enumerate(code.bands):
            if band in bands:
                values[channel] = seen[bands.index(band)]
        return code.encode(_averaged(values + np.float32(dict(code.shifts).get(key, 0.0)), step))
    if isinstance(code, Categories):
        return code.encode(seen[:1])
    return _averaged(seen[:1], step)


def _averaged(values: Float[np.ndarray, "c h w"], step: int) -> Float[np.ndarray, "c y x"]:
    """Means over squares of pixels, of those that are known."""
    if step == 1:
        return values
    known = np.isfinite(values)
    sums, counts = (
        reduce(v, "c (h p) (w q) -> c h w", "sum", p=step, q=step)
        for v in (np.where(known, values, np.float32(0)), known.astype(np.float32))
    )
    means: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), np.float32(np.nan))
    return means


@dataclass(frozen=True, eq=False)
class Shown:
    """A network for windows of a scene: what is unknown or a height becomes what training shows in its place.

    A strand without any number is absent, heights become relief about the mean of each window, holes are filled.

    Args:
        network: the joint model.
        codes: of its strands.
        given: strands that are given.
    """

    network: Network
    codes: tuple[Code, ...]
    given: tuple[str, ...]

    @cached_property
    def _heights(self) -> tuple[str, str] | None:
        """Names of relief and mean height, where they are given."""
        names = [
            c.name for kind in (Relief, Height) for c in self.codes if isinstance(c, kind) and c.name in self.given
        ]
        return (names[0], names[1]) if len(names) == 2 else None

    @torch.no_grad()
    def __call__(self, x: ByStrand, times: Float[Tensor, "b m"], /) -> ByStrand:
        """Predictions."""
        shown, here = dict(x), torch.ones(times.shape, dtype=torch.bool, device=times.device)
        columns = {c.name: i for i, c in enumerate(self.codes)}
        known = {s: x[s] > UNKNOWN / 2 for s in self.given if s in x}
        for s, are in known.items():
            here[:, columns[s]] = are.flatten(1).any(dim=1)
        if (
            self._heights is not None
            and self._heights[0] in x
            and bool((times[:, columns[self._heights[0]]] == 0).all())
        ):
            relief, mean = self._heights
            shown |= dict(zip((relief, mean), _about_mean(x[relief], known[relief]), strict=True))
            here[:, columns[mean]] = here[:, columns[relief]]
            known[mean] = here[:, columns[mean], None, None, None]
        if known:
            shown |= self.network.completed({s: shown[s] for s in known}, known)
        said: ByStrand = self.network(shown, times, None if bool(here.all()) else here)
        return said


def _about_mean(metres: Float[Tensor, "b 1 h w"], known: Tensor) -> tuple[Tensor, Tensor]:
    """Relief and mean height as the network's numbers."""
    metres = torch.where(known, metres, 0.0)
    mean = metres.sum(dim=(2, 3), keepdim=True) / known.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    relief = torch.where(known, torch.asinh((metres - mean) / RELIEF_M), 0.0)
    return relief, torch.asinh(mean / HEIGHT_M)
