"""Open: whatever a caller hands in is a scene or one sentence; what comes back is lazy and behaves like any array."""

import copy
import pickle
import threading
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from tests.scene.synthetic.rasters import PRODUCT, RGB, counts, quiet, write

from armillary.errors import ArmillaryError, SceneNotFound, SceneUnreadable
from armillary.scene.gridded import layers


@pytest.fixture
def big(tmp_path: Path) -> Path:
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    return write(tmp_path / f"{PRODUCT}.tif", counts(3, 1500, 1400), RGB, **tiles)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many numbers each read of a file took."""
    seen: list[int] = []
    original = layers.read_raw

    def count(href: str, indexes: list[int], rows: slice, cols: slice) -> np.ndarray:
        seen.append(len(indexes) * (rows.stop - rows.start) * (cols.stop - cols.start))
        return original(href, indexes, rows, cols)

    monkeypatch.setattr(layers, "read_raw", count)
    return seen


def test_opening_takes_a_small_look_and_a_crop_reads_that_crop(big: Path, read: list[int]) -> None:
    scene = quiet(big)
    assert sum(read) <= 9 * 64 * 64 * 3
    read.clear()
    crop = scene.isel(y=slice(100, 120), x=slice(50, 60))
    _ = crop.shape, crop.rio.crs, scene.copy(), copy.deepcopy(scene), pickle.dumps(scene)
    assert read == []
    _ = crop.values
    assert read == [20 * 10 * 3]
    read.clear()
    _ = float(scene.sel(band="B03").isel(y=5, x=7))
    assert read == [1]


def test_every_way_of_indexing_gives_the_same_numbers(big: Path) -> None:
    lazy, held = quiet(big), quiet(big).load()
    points = {"x": xr.DataArray([1, 2, 1399], dims="p"), "y": xr.DataArray([4, 1499, 6], dims="p")}
    for key in (
        {"x": [5, 2, 299], "y": slice(10, 0, -3)},
        points,
        {"band": [True, False, True], "y": 3},
        {"y": slice(0, 0)},
    ):
        np.testing.assert_array_equal(lazy.isel(key).values, held.isel(key).values)


def test_copies_and_pickles_are_the_same_scene(big: Path) -> None:
    scene = quiet(big).isel(y=slice(3, 9))
    for other in (scene.copy(deep=True), copy.deepcopy(scene), pickle.loads(pickle.dumps(scene))):  # noqa: S301
        xr.testing.assert_identical(other, scene)
        assert other.rio.crs == scene.rio.crs


def test_arithmetic_and_alignment_keep_the_place(big: Path) -> None:
    whole = quiet(big)
    a, b = whole.isel(y=slice(0, 60), x=slice(0, 80)), whole.isel(y=slice(10, 70), x=slice(0, 80))
    left, right = xr.align(a, b)
    assert left.shape == right.shape == (3, 50, 80)
    for array in (a * 2 + 1, a.sel(band="B04") - a.sel(band="B03"), a.where(a > 0.2), left):
        assert array.rio.crs == whole.rio.crs
        assert array.rio.transform().a == 10
    assert left.rio.transform().f == whole.rio.transform().f - 100


def test_many_threads_read_what_one_reads(big: Path) -> None:
    scene = quiet(big)
    whole = scene.values
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for row, col in rng.integers(0, 1300, (12, 2)):
            part = scene.isel(y=slice(row, row + 64), x=slice(col, col + 64)).values
            if not np.array_equal(part, whole[:, row : row + 64, col : col + 64]):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_netcdf_and_zarr_hold_an_opened_scene(big: Path, tmp_path: Path) -> None:
    scene = quiet(big, window=(slice(0, 20), slice(0, 30)))
    scene.to_netcdf(tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc", decode_coords="all") as held:
        np.testing.assert_array_equal(held["s2-l2a"].values, scene.values)
        assert held["s2-l2a"].rio.crs == scene.rio.crs


@pytest.mark.parametrize(
    "href", ["", "nope.tif", "no/such/folder", "a\0b.tif", "x" * 5000 + ".tif", "/vsizip/no.zip/x.tif"]
)
def test_a_name_of_nothing_is_one_sentence(href: str) -> None:
    with pytest.raises((SceneNotFound, SceneUnreadable)) as caught:
        quiet(href)
    assert len(str(caught.value).splitlines()) == 1


def test_a_link_opens_and_a_link_to_nothing_is_not_found(big: Path, tmp_path: Path) -> None:
    (tmp_path / "link.tif").symlink_to(big)
    (tmp_path / "lost.tif").symlink_to(tmp_path / "gone.tif")
    assert quiet(tmp_path / "link.tif", sensor="s2-l2a").shape == (3, 1500, 1400)
    with pytest.raises(SceneNotFound):
        quiet(tmp_path / "lost.tif")


@pytest.mark.parametrize(
    "name",
    [
        "x.tif",
        "x.jp2",
        "x.nc",
        "x.zip",
        "x.json",
        "x.xyz",
        "S5P_OFFL_L2__NO2____20200101T000000.nc",
        f"{PRODUCT}.SAFE.zip",
    ],
)
@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"II*\0", b"PK\x03\x04", b"{}"])
def test_a_file_that_is_not_what_its_name_says_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SceneUnreadable) as caught:
        quiet(tmp_path / name)
    assert name in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_cut_netcdf_and_a_cut_zip_are_said_to_be_cut(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["a"] = np.zeros(10000)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", "b" * 1000)
    for name in ("x.nc", "x.zip"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(SceneUnreadable, match="whole"):
            quiet(tmp_path / name)


@pytest.mark.parametrize("crs", ['LOCAL_CS["mine",UNIT["metre",1]]', None])
def test_a_local_system_counts_as_no_place(tmp_path: Path, crs: str | None) -> None:
    array = quiet(write(tmp_path / "x_l2a.tif", counts(), RGB, crs=crs))
    assert array.rio.crs is None
    assert array.attrs["crs_source"] == "unknown"


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 50), (3, 50, 1)])
def test_a_line_or_a_single_pixel_opens(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    array = quiet(write(tmp_path / "x_l2a.tif", counts(*shape), RGB), offset=0)
    np.testing.assert_allclose(array.values, counts(*shape) / 1e4, rtol=1e-6)
    assert array.rio.transform().e == -10


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.97])
def test_a_tif_cut_anywhere_is_refused_when_opened_or_read(tmp_path: Path, kept: float) -> None:
    profile = {"driver": "COG", "compress": "deflate", "overviews": "NONE"}
    whole = write(tmp_path / f"{PRODUCT}.tif", counts(3, 600, 600), RGB, **profile).read_bytes()
    (tmp_path / f"{PRODUCT}.tif").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ArmillaryError):
        _ = quiet(tmp_path / f"{PRODUCT}.tif").values
