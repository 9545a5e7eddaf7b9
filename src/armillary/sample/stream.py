"""Stream: endless, shuffled, repeatable draws from a source, cut into steps.

Step k is a pure function of (source, places, batch size, seed, k): places are visited in a new order in every epoch,
and what is random about one visit depends on (seed, epoch, place) alone. So any number of workers gives the same
draws, processes take disjoint slices of one global batch, and a run goes on anywhere without replaying the past.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from armillary.errors import ArmillaryError, OutOfRange
from armillary.sample.sample import Sample
from armillary.sample.source import Source

Change = Callable[[Mapping[str, Sample], np.random.Generator], Mapping[str, Sample]]
"""What is done to the samples of one place before they are batched: crops, flips, dropped bands. Picklable."""

_ORDER, _ITEM, _MASK = 1, 2, 3
"""Last word of a seed, so that the order of places, a draw and an item's own seed never share random numbers."""

_SEED_BITS = 63
"""Seeds of items fit a signed 64-bit integer, which torch.Generator takes."""


@dataclass(frozen=True, eq=False)
class Draw:
    """The samples of one step, on one process.

    Args:
        step: counted from 0.
        keys: name of the place of each item.
        samples: sensor -> its samples; a sensor that no item has is an absent key.
        rows: sensor -> position in `keys` of each of its samples.
        seeds: one whole number per item, from which an objective derives what is random about it.
        repeats: items of one place that follow each other; parts of a draw keep them together.
    """

    step: int
    keys: tuple[str, ...]
    samples: Mapping[str, tuple[Sample, ...]]
    rows: Mapping[str, tuple[int, ...]]
    seeds: tuple[int, ...]
    repeats: int = 1

    def __len__(self) -> int:
        return len(self.keys)

    def split(self, parts: int) -> tuple["Draw", ...]:
        """The same items in order, as draws of about equal size; parts that would be empty are left out."""
        edges = [len(self) // self.repeats * i // parts * self.repeats for i in range(parts + 1)]
        return tuple(self._between(a, b) for a, b in pairwise(edges) if b > a)

    def _between(self, first: int, stop: int) -> "Draw":
        kept = {s: [i for i, row in enumerate(rows) if first <= row < stop] for s, rows in self.rows.items()}
        return Draw(
            self.step,
            self.keys[first:stop],
            {s: tuple(self.samples[s][i] for i in which) for s, which in kept.items() if which},
            {s: tuple(self.rows[s][i] - first for i in which) for s, which in kept.items() if which},
            self.seeds[first:stop],
            self.repeats,
        )


@dataclass(frozen=True, eq=False)
class Stream:
    """Draws without end.

    Args:
        source: what is drawn from.
        batch_size: items of one step over all processes.
        seed: of the order of places and of all that is random about an item.
        change: applied to the samples of one item.
        places: which places of the source; None means all. See `hold_out`.
        repeats: items of one place that follow each other, each drawn anew: the views that contrastive objectives need.
        workers: processes that read ahead; changes no value.
        start: the first step.
        rank: which of `ranks` processes this is; each gets its own slice of every batch.
        ranks: how many processes share a batch.
    """

    source: Source
    batch_size: int
    seed: int = 0
    change: Change | None = None
    places: tuple[int, ...] | None = None
    repeats: int = 1
    workers: int = 0
    start: int = 0
    rank: int = 0
    ranks: int = 1

    def __post_init__(self) -> None:
        if len(self._places) == 0:
            raise OutOfRange("the stream has no place to draw from; give a source that holds some, or other places=")
        if self.batch_size < self.ranks or self.repeats < 1 or self.batch_size % self.repeats:
            raise OutOfRange(
                f"a batch of {self.batch_size} cannot be shared by {self.ranks} processes in groups of {self.repeats} "
                "views; give batch_size= a multiple of the views that is no smaller than the number of processes"
            )
        if self.seed < 0 or self.start < 0 or not 0 <= self.rank < self.ranks:
            raise OutOfRange(
                f"seed={self.seed}, start={self.start}, rank {self.rank} of {self.ranks}: none may be negative, and "
                "rank is less than ranks"
            )

    @property
    def _places(self) -> Sequence[int]:
        return range(len(self.source)) if self.places is None else self.places

    def starting_at(self, step: int) -> "Stream":
        """The same draws from a later step on; costs nothing."""
        return replace(self, start=step)

    def shared_by(self, rank: int, ranks: int) -> "Stream":
        """The slice of every batch that one of several processes works on."""
        return replace(self, rank=rank, ranks=ranks)

    def __iter__(self) -> Iterator[Draw]:
        """Draws from `start` on. A place that cannot be read raises what the source raised."""
        loader = DataLoader(
            _Items(self),
            batch_sampler=_Steps(self),
            num_workers=self.workers,
            collate_fn=_collate,
            generator=torch.Generator().manual_seed(0),  # else the loader draws from the global one
            prefetch_factor=2 if self.workers else None,
        )
        for step, found in enumerate(loader, start=self.start):
            if isinstance(found, ArmillaryError):
                raise found
            yield replace(found, step=step, repeats=self.repeats)

    def item(self, index: int) -> tuple[str, Mapping[str, Sample], int]:
        """Key, samples and seed of one item, counted over all steps: item j of step k is k * batch_size + j."""
        visit, repeat = divmod(index, self.repeats)
        epoch, position = divmod(visit, len(self._places))
        place = self._places[_order(self.seed, epoch, len(self._places))[position]]
        rng = np.random.default_rng((self.seed, epoch, place, repeat, _ITEM))
        samples = self.source.draw(place, rng)
        if self.change is not None:
            samples = self.change(samples, rng)
        words = np.random.SeedSequence((self.seed, epoch, place, repeat, _MASK)).generate_state(1, np.uint64)
        return self.source.key(place), samples, int(words[0]) >> (64 - _SEED_BITS)


def place_of(key: str) -> str:
    """A key without what tells parts and repetitions of one place apart: all from the first @, # or * on."""
    return re.split("[@#*]", key, maxsplit=1)[0]


def hold_out(
    source: Source, share: float, block: Callable[[str], str] = place_of
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Places to train on and places held out, about `share` of them, decided by the hash of the block of each key.

    Places of one block stay together, and on their side whatever else the source holds; at least one block is on each
    side where there are two.

    Args:
        source: whose places.
        share: how many to hold out, from 0 to 1.
        block: key of a place -> name of what must not be cut, such as neighbours on the ground.
    """
    if not 0 <= share < 1:
        raise OutOfRange(f"a share of {share} cannot be held out; give at least 0 and less than 1")
    marks = [_mark(block(source.key(i))) for i in range(len(source))]
    held = {i for i, mark in enumerate(marks) if mark < share}
    if share > 0 and len(marks) > 1:
        held |= {i for i, mark in enumerate(marks) if mark == min(marks)}
        held -= {i for i, mark in enumerate(marks) if mark == max(marks) > min(marks)}
    return tuple(i for i in range(len(marks)) if i not in held), tuple(sorted(held))


def _mark(key: str) -> float:
    """A number from 0 to 1 that belongs to a name."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


@lru_cache(maxsize=8)
def _order(seed: int, epoch: int, n: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng((seed, epoch, n, 0, _ORDER)).permutation(n).tolist())


_Item = tuple[str, Mapping[str, Sample], int]


class _Items(Dataset[_Item | ArmillaryError]):
    """Items by their number; a failure is handed over whole, so that its message stays one sentence."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __getitem__(self, index: int) -> _Item | ArmillaryError:
        try:
            return self.stream.item(index)
        except ArmillaryError as error:
            return error


class _Steps:
    """The numbers of the items of each step, for this process."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[list[int]]:
        s, step = self.stream, self.stream.start
        groups = s.batch_size // s.repeats
        first, stop = (groups * r // s.ranks * s.repeats for r in (s.rank, s.rank + 1))
        while True:
            yield [step * s.batch_size + j for j in range(first, stop)]
            step += 1


def _collate(items: list[_Item | ArmillaryError]) -> Draw | ArmillaryError:
    whole: list[_Item] = []
    for item in items:
        if isinstance(item, ArmillaryError):
            return item
        whole.append(item)
    sensors = dict.fromkeys(sensor for _, samples, _ in whole for sensor in samples)
    rows = {s: tuple(i for i, (_, samples, _) in enumerate(whole) if s in samples) for s in sorted(sensors)}
    return Draw(
        step=-1,
        keys=tuple(key for key, _, _ in whole),
        samples={s: tuple(whole[i][1][s] for i in at) for s, at in rows.items()},
        rows=rows,
        seeds=tuple(seed for _, _, seed in whole),
    )
