"""Labelling: scenes and their land cover to labels, as SSL4EO-S12-ML was made from Dynamic World."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from armillary.earth.legend import LEGENDS, Legend
from armillary.errors import BadInput
from armillary.sample.landcover import RULES, Cover, How, Rule, cover_of_classes, cover_of_probabilities
from armillary.sample.scene_labels import Labelled
from armillary.sample.ssl4eo import Scenes
from armillary.scene.landcover import CoverFolder, CoverMap, read_cover


@dataclass(frozen=True)
class Labeller:
    """How land cover becomes labels.

    Args:
        legend: of maps of codes.
        rule: when a class counts.
        how: what probabilities become.
        nodata: code that means nothing was seen, in place of what the files say.
    """

    legend: Legend = LEGENDS["dynamic-world"]
    rule: Rule = RULES["paper"]
    how: How = "top"
    nodata: int | None = None

    def told(self, found: CoverMap) -> CoverMap:
        """The same map, known only where it tells a class, or a code that the legend should know and does not.

        Raises:
            BadInput: the file's nodata is a class of the legend, so that the two cannot be told apart.
        """
        if not found.is_codes:
            known = found.known & np.isfinite(found.values).all(axis=0) & (found.values != 0).any(axis=0)
            return replace(found, known=known, inside=known, nodata=None)
        codes = found.values[0]
        if self.nodata is not None:
            known = found.inside & (codes != self.nodata)
        elif found.nodata in self.legend.codes:
            raise BadInput(
                f"{found.href} says that {found.nodata:g} means nodata, and {found.nodata:g} is a class of "
                f"{self.legend.name}; say which number means nodata (such as 255), or write the file anew"
            )
        else:
            known = found.known
        known = known & ~np.isin(codes, [*self.legend.unsorted, *self.legend.empty])
        return replace(found, known=known, inside=known, nodata=None)

    def cover(self, found: CoverMap) -> Cover:
        """How much of the ground each class holds.

        Raises:
            BadInput: as `told`; or a code that the legend does not know.
        """
        found = self.told(found)
        if not found.is_codes:
            return cover_of_probabilities(found.values.astype(np.float32), window=found.window, how=self.how)
        return cover_of_classes(found.values[0], self.legend, window=found.window, known=found.known, href=found.href)


def label_maps(folder: CoverFolder, labeller: Labeller) -> Iterator[Labelled]:
    """Each raster of a folder as one scene, called by its path."""
    for path in folder.files:
        location, product = folder.names_of(path)
        cover = labeller.cover(read_cover(path))
        yield Labelled(location, product, labeller.rule.labels(cover), cover, path.name)


def label_scenes(scenes: Scenes, folder: CoverFolder, labeller: Labeller) -> Iterator[Labelled]:
    """Each scene of a folder of SSL4EO-S12, with the land cover under it; a scene without any has no label."""
    for location in scenes.locations:
        for product in scenes.products(location):
            found = folder.over(location, product, scenes.window(location, product), labeller.told)
            if found is None:
                yield Labelled(location, product, ())
                continue
            cover = labeller.cover(found)
            yield Labelled(location, product, labeller.rule.labels(cover), cover, _short(found.href))


def _short(href: str) -> str:
    """File names alone: a table that is given away says nothing of the machine that made it."""
    return "; ".join(Path(part).name for part in href.split("; "))
