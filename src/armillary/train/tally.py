"""Tally: numbers by name, summed over processes, though no process need know every name.

Processes keep one table of names. As long as nobody meets a new one, a sum is a single message; otherwise all agree on
a longer table first. A name that no process has is no part of the result.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.train.devices import Devices


class Tally:
    """Sums by name over the processes of `devices`; every process must ask at the same time."""

    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self._names: tuple[str, ...] = ()

    def sum(self, local: Mapping[str, Float[Tensor, ""]]) -> dict[str, Float[Tensor, ""]]:
        """The sum of each number over the processes that have it, in float64, by sorted name."""
        if self.devices.ranks == 1:
            return {name: local[name].detach().double() for name in sorted(local)}
        while True:
            table = self._table(local)
            if float(self.devices.sum(table)[0, 0]) == 0:
                there = table[1:, 0].tolist()
                return {name: table[1 + i, 1] for i, name in enumerate(self._names) if there[i] > 0}
            found = self.devices.gather(sorted(local))
            self._names = tuple(sorted({*self._names, *(str(n) for names in found for n in _listed(names))}))

    def _table(self, local: Mapping[str, Tensor]) -> Float[Tensor, "n 2"]:
        """Row 0: whether a name is new here. Then a row per name: whether it is here, and its number."""
        table = torch.zeros(1 + len(self._names), 2, dtype=torch.float64, device=self.devices.device)
        table[0, 0] = float(bool(set(local) - set(self._names)))
        for i, name in enumerate(self._names, start=1):
            if name in local:
                table[i, 0] = 1
                table[i, 1] = local[name].detach()
        return table


def _listed(names: object) -> list[object]:
    return list(names) if isinstance(names, list) else []
