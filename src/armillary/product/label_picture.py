"""A picture of a file of labels: how often each class comes, how many a scene has, and which come together."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from armillary.earth.legend import CLASSES, COLOURS
from armillary.errors import OutputRefused
from armillary.sample.label_statistics import LabelStatistics


def draw_statistics(found: LabelStatistics, path: Path) -> None:
    """Three panels: shares of scenes, classes per scene, and of the scenes of one class the share that has another.

    Raises:
        OutputRefused: the picture cannot be written.
    """
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    often, many, beside = figure.subplots(1, 3, width_ratios=(1.1, 0.8, 1.2))
    at = np.arange(len(CLASSES))
    often.barh(at, 100 * found.shares, color=COLOURS)
    often.set_yticks(at, CLASSES)
    often.invert_yaxis()
    often.set_xlabel("% of labelled scenes")
    often.set_title(f"{found.labelled} of {found.scenes} scenes labelled", fontsize="medium")
    many.bar(np.arange(len(CLASSES) + 1), found.classes_per_scene, color="0.5")
    many.set_xticks(np.arange(len(CLASSES) + 1))
    many.set_xlabel("classes of a scene")
    many.set_ylabel("scenes")
    shared = found.together / np.maximum(found.counts, 1)[:, None]
    drawn = beside.imshow(100 * shared, vmin=0, vmax=100, cmap="Greys")
    beside.set_xticks(at, CLASSES, rotation=60, ha="right", fontsize="small")
    beside.set_yticks(at, CLASSES, fontsize="small")
    beside.set_title("of scenes with the row's class, % with the column's", fontsize="medium")
    figure.colorbar(drawn, ax=beside)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as cause:
        raise OutputRefused(f"the picture cannot be written to {path}: {cause}; choose another place") from cause
