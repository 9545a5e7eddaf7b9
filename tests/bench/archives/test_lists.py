from pathlib import Path

import pytest

from armillary.bench.archives.lists import lines, marked, pairs, records
from armillary.bench.files import Folder
from armillary.errors import SceneUnreadable

ORDER = ("Urban fabric", "Beaches, dunes, sands", "Marine waters")


def _files(folder: Path, text: str) -> Folder:
    (folder / "list").write_text(text, newline="")
    return Folder(str(folder))


def test_blank_lines_and_windows_ends_are_no_content(tmp_path: Path) -> None:
    assert lines(_files(tmp_path, "\ufeffa\r\nb \r\n\r\n"), "list") == ("a", "b")


def test_columns_come_by_their_heads(tmp_path: Path) -> None:
    text = 's1_path,s2_path,Marine waters,"Beaches, dunes, sands",Urban fabric\np,q,1,0,0\n'
    (row,) = marked(_files(tmp_path, text), "list", 2, (ORDER,))
    assert (row.names, row.marks.tolist()) == (("p", "q"), [False, False, True])


@pytest.mark.parametrize("head", ["0,1,2,3,4\n", "a,b,c,d,e\n", ""])
def test_columns_without_known_heads_come_as_they_stand(tmp_path: Path, head: str) -> None:
    rows = marked(_files(tmp_path, head + "p,q,1,0,0\nr,s,0,1,1\n"), "list", 2, (ORDER,))
    assert [r.marks.tolist() for r in rows] == [[True, False, False], [False, True, True]]


def test_an_index_that_was_written_with_the_table_is_left_out(tmp_path: Path) -> None:
    (row,) = marked(_files(tmp_path, ",PID,a,b,c\n0,place,1,0,1\n"), "list", 1, (ORDER,))
    assert (row.names, row.marks.tolist()) == (("place",), [True, False, True])


@pytest.mark.parametrize("line", ["p,q,1,0", "p,q,1,0,2", "p,q,1,0,0,1"])
def test_a_line_of_the_wrong_kind_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(SceneUnreadable, match="line 2 of list"):
        marked(_files(tmp_path, f"p,q,x,y,z\n{line}\n"), "list", 2, (ORDER,))


def test_pairs_have_no_header_and_one_that_is_there_is_left_out(tmp_path: Path) -> None:
    assert pairs(_files(tmp_path, "pid,file\na,1.tif\nb,2.tif\n"), "list") == {"a": "1.tif", "b": "2.tif"}


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}'])
def test_a_file_that_holds_no_records_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(SceneUnreadable, match="list in"):
        records(_files(tmp_path, text), "list")
