"""Times: how noisy each strand of each place is shown while a joint model learns.

Independent times teach every mixture; but of m strands hardly ever one is clean and the others gone, which is what is
asked most. So a share of the places is shown as a request would show them: one strand wanted, the others given, wanted
too, or ignored, in all proportions.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor

Share = Annotated[float, Field(ge=0, le=1)]

_TIMES = 41
"""Last word of a seed."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Times:
    """How times are drawn.

    Args:
        at_0: probability that an independent time is exactly 0.
        at_T: probability that it is exactly 1.
        asked: share of the places that are shown as a request would show them.
        left_out: share of these whose ignored strands are not shown; the others' are shown as noise at T.
        late: of places shown as asked, the wanted strands' time is 1 - u ** late, u even between 0 and 1: 1 is even,
            more asks more often what the given strands alone tell.
        at_end: share of places shown as asked whose wanted strands are at time 1: nothing but what is given tells them.
        steps: independent times are whole multiples of 1 / steps, 1 / steps the least; None: any.
    """

    at_0: Share = 0.1
    at_T: Share = 0.1  # noqa: N815 (T is the end of the path)
    asked: Share = 0.5
    left_out: Share = 0.5
    late: Annotated[float, Field(gt=0)] = 1.0
    at_end: Share = 0.0
    steps: Annotated[int, Field(gt=0)] | None = None

    def draw(
        self, seeds: Sequence[int], present: Bool[Tensor, "b m"], wanted: Sequence[bool] | None = None
    ) -> tuple[Float[Tensor, "b m"], Bool[Tensor, "b m"]]:
        """Times from 0 to 1, and which strands are shown, item by item from its own seed; on the CPU.

        What is not present is at time 1 and not shown.

        Args:
            seeds: one per item.
            present: which strands an item has.
            wanted: whether a strand is ever wanted; one that is not is either clean or gone. None: all are.
        """
        able = np.ones(present.shape[1], bool) if wanted is None else np.asarray(wanted, bool)
        drawn = [self._one(seed, here, able) for seed, here in zip(seeds, present.cpu().numpy(), strict=True)]
        times, shown = (np.stack(column) for column in zip(*drawn, strict=True))
        return torch.from_numpy(times.astype(np.float32)), torch.from_numpy(shown)

    def _one(
        self, seed: int, present: Bool[np.ndarray, " m"], able: Bool[np.ndarray, " m"]
    ) -> tuple[Float[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
        rng = np.random.default_rng((seed, _TIMES))
        asked, left_out = rng.random(2) < (self.asked, self.left_out)
        may, everything = present & able, np.ones(len(present), bool)
        if asked and may.any():
            times, counts = self._as_asked(rng, may)
        else:
            times, counts = self._independent(rng, len(present)), everything
        times = np.where(able, times, times.round())
        counts = counts & (able | (times == 0))
        return np.where(present, times, 1.0), present & (counts if asked & left_out else everything)

    def _independent(self, rng: np.random.Generator, m: int) -> Float[np.ndarray, " m"]:
        """Each on its own."""
        times = 1 - rng.random(m)
        times = times if self.steps is None else np.ceil(times * self.steps) / self.steps
        end = rng.random(m)
        return np.where(end < self.at_0, 0.0, np.where(end < self.at_0 + self.at_T, 1.0, times))

    def _as_asked(
        self, rng: np.random.Generator, may: Bool[np.ndarray, " m"]
    ) -> tuple[Float[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
        """One time for what is wanted, 0 for what is given, 1 for what is ignored; and which are not ignored."""
        wanted = rng.choice(np.flatnonzero(may))
        time, given, ignored, end = rng.random(4)
        time = 1.0 if end < self.at_end else 1 - time**self.late
        role = rng.random((2, len(may)))
        held, out = role[0] < given, role[1] < ignored
        held[wanted] = out[wanted] = False
        return np.where(held, 0.0, np.where(out, 1.0, time)), held | ~out


AS_RELEASED = Times(at_0=0.0, at_T=0.0, asked=0.0, steps=1000)
"""Independent whole steps, neither clean nor quite gone."""
