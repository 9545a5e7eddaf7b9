from pathlib import Path

import numpy as np
import pytest
from tests.bench.tiny_archives import TINY, specimens

from armillary.bench.files import open_files
from armillary.bench.specimens.drawn import Recipe
from armillary.bench.specimens.write import write_specimens
from armillary.bench.task import Task
from armillary.bench.tasks import COPERNICUS
from armillary.errors import BadInput, OutputRefused
from armillary.probe.answer import AnyOf, ClassMap, OneOf, Value, ValueMap

every = pytest.mark.parametrize("task", COPERNICUS.values(), ids=lambda task: task.name)


@every
def test_every_task_reads_its_specimens_zipped_and_extracted_alike(task: Task) -> None:
    found = [
        open_files(specimens("extracted"), task.archive),
        open_files(specimens("zipped", nested=True), task.archive),
    ]
    loose, packed = (task.read(files) for files in found)
    assert loose.keys == packed.keys
    assert loose.parts == packed.parts == TINY.parts
    assert len(set(loose.keys)) == len(loose) == 9
    for number in (0, 8):
        a, b = loose.item(number), packed.item(number)
        assert np.array_equal(a.truth, b.truth, equal_nan=a.truth.dtype.kind == "f")
        assert np.array_equal(a.truth, loose.truth(number), equal_nan=a.truth.dtype.kind == "f")
        for s, t in zip(a.samples, b.samples, strict=True):
            assert np.array_equal(s.pixels, t.pixels, equal_nan=True)
            assert (s.window, s.time) == (t.window, t.time)
        names = loose.files(number)
        assert [found[0].checksum(n) for n in names] == [found[1].checksum(n) for n in packed.files(number)]


@every
def test_items_are_what_their_task_says(task: Task) -> None:
    item = task.read(open_files(specimens(), task.archive)).item(1)
    assert task.samples[0] <= len(item.samples) <= task.samples[1]
    for sample in item.samples:
        low, high = task.sensor.plausible
        assert sample.sensor == task.sensor
        assert low <= np.nanmin(sample.pixels) <= np.nanmax(sample.pixels) <= high
        assert (sample.window.crs is not None) == ("place" in task.knows)
        assert (sample.time is not None) == ("time" in task.knows)
    match task.answer:
        case OneOf(classes):
            assert (item.truth.shape, 0 <= int(item.truth) < len(classes)) == ((), True)
        case AnyOf(classes):
            assert (item.truth.shape, item.truth.dtype) == ((len(classes),), bool)
        case ClassMap(classes):
            assert item.truth.dtype == np.int64
            assert set(np.unique(item.truth)) <= {-100, *range(len(classes))}
        case Value() | ValueMap():
            assert item.truth.dtype == np.float32


def test_equal_recipes_draw_equal_files(tmp_path: Path) -> None:
    small = Recipe(train=1, val=1, test=1, side_px=16)
    for folder in (tmp_path / "a", tmp_path / "b"):
        write_specimens(folder, small)
    a, b = (sorted(p.relative_to(f) for p in f.rglob("*") if p.is_file()) for f in (tmp_path / "a", tmp_path / "b"))
    assert a == b
    assert all((tmp_path / "a" / p).read_bytes() == (tmp_path / "b" / p).read_bytes() for p in a)
    with pytest.raises(OutputRefused, match="cloud_s2"):
        write_specimens(tmp_path / "a", small)


def test_specimens_without_items_are_refused() -> None:
    with pytest.raises(BadInput, match="at least one item"):
        Recipe(test=0)
