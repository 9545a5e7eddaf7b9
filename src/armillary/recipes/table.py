"""The table of recipes. A new one is one line here and one file beside this."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from armillary.recipes.copernicus_fm import PAPER, UPSTREAM, CopernicusFMRecipe, copernicus_fm
from armillary.recipes.places import Places
from armillary.train.config import TrainConfig
from armillary.train.run import Job


@dataclass(frozen=True)
class Recipe:
    """What `armillary train` runs under a name.

    Args:
        line: what it does.
        start: its configuration, which files and overrides change.
        job: configuration and places -> the run.
    """

    line: str
    start: TrainConfig
    job: Callable[[Any, Places], Job]


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "copernicus-fm": Recipe("the nano size, for a laptop", CopernicusFMRecipe(), copernicus_fm),
        "copernicus-fm-paper": Recipe("the base size as in the paper, for many GPUs", PAPER, copernicus_fm),
        "copernicus-fm-upstream": Recipe("the same with the released code's mistakes", UPSTREAM, copernicus_fm),
    }
)
