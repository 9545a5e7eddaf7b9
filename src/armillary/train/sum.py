"""Sum: several objectives as one. They may hold the same model, which is then learned once, by all of them."""

from collections.abc import Sequence

from torch import nn

from armillary.errors import BadInput
from armillary.sample.stream import Draw
from armillary.train.objective import Objective, Term, module_of


class Sum(nn.Module):
    """The terms of every objective.

    Args:
        objectives: their terms have names of their own.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        super().__init__()
        self.objectives = nn.ModuleList([module_of(o) for o in objectives])

    def forward(self, draw: Draw) -> dict[str, Term]:
        """All terms of one draw."""
        terms: dict[str, Term] = {}
        for objective in self.objectives:
            found = objective(draw)
            twice = sorted(terms.keys() & found.keys())
            if twice:
                raise BadInput(f"two objectives give a term called {', '.join(twice)}; name their teachers differently")
            terms |= found
        return terms
