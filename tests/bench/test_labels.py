from pathlib import Path

import numpy as np
import pytest

from armillary.bench.kept import Kept
from armillary.bench.labels import OMBRIA_VIEWS, Labelled, eurosat_ms, ombria, s2_l2a_weak, sen1floods11
from armillary.errors import SceneNotFound
from armillary.probe.features import Shelf

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def eurosat(shared: Path) -> Labelled:
    return eurosat_ms(shared / "data")


def test_eurosat_has_fifteen_patches_of_each_class_in_the_house_order_of_bands(eurosat: Labelled) -> None:
    assert len(eurosat) == 150
    assert np.bincount(eurosat.y).tolist() == [15] * 10
    sample = eurosat.sample(0)
    assert sample.sensor.band_names[8] == "B8A"
    near = sample.sensor.index(("B08", "B8A", "B09"))
    b08, b8a, b09 = (float(sample.pixels[i].mean()) for i in near)
    assert abs(b8a - b08) < abs(b09 - b08)  # the file has B8A last, behind the dark B12


def test_weak_labels_come_with_clusters_when_asked(shared: Path, tmp_path: Path) -> None:
    plain = s2_l2a_weak(shared / "data")
    assert (len(plain), len(plain.classes), plain.groups) == (1065, 9, None)
    rows = "".join(f"{p.name},{i // 2}\n" for i, p in enumerate(plain.hrefs))
    (tmp_path / "clusters.csv").write_text("file,cluster\n" + rows)
    groups = s2_l2a_weak(shared / "data", tmp_path / "clusters.csv").groups
    assert groups is not None
    assert np.bincount(groups).max() == 2


def test_every_view_of_ombria_has_the_same_places_and_answers(shared: Path) -> None:
    sites = ("0002", "0300", "0623")
    one, other = (ombria(shared / "data", view, sites) for view in OMBRIA_VIEWS[1:4:2])
    assert np.array_equal(one.y, other.y)
    assert [p.name[:4] for p in one.hrefs] == [p.name[:4] for p in other.hrefs]
    assert (one.sensor.name, other.sensor.name) == ("ombria-s1", "ombria-s2")
    assert [p.name[:4] for p in one.hrefs] == list(sites)
    assert 0 < one.y.min() < one.y.max() < 1


def test_tiles_of_a_chip_are_its_parts_and_only_labelled_ones_count(shared: Path) -> None:
    found = sen1floods11(shared / "data", side_px=256)
    assert len(set(found.hrefs)) < len(found) <= 4 * len(set(found.hrefs))
    assert found.sample(0).pixels.shape == (2, 256, 256)
    assert not any("Ghana_83483" in p.name for p in found.hrefs)  # no pixel of it is labelled


def test_what_is_kept_gives_the_same_samples(eurosat: Labelled, tmp_path: Path) -> None:
    few = Labelled("few", eurosat.sensor, eurosat.hrefs[:3], eurosat.y[:3], eurosat.classes)
    kept = Kept.of(few, Shelf(tmp_path))
    for a, b in zip(kept.samples(), few.samples(), strict=True):
        assert np.array_equal(a.pixels, b.pixels)
        assert a.window.center == pytest.approx(b.window.center, abs=1e-6)
        assert a.time == b.time
    assert kept.pixels.dtype == np.float32


def test_grey_levels_are_kept_in_bytes(shared: Path, tmp_path: Path) -> None:
    few = ombria(shared / "data", "s1_post", ("0002", "0300"))
    kept = Kept.of(few, Shelf(tmp_path))
    assert kept.pixels.dtype == np.uint8
    assert np.array_equal(next(kept.samples()).pixels, few.sample(0).pixels)


def test_a_folder_without_the_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="eurosat_ms"):
        eurosat_ms(tmp_path)
