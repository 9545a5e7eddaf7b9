"""Recall: a value computed from weights, kept as long as those weights are the same.

A *fingerprint* says which weights: the address and the version counter of each parameter. Every in-place change that
autograd knows of (optimiser step, load_state_dict, init) raises the counter; `.to()` changes the address. Writing
through `.data` raises nothing: call `clear()` after that.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
Fingerprint = tuple[tuple[int, int], ...]


def fingerprint(parameters: Iterable[Tensor]) -> Fingerprint:
    """Which weights these are."""
    return tuple((p.data_ptr(), 0 if p.is_inference() else p._version) for p in parameters)


class Recall(Generic[T]):
    """Values by key, as many as weigh `size` together; the oldest goes first. A copy begins empty.

    Args:
        size: what all values that are kept weigh.
        weigh: what one weighs; None: each 1, so that `size` counts them.
    """

    def __init__(self, size: int, weigh: Callable[[T], int] | None = None) -> None:
        self.size = size
        self.weigh = weigh
        self._kept: dict[Hashable, tuple[Fingerprint, T, int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __deepcopy__(self, memo: dict[int, object]) -> "Recall[T]":
        return Recall(self.size, self.weigh)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def get(self, key: Hashable, parameters: Iterable[Tensor], compute: Callable[[], T]) -> T:
        """The value of `key`; computed, without gradients, when it is new or the weights have changed."""
        now = fingerprint(parameters)
        found = self._kept.get(key)
        if found is not None and found[0] == now:
            return found[1]
        with torch.inference_mode(False), torch.no_grad():
            value = compute()
        self._kept.pop(key, None)
        weight = 1 if self.weigh is None else self.weigh(value)
        if weight > self.size:
            return value
        held = [(k, w) for k, (_, _, w) in list(self._kept.items())]  # a list: threads share a model
        room = self.size - weight - sum(w for _, w in held)
        for oldest, freed in held:
            if room >= 0:
                break
            self._kept.pop(oldest, None)
            room += freed
        self._kept[key] = (now, value, weight)
        return value
