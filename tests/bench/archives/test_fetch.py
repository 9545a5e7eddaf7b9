import hashlib
from pathlib import Path

import pytest

from armillary.bench.archive import Archive
from armillary.bench.archives.fetch import fetch, from_hub
from armillary.errors import BadInput, SceneNotFound, SceneUnreadable

CONTENT = b"PK"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SET = Archive("l9/set.zip", "set", MD5, "", "", repository="nobody/none", more=(("l9/set.h5", MD5),))


def _get(archive: Archive, name: str, root: Path) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(CONTENT)


def _refuse(archive: Archive, name: str, root: Path) -> None:
    raise AssertionError(name)


def test_every_file_comes_once_and_stays(tmp_path: Path) -> None:
    first = list(fetch([SET, SET], tmp_path, _get))
    again = list(fetch([SET], tmp_path, _refuse))
    assert [f.path for f in first] == [f.path for f in again] == [tmp_path / "l9/set.zip", tmp_path / "l9/set.h5"]
    assert {f.state for f in first} == {"fetched"}
    assert {f.state for f in again} == {"there"}


def test_a_file_with_another_sum_is_fetched_again(tmp_path: Path) -> None:
    list(fetch([SET], tmp_path, _get))
    (tmp_path / "l9/set.zip").write_bytes(b"cut")
    assert [f.state for f in fetch([SET], tmp_path, _get)] == ["fetched", "there"]


def test_what_was_extracted_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/train.csv").write_text("a")
    found = next(fetch([SET], tmp_path, _refuse))
    assert (found.state, found.path) == ("extracted", tmp_path / "set")


def test_a_file_that_comes_with_another_sum_is_removed_and_told(tmp_path: Path) -> None:
    wrong = Archive("l9/set.zip", "set", "0" * 32, "", "", repository="nobody/none")
    with pytest.raises(SceneUnreadable, match=r"l9/set\.zip came with the MD5"):
        list(fetch([wrong], tmp_path, _get))
    assert not (tmp_path / "l9/set.zip").exists()


def test_an_archive_that_is_not_on_the_hub_says_whose_it_is(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not on the hub; it is somebody's"):
        list(fetch([Archive("a.zip", "a", "", "", "somebody's")], tmp_path, _refuse))


def test_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the hub\nand a second line")

    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "hf_hub_download", offline)
    with pytest.raises(SceneNotFound, match=r"l9/set\.zip of nobody/none could not be fetched \(no route to the hub\)"):
        from_hub(SET, "l9/set.zip", tmp_path)
