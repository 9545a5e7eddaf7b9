from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from tests.sample.ssl4eo_tree import L1C, ORIGINS, SIDE, write_raster, write_tree

from armillary.earth.legend import LEGENDS
from armillary.earth.window import Window
from armillary.errors import BadInput, PlaceUnknown, SceneNotFound, SceneUnreadable
from armillary.sample.labelling import Labeller, label_maps, label_scenes
from armillary.sample.landcover import RULES, Rule
from armillary.sample.ssl4eo import scenes_in
from armillary.scene.landcover import CoverFolder, read_cover

HALF = np.repeat([[1], [6]], SIDE // 2, axis=0).repeat(SIDE, axis=1).astype(np.uint8)[None]
"""Trees over built, in codes of Dynamic World."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("ssl4eo"))


def test_maps_are_found_by_location_and_product(tree: Path, tmp_path: Path) -> None:
    write_raster(tmp_path / "0000001" / f"{L1C[0]}.tif", HALF, ORIGINS["0000001"])
    write_raster(tmp_path / "0000003" / L1C[1] / "label.tif", np.full_like(HALF, 8), ORIGINS["0000003"])
    write_raster(tmp_path / "0000003" / L1C[0] / "label.tif", np.full_like(HALF, 255), ORIGINS["0000003"])
    found = {(s.location, s.product): s for s in label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller())}
    assert found["0000001", L1C[0]].labels == (1, 6)
    assert found["0000003", L1C[1]].labels == (8,)
    assert found["0000003", L1C[0]].labels == ()
    # the season without a map of its own lies under that of the other season, by place
    assert found["0000001", L1C[1]].labels == (1, 6)


def test_an_annual_map_is_the_same_in_every_season(tree: Path, tmp_path: Path) -> None:
    write_raster(tmp_path / "0000001.tif", np.where(HALF == 1, 10, 50).astype(np.uint8), ORIGINS["0000001"])
    labeller = Labeller(LEGENDS["worldcover"])
    found = [s.labels for s in label_scenes(scenes_in(tree), CoverFolder(tmp_path), labeller)]
    assert found == [(1, 6), (1, 6), (), ()]


def test_one_raster_over_several_scenes_is_cut_by_place_in_another_projection(tree: Path, tmp_path: Path) -> None:
    west, north = ORIGINS["0000001"]
    wide = np.full((1, 60, 60), 4, np.uint8)
    wide[:, 30:, :] = 255
    write_raster(tmp_path / "tile.tif", wide, (west - 100, north + 300), nodata=255)
    (first, *_, last) = label_scenes(scenes_in(tree), CoverFolder(tmp_path / "tile.tif"), Labeller())
    assert first.labels == ()
    assert first.cover is None  # the whole scene lies under what the map does not know
    write_raster(tmp_path / "tile.tif", wide, (west - 100, north + 250), nodata=255)
    (first, *_, last) = label_scenes(scenes_in(tree), CoverFolder(tmp_path / "tile.tif"), Labeller())
    assert first.labels == (4,)
    assert first.cover is not None
    assert first.cover.valid == pytest.approx(5 / SIDE, abs=1e-3)
    assert last.cover is None


def test_two_rasters_together_cover_a_scene(tree: Path, tmp_path: Path) -> None:
    west, north = ORIGINS["0000001"]
    write_raster(tmp_path / "a.tif", np.full((1, 4, 20), 1, np.uint8), (west - 50, north))
    write_raster(tmp_path / "b.tif", np.full((1, 40, 20), 7, np.uint8), (west - 50, north + 100))
    first = next(iter(label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller())))
    assert first.cover is not None
    assert (first.cover.fractions[1], first.cover.fractions[7]) == pytest.approx((0.5, 0.5), abs=1e-4)
    assert first.source == "a.tif; b.tif"


def test_probabilities_with_the_label_as_earth_engine_exports_them_are_nine(tmp_path: Path) -> None:
    p = np.full((10, 4, 4), 0.05, np.float32)
    p[4] = 0.6
    p[9] = 4
    path = write_raster(tmp_path / "x.tif", p, ORIGINS["0000001"])
    (top,) = label_maps(CoverFolder(path), Labeller())
    assert (top.location, top.product, top.labels) == ("x", "x", (4,))
    (mean,) = label_maps(CoverFolder(path), Labeller(rule=Rule(0.2), how="mean"))
    assert mean.cover is not None
    assert mean.cover.fractions[4] == pytest.approx(0.6)
    assert mean.labels == (4,)


def test_a_nodata_that_is_also_a_class_must_be_said(tmp_path: Path) -> None:
    """Earth Engine fills masked pixels with 0, which is water."""
    codes = np.array([[[0, 0, 4, 4]]], np.uint8)
    path = write_raster(tmp_path / "x.tif", codes, ORIGINS["0000001"], nodata=0)
    with pytest.raises(BadInput, match="0 is a class of dynamic-world; say which number means nodata"):
        list(label_maps(CoverFolder(path), Labeller()))
    (water,) = label_maps(CoverFolder(path), Labeller(nodata=255))
    (dry,) = label_maps(CoverFolder(path), Labeller(nodata=0))
    assert (water.labels, dry.labels) == ((0, 4), (4,))


def test_what_is_no_map_of_land_cover_is_refused(tmp_path: Path) -> None:
    three = write_raster(tmp_path / "three.tif", np.zeros((3, 2, 2), np.uint8), ORIGINS["0000001"])
    with pytest.raises(SceneUnreadable, match="has 3 bands; a land-cover map has one of codes, or nine"):
        read_cover(three)
    half = write_raster(tmp_path / "half.tif", np.full((1, 2, 2), 0.5, np.float32), ORIGINS["0000001"])
    with pytest.raises(BadInput, match="holds fractions in one band"):
        read_cover(half)
    (tmp_path / "broken.tif").write_bytes(b"II*\0broken")
    with pytest.raises(SceneUnreadable, match="cannot be read"):
        read_cover(tmp_path / "broken.tif")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SceneNotFound, match="no raster is there"):
        list(label_maps(CoverFolder(tmp_path / "empty"), Labeller()))


def test_codes_stored_as_floats_are_codes(tmp_path: Path) -> None:
    codes = np.array([[[1.0, 1.0, 6.0, np.nan]]], np.float32)
    (found,) = label_maps(CoverFolder(write_raster(tmp_path / "x.tif", codes, ORIGINS["0000001"])), Labeller())
    assert found.labels == (1, 6)
    assert found.cover is not None
    assert found.cover.valid == pytest.approx(0.75)


def test_real_land_cover_of_four_places_gives_the_labels_that_their_pixels_hold(shared: Path) -> None:
    folder = CoverFolder(shared / "data/terramesh_sites/LULC")
    found = {s.location: s for s in label_maps(folder, Labeller(LEGENDS["terramesh"]))}
    assert {k: s.labels for k, s in found.items()} == {
        "282D_485L_3_3": (0, 1, 7),  # the Rio de la Plata's shore: water, trees, bare ground
        "38D_378R_2_3": (),  # 57 % rangeland, which is grass or shrub: too little is known
        "609U_541L_3_0": (8,),  # winter in Ontario: snow
        "637U_59R_1_3": (1, 4, 6),  # Denmark: trees, crops, built
    }
    clean = [RULES["clean"].labels(s.cover) for s in found.values() if s.cover is not None]
    assert clean == [(0, 1, 7), (), (8,), (1, 4, 6)]
    grass = {s.location: s for s in label_maps(folder, Labeller(LEGENDS["terramesh"].changed({9: 2})))}
    assert grass["38D_378R_2_3"].labels == (2, 4)


def test_real_land_cover_is_cut_onto_the_grid_of_a_scene_as_it_lies(shared: Path) -> None:
    path = shared / "data/terramesh_sites/LULC/637U_59R_1_3.tif"
    whole = read_cover(path)
    part = whole.window.crop(rows=slice(20, 90), cols=slice(30, 130))
    cut = read_cover(path, part)
    assert np.array_equal(cut.values, whole.values[:, 20:90, 30:130])
    beyond = read_cover(path, whole.window.crop(rows=slice(-10, 90), cols=slice(0, 50)))
    assert beyond.known.sum() == 90 * 50


def test_ground_beyond_the_edge_of_a_map_is_unknown_whatever_means_nodata(tree: Path, tmp_path: Path) -> None:
    narrow = np.full((1, SIDE, 6), 1, np.uint8)
    narrow[0, 0] = 0
    write_raster(tmp_path / "0000001.tif", narrow, ORIGINS["0000001"], nodata=0)
    first = next(iter(label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller(nodata=255))))
    assert first.labels == (0, 1)
    assert first.cover is not None
    assert first.cover.valid == pytest.approx(6 / SIDE, abs=1e-4)


@pytest.mark.parametrize(("above", "nodata"), [(255, None), (77, 77)])
def test_what_the_first_map_does_not_know_the_next_one_tells(
    tree: Path, tmp_path: Path, above: int, nodata: int | None
) -> None:
    west, north = ORIGINS["0000001"]
    gap = np.where(HALF == 1, above, HALF).astype(np.uint8)
    write_raster(tmp_path / "a.tif", gap, (west, north))
    write_raster(tmp_path / "b.tif", np.full((1, 40, 40), 7, np.uint8), (west - 50, north + 50))
    first = next(iter(label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller(nodata=nodata))))
    assert first.labels == (6, 7)
    assert first.cover is not None
    assert first.cover.valid == 1


def test_a_nodata_that_is_also_a_class_is_refused_in_any_raster_of_a_mosaic(tree: Path, tmp_path: Path) -> None:
    west, north = ORIGINS["0000001"]
    write_raster(tmp_path / "a.tif", np.full((1, 4, 20), 1, np.uint8), (west - 50, north))
    write_raster(tmp_path / "b.tif", np.full((1, 40, 20), 7, np.uint8), (west - 50, north + 100), nodata=0)
    with pytest.raises(BadInput, match=r"b\.tif says that 0 means nodata"):
        list(label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller()))


def test_a_declared_nodata_of_nan_is_no_class(tree: Path, tmp_path: Path) -> None:
    codes = np.full((1, SIDE, SIDE), 6, np.float32)
    codes[0, 3:] = np.nan
    path = write_raster(tmp_path / "0000001.tif", codes, ORIGINS["0000001"], nodata=float("nan"))
    (alone,) = label_maps(CoverFolder(path), Labeller(rule=Rule(least_valid=0.1)))
    first = next(
        iter(label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller(rule=Rule(least_valid=0.1), nodata=255)))
    )
    assert alone.labels == first.labels == (6,)
    assert alone.cover is not None
    assert alone.cover.valid == pytest.approx(3 / 8, abs=1e-4)


@pytest.mark.parametrize("odd", [np.array([[[1, np.inf]]], np.float32), np.array([[[1, 1j]]], np.complex64)])
def test_complex_or_infinite_values_are_no_land_cover(tmp_path: Path, odd: np.ndarray) -> None:
    path = write_raster(tmp_path / "x.tif", odd, ORIGINS["0000001"])
    with pytest.raises(BadInput, match="holds complex or infinite values"):
        read_cover(path)


@pytest.mark.parametrize(("crs", "x"), [("EPSG:32660", 834000.0), ("EPSG:32601", 166000.0)])
def test_maps_on_both_sides_of_the_antimeridian_cover_a_scene_across_it(tmp_path: Path, crs: str, x: float) -> None:
    scene = Window.of((40, 120), (100.0, 0.0, x - 6000, 0.0, -100.0, 20000.0), crs)
    for name, west, code in (("east", -180.0, 7), ("west", 179.0, 1)):
        raster = {"driver": "GTiff", "count": 1, "height": 100, "width": 100, "dtype": "uint8", "nodata": 255}
        place = Affine(0.01, 0.0, west, 0.0, -0.01, 0.5)
        with rasterio.open(tmp_path / f"{name}.tif", "w", **raster, crs="EPSG:4326", transform=place) as file:
            file.write(np.full((1, 100, 100), code, np.uint8))
    folder = CoverFolder(tmp_path)
    assert [path.stem for path in folder.touching(scene)] == ["east", "west"]
    found = folder.over("a", "b", scene, Labeller().told)
    assert found is not None
    assert found.known.mean() > 0.98
    assert (found.values[0, 20, 5], found.values[0, 20, -5]) == (1, 7)
    inland = Window.of((40, 120), (100.0, 0.0, 500000.0, 0.0, -100.0, 20000.0), crs)
    assert folder.touching(inland) == ()


def test_a_folder_with_a_raster_that_cannot_be_placed_is_refused(tree: Path, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", HALF, ORIGINS["0000001"], crs="")
    with pytest.raises(PlaceUnknown, match=r"a\.tif was asked which scenes it covers and has no CRS"):
        list(label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller()))
    path.write_bytes(b"II*\0broken")
    with pytest.raises(SceneUnreadable, match="cannot be read"):
        list(label_scenes(scenes_in(tree), CoverFolder(tmp_path), Labeller()))
