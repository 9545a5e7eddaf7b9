"""The HTML report."""

import re
from pathlib import Path

from armillary.product.report import Card, Report

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0005fe02fe0def46b8"
    "0000000049454e44ae426082"
)


def test_a_page_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    picture = tmp_path / "map.png"
    picture.write_bytes(PNG)
    page = Report("Title", "lead", cards=(Card("One", pictures=((picture, "a map"),)),)).html()
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)


def test_text_from_files_cannot_become_markup() -> None:
    page = Report("T", "l", cards=(Card("<script>", facts={"name": '"><img src=x>'}),)).html()
    assert "<script>" not in page
    assert "<img src=x>" not in page


def test_the_lead_comes_before_every_card() -> None:
    page = Report("T", "UNTRAINED", cards=(Card("First card"),)).html()
    assert page.index("UNTRAINED") < page.index("First card")
