"""A report of a whole run: every part is there, it says the same twice, and it needs no other file. Synthetic."""

import csv
import re
from dataclasses import replace
from io import StringIO

import pytest
from tests.bench.generation.test_run import PLAN, course
from tests.bench.generation.worlds import material

from armillary.bench.generation.cell import Cell, Question
from armillary.bench.generation.pictures import read_pictures, same_side
from armillary.bench.generation.report import asked, report
from armillary.bench.generation.run import run
from armillary.errors import SceneNotFound, SceneUnreadable


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    whole = replace(course(folder, replace(PLAN, tasks=("s2-l2a",))), open_material=lambda _: material(8))
    list(run(whole))
    Cell(Question("told", "exact", "s2-l2a", ("odd",)), error="nobody knows").write(folder)
    report(folder)
    return folder


def test_every_part_is_in_the_page_and_in_markdown(folder):
    markdown, page = ((folder / name).read_text() for name in ("report.md", "report.html"))
    for title in (
        "Any from any", "More that is given", "Samples and their calibration", "Generated items as a whole",
        "There and back", "Published figures of others, with caveats", "Not answered", "Where the scores come from",
    ):  # fmt: skip
        assert f"## {title}" in markdown
        assert title in page
    assert "nobody knows" in markdown
    assert "is synthetic, and no measurement" in markdown
    assert "real, two halves" in markdown
    assert "cirrus is compared with water vapour" in " ".join(markdown.split())


def test_the_page_needs_no_other_file_and_no_script(folder):
    page = (folder / "report.html").read_text()
    assert not re.search(r"<script|<link|src=\"(?!data:)", page)
    assert page.count("data:image/svg+xml") == 4
    assert "data:image/png" in page


def test_the_report_is_the_same_twice(folder):
    before = [(folder / name).read_bytes() for name in ("report.md", "results.csv", "report.html")]
    assert [path.read_bytes() for path in report(folder)] == before


def test_the_table_holds_every_teller_of_every_place(folder):
    rows = list(csv.DictReader(StringIO((folder / "results.csv").read_text())))
    asked = [r for r in rows if r["kind"] == "told" and r["given"] == "s1-rtc"]
    assert {r["place"] for r in asked} == {"p0", "p1", "p2", "p3", "all"}
    assert {"expected", "mean", "linear", "nearest place"} <= {r["teller"] for r in asked}
    assert all(float(r["mae"]) >= 0 for r in asked)


def test_items_are_counted_where_nothing_but_samples_was_asked():
    cell = Cell(Question("sampled", "exact", "s2-l2a"), (("a1", "a"), ("b1", "b")))
    assert asked(PLAN, [cell]).startswith("exact: 2 held-out items of 2 places")


def test_a_folder_without_cells_is_refused(folder, tmp_path):
    (tmp_path / "plan.json").write_text((folder / "plan.json").read_text())
    with pytest.raises(SceneNotFound, match="holds no cell"):
        report(tmp_path)


def test_a_damaged_file_of_pictures_is_named(folder, tmp_path):
    path = next((folder / "pictures").glob("*.npz"))
    for damaged in (b"odd", path.read_bytes()[:300]):
        (tmp_path / "odd.npz").write_bytes(damaged)
        with pytest.raises(SceneUnreadable, match="odd"):
            read_pictures(tmp_path / "odd.npz")
    pictures = [p for row in read_pictures(path).values() for p in row.values()]
    assert {p.shape for p in same_side(pictures)} == {(16, 16, 3)}
