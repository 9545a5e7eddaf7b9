"""Specimens: tiny synthetic files in the exact layout of every archive of Copernicus-Bench.

They prove readers and let the whole benchmark run without a download. Their labels can be learned, a little: every
class and every number has its own brightness. A score on them says nothing about a model.
"""

from pathlib import Path
from typing import Literal
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from armillary.bench.archive import Archive
from armillary.bench.specimens.drawn import Recipe
from armillary.bench.specimens.layouts import LAYOUTS, Contents
from armillary.bench.tasks import COPERNICUS
from armillary.errors import OutputRefused

Form = Literal["extracted", "zipped"]


def write_specimens(
    root: Path, recipe: Recipe | None = None, *, form: Form = "extracted", nested: bool = False
) -> tuple[Path, ...]:
    """Write every archive below a folder and say where each lies.

    Args:
        root: the folder; made where it is not there.
        recipe: how much is drawn.
        form: zips as they are downloaded, or what extracting them leaves. HDF5 files are never zipped.
        nested: in the folders of the repository (l1_cloud_s2/...), or all beside one another.

    Raises:
        OutputRefused: one of them is there already.
    """
    chosen = recipe or Recipe()
    archives = tuple({task.archive.path: task.archive for task in COPERNICUS.values()}.values())
    written = []
    for number, archive in enumerate(archives):
        target = _target(root, archive, form, nested=nested)
        if target.exists():
            raise OutputRefused(f"{target} is there already; give a folder without specimens")
        target.parent.mkdir(parents=True, exist_ok=True)
        contents = LAYOUTS[archive.folder](np.random.default_rng((chosen.seed, number)), chosen)
        aside = target.with_name(f".{target.name}.part")
        (_zip if target.suffix == ".zip" else _extract)(aside, archive.folder, contents)
        aside.rename(target)
        written.append(target)
    return tuple(written)


def _target(root: Path, archive: Archive, form: Form, *, nested: bool) -> Path:
    home = root / Path(archive.path).parent if nested else root
    if not archive.path.endswith(".zip"):
        return home if nested else home / archive.folder
    return home / (Path(archive.path).name if form == "zipped" else archive.folder)


def _extract(target: Path, _: str, contents: Contents) -> None:
    for name, content in contents.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _zip(target: Path, folder: str, contents: Contents) -> None:
    with ZipFile(target, "w", ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(f"{folder}/{name}", content)
