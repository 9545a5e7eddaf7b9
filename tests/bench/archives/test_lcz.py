from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.bench.files import open_files
from armillary.bench.task import Items
from armillary.bench.tasks import LCZ_S2
from armillary.errors import SceneNotFound, SceneUnreadable


def _write(folder: Path, part: str, kinds: list[int], label: np.ndarray | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"lcz_{part}.h5", "w") as file:
        file["label"] = np.eye(17)[kinds] if label is None else label
        file["sen1"] = np.zeros((len(kinds), 32, 32, 8), np.float32)
        bands = np.arange(10, dtype=np.float32) / 10
        file["sen2"] = np.broadcast_to(bands + np.array(kinds)[:, None, None, None], (len(kinds), 32, 32, 10))


def _items(folder: Path, root: Path) -> Items:
    for part, kinds in {"train": [3, 0], "val": [16], "test": [5]}.items():
        _write(folder, part, kinds)
    return LCZ_S2.read(open_files(root, LCZ_S2.archive))


@pytest.mark.parametrize("place", [".", "lcz_s2", "lcz_s1s2", "l3_lcz_s2", "l3_lcz_s2/lcz_s2"])
def test_the_three_files_are_found_wherever_they_lie(tmp_path: Path, place: str) -> None:
    items = _items(tmp_path / place, tmp_path)
    assert [int(items.truth(i)) for i in range(len(items))] == [3, 0, 16, 5]
    assert items.parts == ("train", "train", "val", "test")
    assert items.keys == ("train/0", "train/1", "val/0", "test/0")
    assert items.files(3) == ("lcz_test.h5",)


def test_ten_bands_of_sentinel_2_come_first_axis_first_in_reflectance_without_a_place(tmp_path: Path) -> None:
    (sample,) = _items(tmp_path, tmp_path).item(2).samples
    assert sample.pixels[:, 0, 0] == pytest.approx(16 + np.arange(10) / 10)
    assert sample.sensor.band_names == ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
    assert (sample.window.crs, sample.time, sample.pixels.shape) == (None, None, (10, 32, 32))


def test_labels_that_are_not_one_hot_are_told(tmp_path: Path) -> None:
    _items(tmp_path, tmp_path)
    _write(tmp_path, "val", [1], np.zeros((1, 17)))
    with pytest.raises(SceneUnreadable, match=r"lcz_val\.h5"):
        LCZ_S2.read(open_files(tmp_path, LCZ_S2.archive))


def test_a_cut_file_and_an_absent_one_are_named(tmp_path: Path) -> None:
    _items(tmp_path, tmp_path)
    path = tmp_path / "lcz_test.h5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SceneUnreadable, match=r"lcz_test\.h5"):
        LCZ_S2.read(open_files(tmp_path, LCZ_S2.archive))
    path.unlink()
    with pytest.raises(SceneNotFound, match=r"lcz_test\.h5"):
        LCZ_S2.read(open_files(tmp_path, LCZ_S2.archive))
