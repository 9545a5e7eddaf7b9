"""What a file of labels holds: how many scenes have one, how often each class comes, and beside which others."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from armillary.earth.legend import CLASSES
from armillary.sample.landcover import multi_hot
from armillary.sample.scene_labels import SceneLabels


@dataclass(frozen=True, eq=False)
class LabelStatistics:
    """Counts over a file of labels.

    Args:
        locations: that it names.
        scenes: that it names.
        labelled_locations: with a label in at least one season.
        labelled: scenes with a label.
        counts: of scenes of each class.
        together: of scenes of two classes; its diagonal is `counts`.
        classes_per_scene: how many scenes have 0, 1, ... 9 classes.
        seasons: how many locations have 0, 1, ... labelled seasons.
        changing: share of locations with two or more labelled seasons whose labels differ between seasons.
        in_common: share of pairs of labelled scenes with a class in common; where it is near 1, that says nothing.
    """

    locations: int
    scenes: int
    labelled_locations: int
    labelled: int
    counts: Int[np.ndarray, "9"]
    together: Int[np.ndarray, "9 9"]
    classes_per_scene: Int[np.ndarray, "10"]
    seasons: tuple[int, ...]
    changing: float
    in_common: float

    @property
    def shares(self) -> Float[np.ndarray, "9"]:
        """Of each class among labelled scenes."""
        return self.counts / max(self.labelled, 1)


def statistics_of(labels: SceneLabels) -> LabelStatistics:
    """Counts over labels.

    Example:
        >>> found = statistics_of({"a": {"x": (0, 1), "y": (1,)}, "b": {"z": ()}})
        >>> found.labelled, found.scenes, found.changing
        (2, 3, 1.0)
    """
    seasons = [[classes for classes in products.values() if classes] for products in labels.values()]
    kinds = Counter(classes for found in seasons for classes in found)
    hot = np.array([multi_hot(classes) for classes in kinds]).reshape(-1, len(CLASSES)).astype(int)
    many = np.array(list(kinds.values()), dtype=int)
    per_scene = np.zeros(len(CLASSES) + 1, dtype=int)
    np.add.at(per_scene, hot.sum(axis=1), many)
    scenes = sum(len(products) for products in labels.values())
    per_scene[0] = scenes - int(many.sum())
    together = (hot * many[:, None]).T @ hot
    repeated = [found for found in seasons if len(found) > 1]
    return LabelStatistics(
        locations=len(labels),
        scenes=scenes,
        labelled_locations=sum(bool(found) for found in seasons),
        labelled=int(many.sum()),
        counts=np.diag(together).copy(),
        together=together,
        classes_per_scene=per_scene,
        seasons=tuple(np.bincount([len(found) for found in seasons], minlength=1).tolist()),
        changing=sum(len(set(found)) > 1 for found in repeated) / max(len(repeated), 1),
        in_common=_in_common(hot, many),
    )


def _in_common(hot: Int[np.ndarray, "k 9"], many: Int[np.ndarray, " k"]) -> float:
    """Share of pairs of different scenes with a class in common; kinds of labels are at most 511."""
    n = int(many.sum())
    shared = (hot @ hot.T) > 0
    pairs = many @ shared @ many - n
    return float(pairs / (n * (n - 1))) if n > 1 else 0.0
