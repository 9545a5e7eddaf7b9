"""Answers: numbers of strands as values of sensors on the grid of the request, some rows at a time.

Strands with larger pixels are interpolated bilinearly to the grid, categories are taken as they are. Values are cut to
what is plausible for the sensor, and are NaN where nothing that was given was measured.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Bool, Float

from armillary.product.generated.heights import Blend, Side
from armillary.product.generated.menu import Output
from armillary.product.generated.plan import Plan
from armillary.product.generated.run import made_of
from armillary.product.generated.store import Store
from armillary.sample.strands import Bands, Categories, Height, Relief

ROWS = 256
"""Rows of the grid that are put together at once."""

FAR = 20.0
"""Network numbers of heights end here, millions of kilometres from the sea: their exponential stays a number."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What was made.

    Args:
        plan: what was asked.
        made: strand -> numbers of all samples.
        valid: where anything that was given was measured.
    """

    plan: Plan
    made: Mapping[str, np.ndarray]
    valid: Bool[np.ndarray, "h w"]

    @classmethod
    def of(cls, plan: Plan, store: Store) -> "Answers":
        """From a store that `take` and `run` have filled."""
        return cls(plan, made_of(plan, store), store.array("valid", plan.layout.grid.shape, "bool"))

    def values(self, output: Output, sample: int, rows: slice) -> Float[np.ndarray, "c h w"]:
        """Values of an output in its sensor's unit."""
        h, w = rows.stop - rows.start, self.plan.layout.grid.shape[1]
        found = np.full((len(output.sensor.bands), h, w), np.nan, np.float32)
        for code in output.codes:
            if isinstance(code, Bands):
                values = self._fine(code, partial(self._decoded, code, sample), rows)
                found[list(output.sensor.index(code.bands))] = values
            elif isinstance(code, Categories):
                found[:] = code.decode(self.made[code.name][sample][:, rows, :w])
            elif isinstance(code, Relief):
                found[:] = self._fine(code, partial(self._metres, code, sample), rows)
        low, high = output.sensor.plausible
        return np.where(self.valid[rows], np.clip(found, np.float32(low), np.float32(high)), np.float32(np.nan))

    def mean_and_spread(
        self, output: Output, rows: slice
    ) -> tuple[Float[np.ndarray, "c h w"], Float[np.ndarray, "c h w"]]:
        """Mean and standard deviation over the samples (n - 1), or 0 for one sample.

        Of categories: the most frequent one, and the share of samples that say another.
        """
        n = self.plan.samples
        samples = (self.values(output, i, rows) for i in range(n))
        if output.categories is not None:
            return _vote(output.categories, samples, n)
        mean, squares = np.zeros((), np.float64), np.zeros((), np.float64)
        for i, values in enumerate(samples, 1):  # Welford's way, exact for large means
            step = values - mean
            mean = mean + step / i
            squares = squares + step * (values - mean)
        return mean.astype(np.float32), np.sqrt(squares / max(n - 1, 1)).astype(np.float32)

    def blocks(self, multiple: int = 1) -> Iterator[slice]:
        """Rows of the grid from top to bottom, some at a time: a multiple of so many, but for the last."""
        h = self.plan.layout.grid.shape[0]
        step = max(1, ROWS // multiple) * multiple
        for top in range(0, h, step):
            yield slice(top, min(top + step, h))

    def _fine(
        self, code: Bands | Relief, read: Callable[[slice], Float[np.ndarray, "c y x"]], rows: slice
    ) -> Float[np.ndarray, "c h w"]:
        """Rows of the grid from a strand's own rows."""
        step, w = self.plan.layout.step(code), self.plan.layout.grid.shape[1]
        if step == 1:
            return read(rows)[:, :, :w]
        size = self.plan.layout.shapes[code.name][1:]
        part = slice(max(0, rows.start // step - 1), min(size[0], -(-rows.stop // step) + 1))
        coarse = read(part)
        down = _between(coarse, rows.start, rows.stop, step, part.start, size[0])
        across = _between(np.swapaxes(down, 1, 2), 0, w, step, 0, size[1])
        return np.ascontiguousarray(np.swapaxes(across, 1, 2))

    def _decoded(self, code: Bands, sample: int, rows: slice) -> Float[np.ndarray, "c y x"]:
        return code.decode(self.made[code.name][sample][:, rows])

    def _metres(self, code: Relief, sample: int, rows: slice) -> Float[np.ndarray, "1 y x"]:
        """Relief, and the mean heights of the windows, blended as the windows are."""
        about = self._blend.field(self._heights[sample], rows)[None]
        metres: np.ndarray = self._about(code, sample, rows) + about
        return metres

    def _about(self, code: Relief, sample: int, rows: slice) -> Float[np.ndarray, "1 y x"]:
        return code.decode(np.clip(self.made[code.name][sample][:, rows], -FAR, FAR))

    def _known(self, code: Relief, rows: slice) -> Bool[np.ndarray, "y x"]:
        """Rows of a strand's pixels: those in which anything that was given was measured."""
        step = self.plan.layout.step(code)
        valid = self.valid[rows.start * step : rows.stop * step]
        h, w = (rows.stop - rows.start) * step, self.plan.layout.shapes[code.name][2] * step
        whole = np.pad(valid, ((0, h - valid.shape[0]), (0, w - valid.shape[1])))
        return np.asarray(whole.reshape(h // step, step, w // step, step).any(axis=(1, 3)))

    @cached_property
    def _blend(self) -> Blend:
        layout, (relief, _) = self.plan.layout, self._elevation
        px = layout.cell_px // layout.step(relief)
        return Blend(Side(layout.windows.rows, px), Side(layout.windows.cols, px))

    @cached_property
    def _heights(self) -> Float[np.ndarray, "n r c"]:
        """Mean heights of the windows in metres, of every sample, moved so that neighbours agree."""
        relief, height = self._elevation
        told = height.decode(np.clip(self.made[height.name][:, 0], -FAR, FAR))
        found = [
            self._blend.agreed(means, partial(self._about, relief, sample), partial(self._known, relief), ROWS)
            for sample, means in enumerate(told)
        ]
        return np.stack(found).astype(np.float32)

    @cached_property
    def _elevation(self) -> tuple[Relief, Height]:
        """The two codes of an elevation that was made."""
        codes = [code for code in self.plan.layout.codes if code.name in self.made]
        return next(c for c in codes if isinstance(c, Relief)), next(c for c in codes if isinstance(c, Height))


def _between(
    coarse: Float[np.ndarray, "c y x"], start: int, stop: int, step: int, first: int, size: int
) -> Float[np.ndarray, "c h x"]:
    """Values at the middles of fine rows from those at the middles of coarse ones; beyond the outermost, theirs.

    Args:
        coarse: coarse rows from `first` on, of `size` in all.
        start: first fine row.
        stop: end of the fine rows.
        step: fine rows in a coarse one.
        first: number of the first coarse row that is there.
        size: coarse rows of the whole.
    """
    at = (np.arange(start, stop) + 0.5) / step - 0.5
    low = np.floor(at)
    share = (at - low).astype(np.float32)[:, None]
    above, below = (np.clip(low + d, 0, size - 1).astype(int) - first for d in (0, 1))
    values: np.ndarray = coarse[:, above] * (1 - share) + coarse[:, below] * share
    return values


def _vote(
    code: Categories, samples: Iterator[np.ndarray], n: int
) -> tuple[Float[np.ndarray, "1 h w"], Float[np.ndarray, "1 h w"]]:
    table = np.asarray(code.codes, np.float32)
    counts = np.zeros((), np.int64)
    for values in samples:
        counts = counts + (values == table[:, None, None])
    seen = counts.sum(axis=0, keepdims=True) > 0
    most = np.where(seen, table[counts.argmax(axis=0)][None], np.float32(np.nan))
    other = np.where(seen, 1 - counts.max(axis=0, keepdims=True) / np.float32(n), np.float32(np.nan))
    return most.astype(np.float32), other.astype(np.float32)
