"""Strips: a scene goes through a model chip by chip, and comes out as finished rows of tokens, top to bottom.

Pixels are read and normalised ahead by threads, one fixed batch of chips at a time; the model runs in the calling
thread. Batches and their order follow from the lattice alone and only the token rows that are still open are in memory:
the map is bit-identical for every read window and number of threads, and memory does not grow with the scene.
"""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from armillary.earth.sensors import Sensor
from armillary.earth.when import to_days, utc
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, EmptyScene, OutOfRange, PlaceUnknown
from armillary.product.lattice import Chip, Lattice
from armillary.sample.array import sensor_of, window_of
from armillary.sample.batch import Batch

T = TypeVar("T")

GSD_TOLERANCE = 0.2
"""Relative difference of ground size from the sensor's own above which a warning is due."""


@runtime_checkable
class Embedded(Protocol):
    """What a model makes of a batch."""

    @property
    def pooled(self) -> Float[Tensor, "b d"]:
        """One vector per item."""

    @property
    def grid(self) -> Float[Tensor, "b d h w"]:
        """One vector per token."""


@runtime_checkable
class Encoder(Protocol):
    """A model that embeds: it normalises values of a sensor its own way and turns a batch into tokens."""

    def batch(
        self,
        pixels: Float[np.ndarray, "b c h w"],
        sensor: Sensor,
        *,
        lonlat: Float[np.ndarray, "b 2"],
        days: Float[np.ndarray, " b"],
        gsd_m: Float[np.ndarray, " b"],
        unit: str | None,
    ) -> Batch:
        """Values of a sensor in, a batch normalised as this model was trained out."""

    def __call__(self, batch: Batch) -> Embedded:
        """Tokens of a batch."""


@dataclass(frozen=True)
class Plan:
    """How a scene will be embedded.

    Args:
        sensor: narrowed to the scene's bands.
        window: the scene's place; its CRS may be None.
        days: since 1970-01-01, nan when unknown.
        unit: of the scene's values, None when the array does not say.
        lattice: where the chips lie.
        batch: chips that go through the model at once.
        tile: widest read in pixels; changes no value.
        workers: threads that read ahead; changes no value.
    """

    sensor: Sensor
    window: Window
    days: float
    unit: str | None
    lattice: Lattice
    batch: int = 8
    tile: int = 512
    workers: int = 1

    @property
    def token_window(self) -> Window:
        """The place of the token grid: one pixel per token, from the scene's first corner."""
        h, w = (n * self.lattice.patch_px for n in self.lattice.shape)
        return self.window.crop(rows=slice(0, h), cols=slice(0, w)).coarsen(self.lattice.patch_px)

    @property
    def batches(self) -> int:
        """How many batches the whole scene takes."""
        return -(-len(self.lattice) // self.batch)


@dataclass(frozen=True, eq=False)
class OpenRows:
    """Everything needed to go on: token rows begun but not finished, and the batch that comes next."""

    next_batch: int
    top: int
    sums: Float[np.ndarray, "h w d"]
    share: Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Strip:
    """Finished token rows.

    Args:
        rows: which rows of the token grid.
        grid: float32 (rows, columns, width); NaN where a token holds no valid pixel.
        share: valid pixels of each token, 0 to 1.
        chips: numbers of the chips embedded since the last strip.
        pooled: their pooled vectors, NaN where a chip holds no valid pixel.
        chip_weight: valid tokens that each of these chips answers for; over all chips they add up to the scene.
        open: the state to resume from, good until the next strip is asked for; None where one cannot stop.
    """

    rows: slice
    grid: Float[np.ndarray, "h w d"]
    share: Float[np.ndarray, "h w"]
    chips: range
    pooled: Float[np.ndarray, "n d"]
    chip_weight: Float[np.ndarray, " n"]
    open: OpenRows | None


def plan_of(
    array: xr.DataArray,
    *,
    patch_px: int | None = None,
    overlap: int | None = None,
    tile: int = 512,
    workers: int = 1,
    batch: int = 8,
) -> Plan:
    """Plan the embedding of a DataArray (band, y, x) as `arm.open` returns it.

    Args:
        array: values in the sensor's unit; attrs name the sensor, time and unit.
        patch_px: side of a token; None: the sensor's own. Smaller tokens cost more and show more.
        overlap: pixels that neighbouring chips share, a multiple of the patch; None: about a quarter.
        tile: widest read in pixels.
        workers: threads that read ahead.
        batch: chips at once.
    """
    if array.dims != ("band", "y", "x"):
        raise BadInput(f"an array (band, y, x) is needed, this one is {array.dims}; rename or transpose its dimensions")
    if not array.size:
        raise EmptyScene(f"an array of {array.shape} (band, y, x) holds not one pixel; check the slices it was cut by")
    if min(tile, workers, batch) < 1:
        raise OutOfRange(f"tile, workers and batch must be 1 or more, got {tile}, {workers} and {batch}")
    sensor, window, time = sensor_of(array), window_of(array), array.attrs.get("time")
    if patch_px is not None:
        if not 1 <= patch_px <= sensor.chip_px:
            raise OutOfRange(f"patch_px={patch_px} was asked; {sensor.name} takes 1 to {sensor.chip_px}")
        sensor = replace(sensor, patch_px=patch_px)
    days = float("nan") if time is None else to_days(utc(time))
    _warn_of_gsd(sensor, window)
    lattice = Lattice.of(window.shape, sensor, overlap)
    return Plan(sensor, window, days, array.attrs.get("unit"), lattice, batch, tile, workers)


def strips(array: xr.DataArray, encoder: Encoder, plan: Plan, start: OpenRows | None = None) -> Iterator[Strip]:
    """Embed a scene, yielding finished rows of tokens from top to bottom.

    Args:
        array: the scene.
        encoder: the model.
        plan: from `plan_of(array)`.
        start: where an earlier run stopped; None begins at the first row.

    Raises:
        EmptyScene: not one valid pixel in the whole scene.
    """
    first = 0 if start is None else start.next_batch
    canvas = _Canvas(plan.lattice, start)
    for index, loaded in enumerate(_ahead(_jobs(array, encoder, plan, first), plan.workers), first):
        pooled, grid = _run(encoder, loaded, plan)
        canvas.add(loaded, pooled, grid)
        done = min((index + 1) * plan.batch, len(plan.lattice))
        yield from canvas.flush(plan.lattice.finished(done), index + 1)
    if canvas.width is None:
        h, w = plan.lattice.shape_px
        raise EmptyScene(f"{plan.sensor.name} scene of {h} x {w} px holds not one valid pixel; check nodata and bands")


@dataclass(frozen=True, eq=False)
class _Loaded:
    """One batch of chips, read and normalised; chips without a valid pixel are not in `batch`."""

    numbers: range
    chips: tuple[Chip, ...]
    share: Float[np.ndarray, "n h w"]
    keep: tuple[int, ...]
    batch: Batch | None


def _jobs(array: xr.DataArray, encoder: Encoder, plan: Plan, first: int) -> Iterator[Callable[[], _Loaded]]:
    for index in range(first, plan.batches):
        numbers = range(index * plan.batch, min((index + 1) * plan.batch, len(plan.lattice)))
        yield partial(_load, array, encoder, plan, numbers)


def _ahead(jobs: Iterable[Callable[[], T]], workers: int) -> Iterator[T]:
    """Results in order; `workers` threads keep a few jobs ahead of the caller."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="armillary-read")
    queue: deque[Future[T]] = deque()
    try:
        for job in jobs:
            queue.append(pool.submit(job))
            if len(queue) > workers:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _load(array: xr.DataArray, encoder: Encoder, plan: Plan, numbers: range) -> _Loaded:
    chips = tuple(plan.lattice[n] for n in numbers)
    pixels = np.concatenate([_read(array, plan, group) for group in _groups(chips, plan.tile)])
    p = plan.lattice.patch_px
    n, _, h, w = pixels.shape
    seen = np.isfinite(pixels).any(axis=1)
    share = seen.reshape(n, h // p, p, w // p, p).mean(axis=(2, 4), dtype=np.float32)
    keep = tuple(int(i) for i in np.flatnonzero(share.any(axis=(1, 2))))
    batch = None
    if keep:
        known = [_known(plan.window, chips[i]) for i in keep]
        batch = encoder.batch(
            pixels[list(keep)],
            plan.sensor,
            lonlat=np.array([k[:2] for k in known]),
            days=np.full(len(keep), plan.days),
            gsd_m=np.array([k[2] for k in known]),
            unit=plan.unit,
        )
    return _Loaded(numbers, chips, share, keep, batch)


def _groups(chips: Iterable[Chip], tile: int) -> Iterator[tuple[Chip, ...]]:
    """Neighbours in one chip row that one read of at most `tile` columns covers."""
    group: tuple[Chip, ...] = ()
    for chip in chips:
        if group and (chip.row != group[0].row or chip.cols.stop - group[0].cols.start > tile):
            yield group
            group = ()
        group = (*group, chip)
    if group:
        yield group


def _read(array: xr.DataArray, plan: Plan, group: tuple[Chip, ...]) -> Float[np.ndarray, "n c h w"]:
    """The pixels of these chips by one read; NaN beyond the scene's last row and column."""
    height, width = plan.lattice.shape_px
    rows, cols = group[0].rows, slice(group[0].cols.start, group[-1].cols.stop)
    values = array[:, rows.start : min(rows.stop, height), cols.start : min(cols.stop, width)].values
    padding = ((0, 0), (0, max(0, rows.stop - height)), (0, max(0, cols.stop - width)))
    values = np.pad(values.astype(np.float32, copy=False), padding, constant_values=np.nan)
    return np.stack([values[:, :, c.cols.start - cols.start : c.cols.stop - cols.start] for c in group])


def _known(window: Window, chip: Chip) -> tuple[float, float, float]:
    """Longitude, latitude and ground size of a pixel at the chip's centre; nan for what is unknown."""
    place = window.crop(rows=chip.rows, cols=chip.cols)
    if place.crs is None:
        return np.nan, np.nan, np.nan
    try:
        return *place.center, place.gsd_m
    except (OutOfRange, PlaceUnknown):  # beyond the domain of the CRS, or a local one
        return np.nan, np.nan, np.nan


def _run(
    encoder: Encoder, loaded: _Loaded, plan: Plan
) -> tuple[Float[np.ndarray, "n d"] | None, Float[np.ndarray, "n h w d"] | None]:
    """Pooled vectors and tokens of the chips that hold pixels, None when none does."""
    if loaded.batch is None:
        return None, None
    with torch.inference_mode():
        tokens = encoder(loaded.batch)
        pooled, grid = tokens.pooled.float().cpu().numpy(), tokens.grid.float().cpu().numpy()
    if grid.shape[2:] != plan.lattice.chip_shape:
        raise BandMismatch(
            f"chips of {plan.lattice.chip_shape} tokens were given and the model returned {grid.shape[2:]}; "
            f"it must use patches of {plan.lattice.patch_px} px for {plan.sensor.name}"
        )
    return pooled, np.moveaxis(grid, 1, 3)


class _Canvas:
    """The open token rows: sums of weighted tokens, and what has been embedded since the last strip."""

    def __init__(self, lattice: Lattice, start: OpenRows | None) -> None:
        self.lattice = lattice
        self.top = 0 if start is None else start.top
        self.sums = None if start is None else start.sums.copy()
        self.share = np.zeros((0, lattice.shape[1]), np.float32) if start is None else start.share.copy()
        self.blank: list[slice] = []
        self.first_chip: int | None = None
        self.pooled: list[Float[np.ndarray, " d"] | None] = []
        self.weight: list[float] = []

    @property
    def width(self) -> int | None:
        """Length of an embedding, None until the first chip with pixels."""
        return None if self.sums is None else int(self.sums.shape[2])

    def add(
        self,
        loaded: _Loaded,
        pooled: Float[np.ndarray, "n d"] | None,
        grid: Float[np.ndarray, "n h w d"] | None,
    ) -> None:
        """Blend one batch in, chip by chip in the lattice's order."""
        if self.first_chip is None:
            self.first_chip = loaded.numbers.start
        th, tw = self.lattice.chip_shape
        self._reach(max(c.rows.stop for c in loaded.chips) // self.lattice.patch_px, grid)
        place = {number: k for k, number in enumerate(loaded.keep)}
        for i, chip in enumerate(loaded.chips):
            row, col = chip.rows.start // self.lattice.patch_px - self.top, chip.cols.start // self.lattice.patch_px
            weights = self.lattice.weights(chip)
            self.share[row : row + th, col : col + tw] = loaded.share[i]
            self.weight.append(float((weights * loaded.share[i]).sum()))
            k = place.get(i)
            if k is None or grid is None or pooled is None or self.sums is None:
                self.pooled.append(None)
                continue
            self.pooled.append(pooled[k])
            self.sums[row : row + th, col : col + tw] += weights[:, :, None] * grid[k]

    def flush(self, stop: int, next_batch: int) -> Iterator[Strip]:
        """The rows before `stop`, once any width is known; rows without a pixel wait for it."""
        if stop <= self.top:
            return
        n, rows = stop - self.top, slice(self.top, stop)
        share, self.share, self.top = self.share[:n], self.share[n:].copy(), stop
        if self.sums is None:
            self.blank.append(rows)
            return
        yield from self._blank_strips()
        grid, self.sums = self.sums[:n], self.sums[n:].copy()
        grid[share == 0] = np.nan
        first = self.first_chip or 0
        chips = range(first, first + len(self.pooled))
        empty = np.full(grid.shape[2], np.nan, np.float32)
        pooled = np.stack([empty if v is None else v for v in self.pooled])
        weight = np.array(self.weight, np.float32)
        self.first_chip, self.pooled, self.weight = None, [], []
        yield Strip(rows, grid, share, chips, pooled, weight, OpenRows(next_batch, stop, self.sums, self.share))

    def _blank_strips(self) -> Iterator[Strip]:
        """Rows above the first valid pixel, now that the width is known."""
        columns, d = self.lattice.shape[1], self.width or 0
        none, weight = np.empty((0, d), np.float32), np.empty(0, np.float32)
        for rows in self.blank:
            grid = np.full((rows.stop - rows.start, columns, d), np.nan, np.float32)
            yield Strip(rows, grid, np.zeros(grid.shape[:2], np.float32), range(0), none, weight, None)
        self.blank = []

    def _reach(self, stop: int, grid: Float[np.ndarray, "n h w d"] | None) -> None:
        """Make room for token rows before `stop`."""
        extra = stop - self.top - len(self.share)
        columns = self.lattice.shape[1]
        if extra > 0:
            self.share = np.concatenate([self.share, np.zeros((extra, columns), np.float32)])
        if self.sums is None and grid is not None:
            self.sums = np.zeros((0, columns, grid.shape[3]), np.float32)
        if self.sums is not None and len(self.sums) < len(self.share):
            more = np.zeros((len(self.share) - len(self.sums), columns, self.sums.shape[2]), np.float32)
            self.sums = np.concatenate([self.sums, more])


def _warn_of_gsd(sensor: Sensor, window: Window) -> None:
    try:
        gsd_m = window.gsd_m
    except (OutOfRange, PlaceUnknown):
        return
    if abs(gsd_m / sensor.gsd_m - 1) > GSD_TOLERANCE:  # never where it is nan
        warnings.warn(
            f"pixels are {gsd_m:.4g} m here, {sensor.name} is usually {sensor.gsd_m:g} m; the model is told the true "
            "area, resample the scene if the embeddings look off",
            stacklevel=3,
        )
