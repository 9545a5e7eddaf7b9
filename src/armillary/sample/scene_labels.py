"""Labels of scenes on disk, as SSL4EO-S12-ML publishes them: location -> product -> classes (arXiv:2405.20462).

    {"0000003": {"20200403T100549_20200403T101937_T31PDQ": ["4", "5", "7"], ...}, ...}

Classes are words, "0" to "8"; an empty list means that the scene has no label. Shares of the ground, which the
published file does not hold, lie in a table of the same name beside it.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from armillary.earth.legend import CLASSES
from armillary.errors import ArmillaryError, BadInput, OutputRefused, SceneNotFound, SceneUnreadable
from armillary.sample.landcover import Cover

SceneLabels = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Location -> product -> classes, ascending; () where a scene has no label."""

WORDS = tuple(str(c) for c in range(len(CLASSES)))
"""Classes as the file writes them."""

SHARES = "parquet"
"""Ending of the table of shares."""


@dataclass(frozen=True)
class Labelled:
    """One scene with its label.

    Args:
        location: as the folders of SSL4EO-S12 are called.
        product: of one season there.
        labels: classes, ascending.
        cover: of the ground; None where no land cover was found.
        source: what the land cover was read from.
    """

    location: str
    product: str
    labels: tuple[int, ...]
    cover: Cover | None = None
    source: str = ""


def read_labels(path: Path) -> SceneLabels:
    """Labels of a file in the published layout, in its order.

    Raises:
        SceneNotFound: no such file.
        SceneUnreadable: it is of another layout, names a scene twice, or its classes do not ascend.
    """
    if not path.is_file():
        raise SceneNotFound(f"labels were asked for at {path} and nothing is there; check the path")
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
        return {
            location: {product: _classes(words) for product, words in _table(products).items()}
            for location, products in _table(found).items()
        }
    except (ValueError, TypeError, RecursionError) as cause:
        raise SceneUnreadable(
            f"{path} holds no labels ({cause}); give a file such as {{location: {{product: ['0', '4']}}}}"
        ) from cause


def text_of(labels: SceneLabels) -> str:
    """The text of a file of labels: one line, as Python's json writes it, in the order given.

    Example:
        >>> text_of({"0000003": {"20200403T100549": (4, 5), "20200702T100559": ()}})
        '{"0000003": {"20200403T100549": ["4", "5"], "20200702T100559": []}}'
    """
    plain = {p: {k: [str(c) for c in classes] for k, classes in found.items()} for p, found in labels.items()}
    return json.dumps(plain)


def write_labels(labels: SceneLabels, path: Path) -> None:
    """Write labels in the published layout, aside first, then renamed.

    Raises:
        OutputRefused: the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(text_of(labels), encoding="utf-8")
        aside.replace(path)
    except OSError as cause:
        aside.unlink(missing_ok=True)
        raise OutputRefused(f"labels cannot be written to {path}: {cause}; choose another place") from cause


@contextmanager
def written_together(*files: Path) -> Iterator[Path]:
    """A folder aside, beside files that belong together: what is written there takes their places, all or none.

    Raises:
        OutputRefused: there is no place for one of them.
    """
    folder = files[0].parent
    aside = folder / f".{files[0].name}.parts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)  # what a run left that was killed
        aside.mkdir()
        taken = next((file for file in files if file.is_dir()), None)
        if taken is not None:
            raise OutputRefused(f"{taken} was to be written and is a folder; choose another name")
        yield aside
        for file in files:
            (aside / file.name).replace(file)
    except OSError as cause:
        if isinstance(cause, ArmillaryError):
            raise
        raise OutputRefused(f"{files[0]} cannot be written: {cause}; choose another place") from cause
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def gathered(scenes: Iterable[Labelled]) -> SceneLabels:
    """Labels of scenes by location and product, both in the order of their names, as the published file has them.

    Raises:
        BadInput: a product of a location comes twice.
    """
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for scene in scenes:
        products = found.setdefault(scene.location, {})
        if scene.product in products:
            raise BadInput(f"{scene.product} of {scene.location} was labelled twice; give each scene one land cover")
        products[scene.product] = scene.labels
    return {location: dict(sorted(found[location].items())) for location in sorted(found)}


def write_shares(scenes: Iterable[Labelled], path: Path) -> None:
    """Write the cover of every scene as a table: location, product, valid, one column per class, source.

    Raises:
        OutputRefused: the file cannot be written.
    """
    rows = sorted(scenes, key=lambda s: (s.location, s.product))
    table = pa.table(
        {
            "location": [s.location for s in rows],
            "product": [s.product for s in rows],
            "valid": pa.array([0.0 if s.cover is None else s.cover.valid for s in rows], pa.float64()),
            **{name: pa.array([_share(s, c) for s in rows], pa.float64()) for c, name in enumerate(CLASSES)},
            "source": [s.source for s in rows],
        }
    )
    aside = path.with_name(f".{path.name}.part")
    try:
        pq.write_table(table, aside)
        aside.replace(path)
    except OSError as cause:
        aside.unlink(missing_ok=True)
        raise OutputRefused(f"shares cannot be written to {path}: {cause}; choose another place") from cause


def _share(scene: Labelled, c: int) -> float | None:
    """None, which the table shows as null, where nothing is known."""
    return None if scene.cover is None or not scene.cover.valid > 0 else scene.cover.fractions[c]


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The table of these pairs, of which json would keep the last alone where a name comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} comes twice")
    return found


def _table(found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        raise TypeError(f"{_short(found)} where a table was expected")
    return found


def _classes(words: object) -> tuple[int, ...]:
    if not isinstance(words, list) or not all(word in WORDS for word in words):
        raise ValueError(f"{_short(words)} where a list of classes was expected")
    if words != sorted(set(words)):
        raise ValueError(f"the classes {_short(words)}, which do not ascend")
    return tuple(int(word) for word in words)


def _short(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 60 else f"{text[:57]}..."
