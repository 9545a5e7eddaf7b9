"""STAC items as the wild writes them: each opens right, or is refused in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.scene.synthetic.rasters import PRODUCT, counts, quiet, write

from armillary.errors import ArmillaryError, BandMismatch, SceneNotFound


@pytest.mark.parametrize(
    "change",
    [
        {"assets": ["B02.tif"]},
        {"assets": {"B02": None}},
        {"assets": {"B02": "B02.tif"}},
        {"assets": {"B02": {"type": "image/tiff"}}},
        {"properties": "2022"},
        {"properties": {"datetime": "junk"}},
        {"properties": {"datetime": ["2022-07-06"]}},
        {"links": {}, "assets": {}},
    ],
)
def test_a_malformed_item_is_one_sentence(change: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "B02.tif", counts(1))
    item = {"type": "Feature", "id": PRODUCT, "assets": {"B02": {"href": str(tmp_path / "B02.tif")}}, "properties": {}}
    with pytest.raises(ArmillaryError) as caught:
        quiet({**item, **change})
    assert len(str(caught.value).splitlines()) == 1


def test_nulls_and_numbers_written_as_text_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path / "B02.tif", counts(1))
    asset = {
        "href": str(tmp_path / "B02.tif"),
        "type": None,
        "gsd": "ten",
        "raster:bands": [{"offset": "x", "scale": 0}],
    }
    item = {
        "type": "Feature",
        "id": PRODUCT,
        "geometry": None,
        "properties": None,
        "links": None,
        "assets": {"B02": asset},
    }
    array = quiet(item)
    np.testing.assert_allclose(array.values, (counts(1) - 1000.0) / 1e4, atol=1e-7)
    assert array.attrs["time"] == "2022-07-06T08:56:11Z"


@pytest.mark.parametrize(("facts", "said"), [({"sensor": "s1-grd"}, "VV, VH"), ({"bands": "B8A"}, "B8A")])
def test_what_an_item_does_not_hold_is_refused_and_nothing_is_renamed(
    facts: dict[str, str], said: str, tmp_path: Path
) -> None:
    write(tmp_path / "B02.tif", counts(1))
    item = {"type": "Feature", "id": PRODUCT, "assets": {"B02": {"href": str(tmp_path / "B02.tif")}}, "properties": {}}
    with pytest.raises(BandMismatch, match=said):
        quiet(item, **facts)


def test_an_asset_that_is_gone_is_named(tmp_path: Path) -> None:
    item = {"type": "Feature", "id": PRODUCT, "assets": {"B02": {"href": str(tmp_path / "gone.tif")}}, "properties": {}}
    with pytest.raises(SceneNotFound, match="gone"):
        quiet(item)
