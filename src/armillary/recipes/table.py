"""The table of recipes. A new one is one line here and one file beside this."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from armillary.recipes.cop_gen import NANO, THUMB, WORLD, cop_gen, pairs_of, thumbs_of, world_of
from armillary.recipes.copernicus_fm import PAPER, UPSTREAM, CopernicusFMRecipe, copernicus_fm
from armillary.recipes.fomo_net import NANO as FOMO_NANO
from armillary.recipes.fomo_net import NANO_GROUPED, NANO_M, fomo_net
from armillary.recipes.fomo_net import PAPER as FOMO_PAPER
from armillary.recipes.places import Places, open_places
from armillary.recipes.softcon import INFO_NCE, MAE, SIGLIP, SOFTCON, SUPCON, labelled_places, softcon
from armillary.train.config import TrainConfig
from armillary.train.run import Job


@dataclass(frozen=True)
class Recipe:
    """What `armillary train` runs under a name.

    Args:
        line: what it does.
        start: its configuration, which files and overrides change.
        job: configuration and places -> the run.
        places: what `--data` holds, given with the configuration.
    """

    line: str
    start: TrainConfig
    job: Callable[[Any, Places], Job]
    places: Callable[[Path | None, Any], Places] = lambda folder, _: open_places(folder)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "copernicus-fm": Recipe("the nano size, for a laptop", CopernicusFMRecipe(), copernicus_fm),
        "copernicus-fm-paper": Recipe("the base size as in the paper, for many GPUs", PAPER, copernicus_fm),
        "copernicus-fm-upstream": Recipe("the same with the released code's mistakes", UPSTREAM, copernicus_fm),
        "softcon": Recipe("land cover as a teacher of any encoder", SOFTCON, softcon, labelled_places),
        "supcon": Recipe("labels as classes of views, on any encoder", SUPCON, softcon, labelled_places),
        "info-nce": Recipe("views alone, on any encoder", INFO_NCE, softcon, labelled_places),
        "siglip": Recipe("the same by the sigmoid loss", SIGLIP, softcon, labelled_places),
        "mae": Recipe("hidden patches, on Copernicus-FM; the control of the four above", MAE, softcon, labelled_places),
        "fomo-net": Recipe("FoMo-Net, one patch layer for all bands; a nano size", FOMO_NANO, fomo_net),
        "fomo-net-m": Recipe("the same, one patch layer for each band", NANO_M, fomo_net),
        "fomo-net-grouped": Recipe("the same, bands that are alike share tokens", NANO_GROUPED, fomo_net),
        "fomo-net-paper": Recipe("FoMo-Net as in the paper, for a GPU", FOMO_PAPER, fomo_net),
        "cop-gen-thumb": Recipe("any to any of flood sites, before and after", THUMB, cop_gen, thumbs_of),
        "cop-gen-nano": Recipe("any to any of real places, physical units", NANO, cop_gen, pairs_of),
        "cop-gen-world": Recipe("the same of a synthetic world", WORLD, cop_gen, world_of),
    }
)
