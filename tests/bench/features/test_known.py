from pathlib import Path

import numpy as np
import pytest
from tests.bench.invented import ANSWERS, Memory, task

from armillary.bench.features.known import data_digest, read_known


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_truths_come_back_as_they_were(tmp_path: Path, kind: str) -> None:
    one, files = task(kind), Memory()
    items = one.read(files)
    known = read_known(one, files, items, tmp_path)
    for n in (0, 17, 59):
        np.testing.assert_array_equal(known.truths[n], items.truth(n))
        assert known.truths[n].dtype == items.truth(n).dtype


def test_items_are_read_once(tmp_path: Path) -> None:
    one, files = task(), Memory()
    read_known(one, files, one.read(files), tmp_path)
    assert files.reads == 60
    read_known(one, files, one.read(files), tmp_path)
    assert files.reads == 60


def test_places_and_times_are_those_of_the_samples(tmp_path: Path) -> None:
    one, files = task(), Memory()
    items = one.read(files)
    known = read_known(one, files, items, tmp_path)
    sample = items.item(8).samples[0]
    np.testing.assert_allclose(known.lonlat[8], sample.window.center)
    assert known.days[8] == sample.days


def test_a_place_that_is_not_known_is_nan(tmp_path: Path) -> None:
    one, files = task(placed=False), Memory()
    assert np.isnan(read_known(one, files, one.read(files), tmp_path).lonlat).all()


def test_the_digest_changes_with_the_content_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    one, files = task(), Memory()
    items = one.read(files)
    before = data_digest(one, files, items)
    assert data_digest(one, Memory(), items) == before
    monkeypatch.setattr(files, "checksum", lambda name: 1 if name == "chip03.tif" else 0)
    assert data_digest(one, files, items) != before
