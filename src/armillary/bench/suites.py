"""Suites: every set of tasks by its name on the command line."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from armillary.bench.kuro_siwo import EVENTS_SUITE
from armillary.bench.real_mini import real_mini
from armillary.bench.task import Suite
from armillary.bench.tasks import COPERNICUS
from armillary.bench.variants import VARIANTS
from armillary.errors import BadInput

SUITES: Mapping[str, Callable[[], Suite]] = MappingProxyType(
    {
        "copernicus": lambda: COPERNICUS,
        "copernicus-variants": lambda: VARIANTS,
        "kuro-siwo": lambda: EVENTS_SUITE,
        "real-mini": real_mini,
    }
)
"""Name -> its tasks."""


def suite_of(name: str) -> Suite:
    """The tasks of a suite.

    Raises:
        BadInput: no such suite.
    """
    if name not in SUITES:
        raise BadInput(f"no suite is called {name!r}; known are {', '.join(SUITES)}")
    return SUITES[name]()
