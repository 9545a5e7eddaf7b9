"""Many processes, one score: each answers its share of the items, and all of them know the sums of every item.

Shares are never padded to equal length, as samplers for training do: an item that is asked twice counts twice.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from armillary.bench.scores.sums import Sums
from armillary.bench.scores.written import from_npz, to_npz
from armillary.errors import BadInput


def share(items: int, rank: int, ranks: int) -> range:
    """Numbers of the items that a process answers: every item is in one share.

    Example:
        >>> [list(share(5, rank, 2)) for rank in range(2)]
        [[0, 2, 4], [1, 3]]
    """
    return range(rank, items, ranks)


def gathered(mine: Sequence[Sums]) -> tuple[Sums, ...]:
    """Sums of every item in the order of items, on every process; alone, a process has them already.

    Args:
        mine: sums of the items of this process's `share`, in their order.

    Raises:
        BadInput: what the processes answered are no shares of one set of items.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return tuple(mine)
    shares = [from_npz(data) for data in _exchanged(to_npz(mine))]
    items, ranks = sum(map(len, shares)), len(shares)
    expected = [len(share(items, rank, ranks)) for rank in range(ranks)]
    if [len(some) for some in shares] != expected:
        raise BadInput(
            f"processes answered {[len(s) for s in shares]} items where {expected} make {items}; use share()"
        )
    return tuple(shares[item % ranks][item // ranks] for item in range(items))


def _exchanged(data: bytes) -> list[bytes]:
    """What every process gave, by rank."""
    ranks = dist.get_world_size()
    size = torch.tensor([len(data)])
    sizes = [torch.zeros_like(size) for _ in range(ranks)]
    dist.all_gather(sizes, size)
    room = max(int(s) for s in sizes)
    given = _padded(data, room)
    found = [torch.empty_like(given) for _ in range(ranks)]
    dist.all_gather(found, given)
    return [f[: int(s)].numpy().tobytes() for f, s in zip(found, sizes, strict=True)]


def _padded(data: bytes, room: int) -> Tensor:
    return torch.frombuffer(bytearray(data.ljust(room, b"\0")), dtype=torch.uint8)
