"""`armillary build labels`: scenes labelled by their land cover, in the layout of SSL4EO-S12-ML."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from armillary.cli.flags import Json, Whole
from armillary.earth.legend import CLASSES, Legend, find_legend
from armillary.errors import BadInput, SceneNotFound
from armillary.product.label_picture import draw_statistics
from armillary.sample.label_statistics import LabelStatistics, statistics_of
from armillary.sample.labelling import Labeller, label_maps, label_scenes
from armillary.sample.landcover import RULES, How, Rule
from armillary.sample.scene_labels import SHARES, gathered, read_labels, write_labels, write_shares, written_together
from armillary.sample.ssl4eo import scenes_in
from armillary.scene.landcover import CoverFolder

TOP_CODE = 65535
"""Greatest code of a map of 16 bits."""


def labels(
    land_cover: Path,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    scenes: Path | None = None,
    legend: str = "dynamic-world",
    change: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    rule: str = "paper",
    threshold: float | None = None,
    least_valid: float | None = None,
    probabilities: How = "top",
    nodata: Whole | None = None,
    as_json: Json = False,
) -> None:
    """Label scenes by their land cover: {location: {product: ["0", ... "8"]}}, as SSL4EO-S12-ML is published.

    LAND_COVER is a raster or a folder of them: codes of a legend, or nine bands of probabilities in the order of
    Dynamic World. With --scenes, a folder of SSL4EO-S12 (s1, s2c, s2a), each scene takes the map of its name, or those
    that lie over it. Without, every raster is a scene. Beside OUTPUT lie a table of the shares of the ground (.parquet)
    and a picture of the statistics (.png). A LAND_COVER that is itself a file of labels (.json) is only
    described: nothing but the picture is written.

    Example: armillary build labels worldcover.tif --legend worldcover --scenes ssl4eo-s12 -o labels.json

    Args:
        land_cover: raster, folder of rasters, or a .json of labels.
        output: the file of labels.
        scenes: a folder of SSL4EO-S12.
        legend: what codes mean: dynamic-world, worldcover, esri, terramesh.
        change: another class for a code, such as 95=1 (mangroves as trees); may come several times.
        rule: paper (a single pixel counts) or clean (one percent of the known ground).
        threshold: least share of a class, in place of the rule's.
        least_valid: share of the ground that must be known for a label, in place of the rule's (0.5).
        probabilities: top (each pixel is of its likeliest class) or mean.
        nodata: code that means nothing was seen, in place of what the files say.
        as_json: print one JSON object instead of lines.
    """
    if output.suffix != ".json":
        raise BadInput(f"labels were to be written to {output}; give a name that ends in .json")
    if land_cover.suffix == ".json":
        statistics, picture = statistics_of(read_labels(land_cover)), output.with_suffix(".png")
        with written_together(picture) as aside:
            draw_statistics(statistics, aside / picture.name)
        _tell(statistics, (picture,), as_json=as_json)
        return
    if not land_cover.exists():
        raise SceneNotFound(f"land cover was asked for at {land_cover} and nothing is there; check the path")
    labeller = Labeller(
        _changed(find_legend(legend), change), _rule(rule, threshold, least_valid), probabilities, nodata
    )
    folder = CoverFolder(land_cover)
    shares, picture = output.with_suffix(f".{SHARES}"), output.with_suffix(".png")
    if picture.resolve() in {path.resolve() for path in folder.files}:
        raise BadInput(
            f"{picture} is one of the maps and the picture of the labels would take its place; choose another -o"
        )
    found = list(label_maps(folder, labeller) if scenes is None else label_scenes(scenes_in(scenes), folder, labeller))
    if scenes is not None and all(scene.cover is None for scene in found):
        raise SceneNotFound(
            f"land cover of the scenes of {scenes} was asked for and {land_cover} knows no ground of any; give maps "
            "that are named as the scenes are, or lie over them"
        )
    labelled = gathered(found)
    statistics = statistics_of(labelled)
    with written_together(output, shares, picture) as aside:
        write_labels(labelled, aside / output.name)
        write_shares(found, aside / shares.name)
        draw_statistics(statistics, aside / picture.name)
    _tell(statistics, (output, shares, picture), as_json=as_json)


def _rule(name: str, threshold: float | None, least_valid: float | None) -> Rule:
    if name not in RULES:
        raise BadInput(f"no rule is called {name!r}; known are {', '.join(RULES)}")
    own = RULES[name]
    return Rule(
        own.threshold if threshold is None else threshold, own.least_valid if least_valid is None else least_valid
    )


def _changed(legend: Legend, change: Sequence[str]) -> Legend:
    pairs = [text.split("=") for text in change]
    if any(len(p) != 2 or not all(_whole(word) for word in p) for p in pairs):
        raise BadInput(
            f"--change {' '.join(change)} was given; write CODE=CLASS, a code of 0 to {TOP_CODE}, such as 95=1"
        )
    return legend.changed({int(code): int(c) for code, c in pairs})


def _whole(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= len(str(TOP_CODE)) and int(word) <= TOP_CODE


def _tell(found: LabelStatistics, files: Sequence[Path], *, as_json: bool) -> None:
    shares = {name: round(float(s), 4) for name, s in zip(CLASSES, found.shares, strict=True)}
    if as_json:
        facts = {
            "scenes": found.scenes,
            "labelled": found.labelled,
            "locations": found.locations,
            "labelled_locations": found.labelled_locations,
            "changing": found.changing,
            "in_common": found.in_common,
            "shares": shares,
            "files": [str(f) for f in files],
        }
        print(json.dumps(facts))
        return
    print(
        f"{found.labelled} of {found.scenes} scenes labelled, at {found.labelled_locations} of {found.locations} places"
    )
    for name, share in shares.items():
        print(f"  {name:18} {100 * share:5.1f} %")
    print(f"pairs of scenes with a class in common: {100 * found.in_common:.0f} %")
    for file in files:
        print(f"  {file.name}")
