import zlib
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from armillary.bench.archive import Archive
from armillary.bench.files import Files, Folder, Zip, open_files
from armillary.errors import SceneNotFound, SceneUnreadable

SET = Archive("l9_set/set_v2.zip", "the_set", "", "", "", aliases=("the_old_set",), marks=("train.csv", "x"))
HELD = {"train.csv": b"a\n", "x/a.tif": b"aa", "x/b 5%/c.tif": b"ccc" * 99}


def _extract(folder: Path) -> None:
    for name, content in HELD.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _zip(path: Path, top: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        file.writestr("__MACOSX/the_set/._train.csv", b"junk")
        for name, content in HELD.items():
            file.writestr(top + name, content)


def _same(files: Files) -> None:
    assert files.names() == tuple(sorted(HELD))
    assert files.names("x/") == ("x/a.tif", "x/b 5%/c.tif")
    assert {name: files.read(name) for name in files.names()} == HELD
    assert {name: files.checksum(name) for name in files.names()} == {n: zlib.crc32(c) for n, c in HELD.items()}


@pytest.mark.parametrize(
    "place",
    [
        "the_set",
        "l9_set/the_set",
        "copernicusbench/l9_set/the_set",
        "set_v2/the_set",
        "the_set/the_set",
        "the_old_set",
        "l9_set",
        ".",
    ],
)
def test_an_extracted_archive_is_found_wherever_it_lies(tmp_path: Path, place: str) -> None:
    _extract(tmp_path / place)
    files = open_files(tmp_path, SET)
    assert isinstance(files, Folder)
    _same(files)


@pytest.mark.parametrize("place", ["set_v2.zip", "l9_set/set_v2.zip", "the_set/set_v2.zip"])
@pytest.mark.parametrize("top", ["the_set/", "", "data/the_set/"])
def test_an_archive_left_zipped_is_read_as_it_lies(tmp_path: Path, place: str, top: str) -> None:
    _zip(tmp_path / place, top)
    files = open_files(tmp_path, SET)
    assert isinstance(files, Zip)
    _same(files)


def test_the_folder_itself_may_be_given(tmp_path: Path) -> None:
    _extract(tmp_path / "the_set")
    _same(open_files(tmp_path / "the_set", SET))


def test_the_zip_is_read_where_the_folder_holds_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "the_set").mkdir()
    _zip(tmp_path / "set_v2.zip", "the_set/")
    _same(open_files(tmp_path, SET))


def test_an_absent_archive_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match=r"the_set/ or set_v2.zip .*bench fetch"):
        open_files(tmp_path, SET)


def test_a_cut_zip_is_named(tmp_path: Path) -> None:
    _zip(tmp_path / "set_v2.zip", "the_set/")
    content = (tmp_path / "set_v2.zip").read_bytes()
    (tmp_path / "set_v2.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(SceneUnreadable, match=r"set_v2.zip is not a whole zip"):
        open_files(tmp_path, SET)


def test_a_damaged_member_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "set_v2.zip"
    with ZipFile(path, "w") as file:
        for name, content in HELD.items():
            file.writestr(f"the_set/{name}", content)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"cccccc", b"ccdccc", 1))
    files = open_files(tmp_path, SET)
    with pytest.raises(SceneUnreadable, match=r"x/b 5%/c.tif"):
        files.read("x/b 5%/c.tif")
    assert files.read("x/a.tif") == b"aa"


def test_a_name_that_is_not_there_is_told(tmp_path: Path) -> None:
    _extract(tmp_path / "the_set")
    _zip(tmp_path / "other" / "set_v2.zip", "the_set/")
    for root in (tmp_path, tmp_path / "other"):
        for ask in (open_files(root, SET).read, open_files(root, SET).checksum):
            with pytest.raises(SceneNotFound, match=r"nothing\.tif"):
                ask("nothing.tif")


def test_a_checksum_follows_a_change_of_the_file(tmp_path: Path) -> None:
    _extract(tmp_path / "the_set")
    files = open_files(tmp_path, SET)
    before = files.checksum("x/a.tif")
    (tmp_path / "the_set/x/a.tif").write_bytes(b"bbb")
    assert files.checksum("x/a.tif") == zlib.crc32(b"bbb") != before
