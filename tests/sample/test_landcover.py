from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from armillary.earth.legend import LEGENDS
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange
from armillary.sample.landcover import (
    RULES,
    Cover,
    Rule,
    cover_of_classes,
    cover_of_probabilities,
    multi_hot,
    pixel_areas,
)

DW, WORLDCOVER = LEGENDS["dynamic-world"], LEGENDS["worldcover"]
UTM = Window.of((4, 5), (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0), "EPSG:32632")


def _codes(*counts: tuple[int, int]) -> np.ndarray:
    """A map that holds so many pixels of each code."""
    flat = np.concatenate([np.full(n, code) for code, n in counts]).astype(np.uint8)
    return flat[None]


def test_fractions_are_of_the_known_area_and_valid_is_of_all() -> None:
    cover = cover_of_classes(_codes((4, 30), (0, 10), (255, 60)), DW)
    assert cover.fractions == (0.25, 0, 0, 0, 0.75, 0, 0, 0, 0)
    assert cover.valid == pytest.approx(0.4)


def test_one_pixel_makes_a_label_of_the_paper_and_not_a_clean_one() -> None:
    cover = cover_of_classes(_codes((1, 998), (6, 1), (8, 1)), DW)
    assert RULES["paper"].labels(cover) == (1, 6, 8)
    assert RULES["clean"].labels(cover) == (1,)


def test_a_threshold_counts_itself() -> None:
    cover = cover_of_classes(_codes((1, 99), (6, 1)), DW)
    assert Rule(threshold=0.01).labels(cover) == (1, 6)


def test_a_class_that_is_absent_is_no_label_at_threshold_zero() -> None:
    assert RULES["paper"].labels(cover_of_classes(_codes((1, 10)), DW)) == (1,)


@pytest.mark.parametrize(("known", "labels"), [(49, ()), (50, (4,)), (51, (4,))])
def test_a_scene_of_which_less_than_half_is_known_has_no_label(known: int, labels: tuple[int, ...]) -> None:
    assert RULES["paper"].labels(cover_of_classes(_codes((4, known), (255, 100 - known)), DW)) == labels


def test_a_scene_of_which_nothing_is_known_has_fractions_that_are_unknown() -> None:
    cover = cover_of_classes(_codes((255, 4)), DW)
    assert cover.valid == 0
    assert np.isnan(cover.fractions).all()
    assert Rule(least_valid=0).labels(cover) == ()


def test_codes_without_an_exact_class_are_unknown_ground() -> None:
    cover = cover_of_classes(_codes((5, 6), (11, 3), (10, 1)), LEGENDS["esri"])
    assert cover.fractions[4] == 1
    assert cover.valid == pytest.approx(0.6)


def test_a_code_that_the_legend_does_not_know_is_refused() -> None:
    with pytest.raises(BadInput, match=r"w\.tif holds 10, which the legend dynamic-world does not know"):
        cover_of_classes(_codes((10, 3), (1, 1)), DW, href="w.tif")
    with pytest.raises(BadInput, match="holds 300"):
        cover_of_classes(np.full((1, 1), 300, np.int32), WORLDCOVER)


def test_pixels_of_a_geographic_map_count_by_their_area() -> None:
    window = Window.of((2, 1), (1.0, 0.0, 0.0, 0.0, -60.0, 60.0), "EPSG:4326")  # 60..0 north over 0..60 south
    lopsided = Window.of((2, 1), (1.0, 0.0, 0.0, 0.0, -30.0, 90.0), "EPSG:4326")  # 90..60 over 60..30 north
    codes = np.array([[0], [1]], np.uint8)
    assert cover_of_classes(codes, DW, window=window).fractions[:2] == pytest.approx((0.5, 0.5))
    polar = 1 - np.sin(np.deg2rad(60))
    wanted = polar / (1 - np.sin(np.deg2rad(30)))  # of a sphere; the ellipsoid differs by a few per mille
    assert cover_of_classes(codes, DW, window=lopsided).fractions[0] == pytest.approx(wanted, rel=0.01)


def test_web_mercators_stretch_is_taken_back() -> None:
    near = Window.of((1, 1), (10000.0, 0.0, 0.0, 0.0, -10000.0, 8404737.0), "EPSG:3857")  # 60 degrees north
    line = Window.of((1, 1), (10000.0, 0.0, 0.0, 0.0, -10000.0, 5000.0), "EPSG:3857")  # the equator
    stretch = pixel_areas((1, 1), line)[0, 0] / pixel_areas((1, 1), near)[0, 0]
    assert stretch == pytest.approx(4.0, rel=0.02)  # of a sphere: 1 / cos(60)^2; the ellipsoid adds some per mille


def test_pixels_of_a_utm_patch_count_alike() -> None:
    areas = pixel_areas((4, 5), UTM)
    assert areas.shape == (4, 5)
    assert np.ptp(areas) < 1e-6 * areas.mean()
    assert areas.mean() == pytest.approx(1e-4, rel=1e-3)


def test_the_likeliest_class_of_probabilities_is_the_map_of_codes() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(9), size=(6, 7)).transpose(2, 0, 1).astype(np.float32)
    p[:, 0] = np.nan
    codes = np.where(np.isfinite(p[0]), np.nan_to_num(p).argmax(axis=0), 255).astype(np.uint8)
    assert cover_of_probabilities(p) == cover_of_classes(codes, DW)


def test_mean_probabilities_are_their_mean_and_need_a_threshold() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(9), size=(6, 7)).transpose(2, 0, 1).astype(np.float32)
    cover = cover_of_probabilities(p, how="mean")
    assert cover.fractions == pytest.approx(tuple(p.mean(axis=(1, 2), dtype=np.float64)), abs=1e-6)
    with pytest.raises(BadInput, match="every scene would have all nine classes"):
        RULES["paper"].labels(cover)
    assert set(Rule(threshold=0.12).labels(cover)) == {c for c in range(9) if cover.fractions[c] >= 0.12}


def test_one_hot_probabilities_have_the_same_mean_as_shares() -> None:
    codes = np.random.default_rng(1).integers(0, 9, (5, 6)).astype(np.uint8)
    p = np.eye(9, dtype=np.float32)[codes].transpose(2, 0, 1)
    top, mean = (cover_of_probabilities(p, window=UTM.crop(rows=slice(0, 5), cols=slice(0, 6)), how=h)
                 for h in ("top", "mean"))  # fmt: skip
    assert top.fractions == pytest.approx(mean.fractions)


def test_numbers_that_are_no_probabilities_and_shares_that_are_none_are_refused() -> None:
    with pytest.raises(OutOfRange, match="give shares from 0 to 1"):
        cover_of_probabilities(np.full((9, 2, 2), 100.0, np.float32))
    with pytest.raises(OutOfRange, match="add up to 1"):
        Cover((0.5,) * 9, 1.0)
    with pytest.raises(OutOfRange, match="give shares of the area"):
        Rule(threshold=1.0)


def test_multi_hot_is_one_where_a_class_is() -> None:
    assert multi_hot(()).sum() == 0
    assert np.flatnonzero(multi_hot((2, 8))).tolist() == [2, 8]


@pytest.mark.parametrize("name", ["fuel_moisture", "algae_blooms"])
def test_real_dynamic_world_series_hold_nothing_but_its_classes(shared: Path, name: str) -> None:
    codes = np.load(shared / f"data/presto_timeseries/data/{name}/npy/dynamic_world.npy")
    cover = cover_of_classes(codes, DW)
    counts = np.bincount(codes.ravel(), minlength=9)
    assert cover.valid == 1
    assert cover.fractions == pytest.approx(tuple(counts / counts.sum()))
    assert RULES["paper"].labels(cover) == tuple(np.flatnonzero(counts))


def test_real_worldcover_codes_of_points_on_all_continents_are_all_known(shared: Path) -> None:
    table = pq.read_table(shared / "data/worldcereal_cubes/wc_testdf.parquet", columns=["WORLDCOVER-LABEL-10m"])
    codes = table.column(0).to_numpy().astype(np.int64)[None]
    cover = cover_of_classes(codes, WORLDCOVER)
    crops = float((codes == 40).sum() / (codes > 0).sum())
    assert cover.fractions[4] == pytest.approx(crops)
    assert cover.valid == pytest.approx(float((codes > 0).mean()))


def test_a_legend_may_hold_codes_beyond_a_byte() -> None:
    codes = np.array([[300, 1, 300, 1]], np.int32)
    assert cover_of_classes(codes, DW.changed({300: 4})).fractions[4] == 0.5
