"""`armillary build`: Copernicus-Pretrain from scenes, from one layout to the other, indexed and checked."""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from armillary.alone import alone
from armillary.cli.flags import Json, Whole
from armillary.errors import ArmillaryError, BadInput, OutputRefused, SceneNotFound, SceneUnreadable
from armillary.sample.convert import write_shards, write_tree
from armillary.sample.indexing import index_shards, index_tree
from armillary.sample.shards import CopernicusShards
from armillary.sample.tree import CopernicusTree
from armillary.scene.harvest import FolderHarvest
from armillary.scene.pretrain.build import DONE, LIST, Recipe
from armillary.scene.pretrain.build import build as build_tree
from armillary.scene.pretrain.index import NAME
from armillary.scene.pretrain.tree import is_tree
from armillary.scene.pretrain.verify import Checked, verify
from armillary.scene.pretrain.write import JOURNAL, begin

Layout = Literal["tree", "shards"]
Kind = Literal["scenes", "tree", "shards"]
Progressed = Iterator[tuple[str, int, int]]

LINES = 20
"""How many lines tell the progress where there is no terminal."""

STAGING = ".tree"
"""Where scenes become GeoTIFFs on their way to shards."""


build = App(
    name="build",
    help="Build Copernicus-Pretrain from scenes, turn one of its layouts into the other, or check a folder of it; or "
    "label scenes by their land cover.\n\nExample: armillary build scenes -o data --layout shards",
    help_format="plaintext",
)
build.command(
    "armillary.cli.build_labels:labels",
    name="labels",
    help="Label scenes by their land cover, as SSL4EO-S12-ML was made.\n\n"
    "Example: armillary build labels dynamic-world --scenes ssl4eo-s12 -o labels.json",
)


@build.default
def pretrain(
    source: Path,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    layout: Layout = "tree",
    kind: Kind | None = None,
    patches: Whole = 4,
    covered: float = 0.9,
    filled: float = 0.5,
    per_shard: Whole = 100,
    verify_only: Annotated[bool, Parameter(name="--verify", negative="")] = False,
    index_only: Annotated[bool, Parameter(name="--index", negative="")] = False,
    as_json: Json = False,
) -> None:
    """Build Copernicus-Pretrain from scenes, turn one of its layouts into the other, or check a folder of it.

    SOURCE may hold scenes of any kind that `armillary open` reads, GeoTIFFs in the published layout, or its WebDataset
    shards. The output gets an index (index.parquet). A run that was stopped goes on where it stood; two at once into
    one folder are refused, and when nothing can be built, none is left.

    Example: armillary build scenes -o data --layout shards; armillary build --verify data

    Args:
        source: the folder to build from, to check, or to index.
        output: the folder to write.
        layout: tree (GeoTIFFs and a file list) or shards (WebDataset).
        kind: what the source holds, when its looks deceive: scenes, tree, shards.
        patches: most local patches of Sentinel-1 and -2 in a cell, 1 to 7.
        covered: least part of a local patch that a scene must cover.
        filled: least part of a cell that a scene of the other sensors must cover.
        per_shard: most cells in a shard.
        verify_only: check every file of SOURCE, by its index where it has one; exit code 2 when something is wrong.
        index_only: write the index of SOURCE.
        as_json: print one JSON object instead of lines.
    """
    if verify_only:
        _verify(source, as_json=as_json)
        return
    held = kind or kind_of(source)
    if index_only:
        path = index_shards(source) if held == "shards" else index_tree(source)
        _say({"index": str(path)}, as_json=as_json)
        return
    if output is None:
        raise BadInput("nothing says where to write; give -o FOLDER, or --verify or --index")
    if held == layout:
        raise BadInput(f"{source} holds {held} already; choose the other --layout, or --index or --verify")
    if per_shard < 1:
        raise BadInput(f"{per_shard} cells in a shard were asked for; give at least one")
    recipe = Recipe(patches, covered, filled)
    with alone(output):
        harvest = _harvest(source) if held == "scenes" else None
        plan: dict[str, object] = {"source": source.name, "kind": held, "layout": layout, "per_shard": per_shard}
        if harvest is not None:
            plan |= {"scenes": harvest.checksum(), "recipe": [patches, covered, filled]}
        with _begun(output, plan):
            made = None if harvest is None else _made(harvest, output, layout, recipe, per_shard)
            _watch(made or _converted(source, output, held, per_shard), quiet=as_json)
            index = index_shards(output) if layout == "shards" else index_tree(output)
    left = [] if harvest is None else [f"{x.path}: {x.why}" for x in harvest.left_out]
    _say({"output": str(output), "layout": layout, "index": str(index), "left_out": left}, as_json=as_json)


def kind_of(folder: Path) -> Kind:
    """What a folder holds, by its looks.

    Raises:
        SceneNotFound: no such folder.
    """
    if not folder.is_dir():
        raise SceneNotFound(f"the folder {folder} was asked for and is not there; check the path")
    if is_tree(folder):
        return "tree"
    return "shards" if any(folder.glob("*.tar")) else "scenes"


@contextmanager
def _begun(output: Path, plan: dict[str, object]) -> Iterator[None]:
    """Begin or go on in a folder; when the input is to blame that nothing was built, nothing of the run stays."""
    begin(output, plan)
    try:
        yield
    except OutputRefused:  # with more room, or more rights, the run goes on
        raise
    except ArmillaryError:
        if not any(map(_is_result, output.rglob("*"))):
            for path in (p for p in output.iterdir() if p.suffix != ".lock"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _is_result(path: Path) -> bool:
    return path.is_file() and path.suffix != ".lock" and path.parent.name != DONE and path.name not in (JOURNAL, LIST)


def _harvest(source: Path) -> FolderHarvest:
    harvest = FolderHarvest(source)
    if not harvest.cells():
        why = "; ".join(f"{x.path.name}: {x.why}" for x in harvest.left_out[:3])
        raise BadInput(f"{source} holds no scene with a place and a time ({why or 'it is empty'})")
    return harvest


def _made(harvest: FolderHarvest, output: Path, layout: Layout, recipe: Recipe, per_shard: int) -> Progressed:
    tree = output if layout == "tree" else output / STAGING
    if not (tree / LIST).is_file() and not any(output.glob("*.tar")):
        for cell in build_tree(harvest, tree, recipe):
            yield "cells", cell.done, cell.total
    if not is_tree(tree) and tree.exists():
        raise BadInput(
            f"no scene of {harvest.folder} fills a patch or a cell; lower --covered or --filled, or give larger scenes"
        )
    if layout == "shards" and tree.exists():
        for step in write_shards(CopernicusTree(tree, tree / LIST), output, per_shard):
            yield "cells in shards", step.done, step.total
        shutil.rmtree(tree)
    shutil.rmtree(tree / DONE, ignore_errors=True)


def _converted(source: Path, output: Path, held: str, per_shard: int) -> Progressed:
    if held == "tree":
        steps = write_shards(CopernicusTree(source), output, per_shard)
    else:
        steps = write_tree(CopernicusShards.of(source), output)
    for step in steps:
        yield "cells", step.done, step.total


def _verify(folder: Path, *, as_json: bool) -> None:
    checked = list(_shown(verify(folder), quiet=as_json))
    faults = [fault for one in checked for fault in one.faults]
    indexed = (folder / NAME).is_file()
    if as_json:
        print(json.dumps({"files": len(checked), "faults": faults, "against_index": indexed}))
    elif not faults:
        print(f"{folder}: {len(checked)} files are whole, {'by the index' if indexed else 'as far as they tell'}")
    for fault in () if as_json else faults:
        print(fault)
    if faults:
        raise SceneUnreadable(
            f"{len(faults)} of the members and files in {folder} are not whole, of {len(checked)} files"
        )


def _shown(steps: Iterable[Checked], *, quiet: bool) -> Iterator[Checked]:
    for number, one in enumerate(steps):
        if not quiet and sys.stderr.isatty() and number % 100 == 0:
            print(f"\rchecked {number}", end="", file=sys.stderr)
        yield one


def _say(facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        for line in value if isinstance(value, list) else [value]:
            print(f"{name.replace('_', ' ')}: {line}")


def _watch(steps: Iterable[tuple[str, int, int]], *, quiet: bool) -> None:
    """Run to the end, with a bar on a terminal and plain lines otherwise."""
    if quiet or not sys.stderr.isatty():
        for what, done, total in steps:
            if not quiet and (done == total or done % max(1, total // LINES) == 0):
                print(f"{what} {done}/{total}", file=sys.stderr)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=None)
        for what, done, total in steps:
            bar.update(task, description=what, completed=done, total=total)
