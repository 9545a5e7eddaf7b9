"""Team: the processes of one run. Each encodes and answers its share; sums over all of them are those of one process.

torchrun starts them and tells each by its environment which it is; they speak through gloo, on any device.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch.distributed as dist

from armillary import errors
from armillary.errors import ArmillaryError

T = TypeVar("T")
PATIENCE = timedelta(days=7)
"""How long one process waits for the others, who may be reading archives."""


@dataclass(frozen=True)
class Team:
    """One process among `size`; without torchrun it is alone.

    Args:
        rank: which, from 0.
        size: how many.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes what all share."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """What every process has, in the order of ranks."""
        if self.size == 1:
            return [value]
        found: list[T] = [value] * self.size
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Until all are here."""
        self.gather(None)

    def together(self, do: Callable[[], T]) -> T:
        """Do it in every process; when it fails in one, it fails in all with that error's words.

        Raises:
            ArmillaryError: of the kind that the first failing process met.
        """
        if self.size == 1:
            return do()
        try:
            done, fault = do(), None
        except Exception as error:
            done, fault = None, (type(error).__name__, str(error))
        faults = [f for f in self.gather(fault) if f is not None]
        if faults:
            kind, words = faults[0]
            found = getattr(errors, kind, ArmillaryError)
            raise found(words)
        return done  # type: ignore[return-value]

    def once(self, do: Callable[[], object]) -> None:
        """Do it in the leading process while the others wait; when it fails, it fails in all."""
        self.together(do if self.leads else _nothing)


ALONE = Team()


@contextmanager
def open_team() -> Iterator[Team]:
    """The processes that torchrun started, or this one alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    begun = dist.is_initialized()
    if not begun:
        dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        if not begun:
            dist.destroy_process_group()


def _nothing() -> None:
    return None
