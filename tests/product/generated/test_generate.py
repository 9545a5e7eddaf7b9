import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import xarray as xr

import armillary as arm
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, EmptyScene, OutOfRange, PlaceUnknown
from armillary.models.cop_gen import CopGen
from armillary.product.embed import placed
from armillary.product.generated.menu import menu_of
from armillary.product.generated.plan import refuse_parts
from armillary.sample.array import from_array, window_of
from armillary.sample.strands import Relief

MakeView = Callable[..., xr.DataArray]
FAST = {"steps": 2}
UTM = (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0)


def same(one: xr.DataArray, other: xr.DataArray, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(one.values, other.values, atol=atol)


def test_what_comes_out_has_the_place_and_time_of_what_was_given_and_says_that_it_is_synthetic(
    nano: CopGen, view: MakeView
) -> None:
    x = view("s1-rtc", (80, 70))
    out = arm.generate(x, to=["dem", "s2-l2a"], model=nano, **FAST)
    assert set(out) == {"dem", "s2-l2a"}
    for array in out.values():
        assert array.rio.transform() == x.rio.transform()
        assert array.rio.crs == x.rio.crs
        np.testing.assert_array_equal(array["x"], x["x"])
        assert (array.sizes["y"], array.sizes["x"]) == (80, 70)
        assert array.attrs["synthetic"] is True
        assert array.attrs["time"] == x.attrs["time"]
        assert array.attrs["given"] == "s1-rtc, place, date"
        assert len(array.attrs["weights"]) == 64
        assert np.isfinite(array.values).all()
    assert out["s2-l2a"].band.values.tolist() == list(arm.sensors["s2-l2a"].band_names)
    assert (out["dem"].attrs["unit"], out["s2-l2a"].attrs["unit"]) == ("m", "reflectance")


def test_the_seed_decides_everything(nano: CopGen, view: MakeView) -> None:
    x = view("s1-rtc")
    one, again, other = (arm.generate(x, to=["s2-l1c"], model=nano, seed=s, **FAST)["s2-l1c"] for s in (3, 3, 4))
    assert one.values.tobytes() == again.values.tobytes()
    assert np.abs(one.values - other.values).mean() > 0.01


def test_a_sample_is_the_same_however_many_are_asked_for(nano: CopGen, view: MakeView) -> None:
    x = view("s1-rtc")
    many = arm.generate(x, to=["dem"], model=nano, samples=3, **FAST)["dem"]
    assert many.dims == ("sample", "band", "y", "x")
    same(many[0], arm.generate(x, to=["dem"], model=nano, **FAST)["dem"], 1e-2)
    assert float(np.abs(many[0] - many[1]).mean()) > 0.1


def test_mean_and_spread_are_those_of_the_samples(nano: CopGen, view: MakeView) -> None:
    x = view("s2-l2a")
    ask = {"to": ["s1-rtc", "land-cover"], "model": nano, "samples": 4, **FAST}
    samples, both = arm.generate(x, **ask), arm.generate(x, spread=True, **ask)
    radar = both["s1-rtc"]
    assert radar["statistic"].values.tolist() == ["mean", "spread"]
    same(radar.sel(statistic="mean"), samples["s1-rtc"].mean("sample"), 1e-4)
    same(radar.sel(statistic="spread"), samples["s1-rtc"].std("sample", ddof=1), 1e-4)
    votes = samples["land-cover"].values[:, 0]
    agree = (votes == both["land-cover"].values[0, 0]).mean(axis=0)
    np.testing.assert_allclose(both["land-cover"].values[1, 0], 1 - agree, atol=1e-6)


def test_a_scene_smaller_than_a_window_is_mirrored_and_cut_back(nano: CopGen, view: MakeView) -> None:
    part = view("s2-l2a", (40, 50))
    whole = np.pad(part.values, ((0, 0), (0, 24), (0, 14)), mode="reflect")
    padded = placed(part[:, :1, :1].pad(y=(0, 63), x=(0, 63)).copy(data=whole), Window.of((64, 64), UTM, "EPSG:32632"))
    ask = {"to": ["s1-rtc"], "model": nano, "place": False, **FAST}
    out = arm.generate(part, **ask)["s1-rtc"]
    assert out.rio.transform() == part.rio.transform()
    same(out, arm.generate(padded, **ask)["s1-rtc"][:, :40, :50])


def test_a_large_scene_has_no_seams(nano: CopGen, view: MakeView) -> None:
    x = view("s2-l2a", (136, 150))
    out = arm.generate(x, to=["s1-rtc"], model=nano, steps=1)["s1-rtc"].values
    steps = np.abs(np.diff(out, axis=2)).mean(axis=(0, 1))
    assert steps.max() < 4 * np.median(steps)


def test_sensors_of_other_grids_are_brought_onto_the_grid_of_the_first_sentinel(nano: CopGen, view: MakeView) -> None:
    dem = view("dem", (40, 40), affine=(30.0, 0, 499900.0, 0, -30.0, 5200100.0))
    out = arm.generate({"dem": dem, "s1-rtc": view("s1-rtc")}, to=["s2-l2a"], model=nano, **FAST)["s2-l2a"]
    assert out.rio.transform() == view("s1-rtc").rio.transform()
    alone = arm.generate(dem, to=["s2-l2a"], model=nano, **FAST)["s2-l2a"]
    assert (alone.sizes["y"], alone.rio.resolution()) == (120, (10.0, -10.0))
    assert alone.rio.bounds() == dem.rio.bounds()


def test_degrees_and_the_antimeridian_are_grids_like_others(nano: CopGen, view: MakeView) -> None:
    utm = view("s1-rtc", affine=(10.0, 0, 818970.0, 0, -10.0, 8118000.0), crs="EPSG:32760")
    west, east = (window_of(utm).lonlat(0, c) for c in (0, 64))
    assert west[0] > 179.9
    assert east[0] < -179.9
    dem = view("dem", (80, 80), affine=(0.0003, 0, west[0] - 0.001, 0, -0.0003, west[1] + 0.001), crs="EPSG:4326")
    out = arm.generate({"s1-rtc": utm, "dem": dem}, to=["s2-l2a"], model=nano, **FAST)["s2-l2a"]
    assert np.isfinite(out.values).all()
    assert out.rio.crs == utm.rio.crs


def test_scenes_that_lie_apart_are_refused(nano: CopGen, view: MakeView) -> None:
    far = view("dem", affine=(10.0, 0, 600000.0, 0, -10.0, 5200000.0))
    with pytest.raises(BadInput, match="do not overlap"):
        arm.generate({"s1-rtc": view("s1-rtc"), "dem": far}, to=["s2-l2a"], model=nano)
    plain = [view(s, n, crs=None) for s, n in (("s1-rtc", (64, 64)), ("dem", (60, 64)))]
    with pytest.raises(BadInput, match="no CRS and 60 x 64 pixels"):
        arm.generate({"s1-rtc": plain[0], "dem": plain[1]}, to=["s2-l2a"], model=nano)


def test_without_a_crs_pixels_lie_on_each_other_and_no_place_is_told(nano: CopGen, view: MakeView) -> None:
    x = {s: view(s, crs=None) for s in ("s1-rtc", "dem")}
    out = arm.generate(x, to=["s2-l2a"], model=nano, **FAST)["s2-l2a"]
    assert out.rio.crs is None
    assert out.attrs["given"] == "s1-rtc, dem, date"


def test_what_is_given_is_not_generated(nano: CopGen, view: MakeView) -> None:
    with pytest.raises(BadInput, match="s2-l2a is both given and wanted"):
        arm.generate(view("s2-l2a"), to=["s2-l2a"], model=nano)
    with pytest.raises(BadInput, match="'s3-olci' was asked for"):
        arm.generate(view("s2-l2a"), to=["s3-olci"], model=nano)
    with pytest.raises(BadInput, match="nothing was asked for"):
        arm.generate(view("s2-l2a"), to=[], model=nano)


def test_bands_that_were_not_measured_can_be_asked_for(nano: CopGen, view: MakeView) -> None:
    x = view("s2-l2a", bands=("B04", "B03", "B02"))
    with pytest.raises(BadInput, match="missing of it: s2-l2a-20m, s2-l2a-60m"):
        arm.generate(x, to=["s2-l2a"], model=nano)
    out = arm.generate(x, to=["s2-l2a-20m"], model=nano, **FAST)["s2-l2a-20m"]
    assert out.band.values.tolist() == ["B05", "B06", "B07", "B8A", "B11", "B12"]
    assert out.attrs["sensor"] == "s2-l2a"


def test_band_order_and_the_order_of_sensors_change_nothing(nano: CopGen, view: MakeView) -> None:
    x, dem = view("s2-l2a", bands=("B02", "B03", "B04", "B08")), view("dem")
    one = arm.generate({"s2-l2a": x, "dem": dem}, to=["s1-rtc"], model=nano, **FAST)["s1-rtc"]
    two = arm.generate({"dem": dem, "s2-l2a": x[::-1]}, to=["s1-rtc"], model=nano, **FAST)["s1-rtc"]
    same(one, two)


def test_where_nothing_was_measured_nothing_is_made(nano: CopGen, view: MakeView) -> None:
    x = view("s1-rtc", (96, 64)).copy()
    x[:, 10:30, 5:9] = np.nan
    out = arm.generate(x, to=["s2-l2a", "land-cover"], model=nano, **FAST)
    for array in out.values():
        hole = np.isnan(array.values).any(axis=0)
        np.testing.assert_array_equal(hole, np.isnan(x.values).any(axis=0))
    with pytest.raises(EmptyScene, match="not one valid pixel"):
        arm.generate(x.where(False), to=["dem"], model=nano)


def test_a_sensor_that_no_pixel_of_a_window_saw_counts_as_absent_there(nano: CopGen, view: MakeView) -> None:
    """The windows of the upper end see no height: there it is as if radar alone were given."""
    radar, dem = view("s1-rtc", (256, 64)), view("dem", (256, 64))
    below = dem.where(dem.y < dem.y.values[200])
    one = arm.generate({"s1-rtc": radar, "dem": below}, to=["s2-l2a"], model=nano, **FAST)["s2-l2a"]
    other = arm.generate(radar, to=["s2-l2a"], model=nano, **FAST)["s2-l2a"]
    same(one[:, :64], other[:, :64], 1e-4)
    assert float(abs(one - other)[:, 200:].max()) > 1e-3


def test_heights_are_shown_as_relief_about_the_mean_of_each_window(nano: CopGen, view: MakeView) -> None:
    """A higher place with the same relief differs by its mean height alone; a sample shows both as training does."""
    dem = view("dem")
    out = arm.generate(dem, to=["s1-rtc"], model=nano, place=False, date=False, **FAST)["s1-rtc"]
    code = next(c for c in menu_of(nano)[0].codes if isinstance(c, Relief))
    sample = {"dem": from_array(dem)}
    numbers = {c.name: c.encode(c.physical(sample)) for c in menu_of(nano)[0].codes if c.name in ("dem", "dem-mean")}
    assert code.shape == numbers["dem"].shape
    tensors = {s: torch.from_numpy(v)[None] for s, v in numbers.items()}
    made = arm.generate(tensors, to=["s1-rtc"], model=nano, **FAST)["s1-rtc"]
    radar = next(c for c in menu_of(nano)[0].codes if c.name == "s1-rtc")
    np.testing.assert_allclose(radar.decode(made[0].numpy()), out.values, atol=1e-3)


def test_pictures_of_a_flood_need_names_and_come_out_as_pictures(thumb: CopGen, view: MakeView) -> None:
    x = view("ombria-s1", (80, 70), crs=None, time=None)
    with pytest.raises(BadInput, match="could be s1-before or s1-after"):
        arm.generate(x, to=["s2-before"], model=thumb)
    with pytest.raises(BadInput, match="s2-before was promised and the array is of ombria-s1"):
        arm.generate({"s2-before": x}, to=["s2-after"], model=thumb)
    out = arm.generate({"s1-before": x}, to=["s2-before", "flood"], model=thumb, **FAST)
    assert out["s2-before"].band.values.tolist() == ["SWIR", "NIR", "RED"]
    assert (out["s2-before"].attrs["sensor"], out["flood"].attrs["sensor"]) == ("ombria-s2", "water")
    assert out["flood"].shape == (1, 80, 70)
    assert 0 <= float(out["s2-before"].min()) <= float(out["s2-before"].max()) <= 255
    sample = arm.generate({"s1-before": from_array(x)}, to=["s2-before", "flood"], model=thumb, **FAST)["s2-before"]
    same(sample, out["s2-before"], 0)


def test_a_reference_picture_of_the_event_is_a_style(thumb: CopGen, view: MakeView) -> None:
    x, reference = {"s1-after": view("ombria-s1", crs=None)}, view("ombria-s2", (30, 50), crs=None)
    plain = arm.generate(x, to=["s2-after"], model=thumb, **FAST)["s2-after"]
    styled = arm.generate(x, to=["s2-after"], model=thumb, style=reference, **FAST)["s2-after"]
    assert styled.attrs["given"] == "s1-after, s2-after-style"
    assert float(np.abs(styled - plain).max()) > 1e-3
    named = arm.generate({**x, "s2-after-style": reference}, to=["s2-after"], model=thumb, **FAST)["s2-after"]
    same(named, styled, 0)
    with pytest.raises(BadInput, match="nothing of that kind is asked for"):
        arm.generate(x, to=["flood"], model=thumb, style=reference)


def test_a_style_is_refused_by_a_model_without_styles(nano: CopGen, view: MakeView) -> None:
    with pytest.raises(BadInput, match="has no styles"):
        arm.generate(view("s1-rtc"), to=["dem"], model=nano, style=view("s2-l2a"))


def test_tensors_under_the_names_of_strands_give_tensors(nano: CopGen) -> None:
    x = {"s1-rtc": torch.randn(3, 2, 64, 64, generator=torch.Generator().manual_seed(0))}
    x["s1-rtc"][1, 0, :5] = float("nan")
    out = arm.generate(x, to=["dem", "s2-l2a-60m"], model=nano, **FAST)
    assert {s: tuple(v.shape) for s, v in out.items()} == {
        "dem": (3, 1, 32, 32), "dem-mean": (3, 1, 1, 1), "s2-l2a-60m": (3, 2, 16, 16),
    }  # fmt: skip
    assert all(torch.isfinite(v).all() for v in out.values())
    alone = arm.generate({"s1-rtc": x["s1-rtc"][:1]}, to=["dem"], model=nano, samples=2, **FAST)["dem"]
    assert alone.shape == (2, 1, 1, 32, 32)
    together = arm.generate(x, to=["dem"], model=nano, **FAST)["dem"]
    torch.testing.assert_close(together[0], alone[0, 0], atol=1e-4, rtol=0)


def test_places_that_do_not_exist_need_nothing_given(nano: CopGen) -> None:
    out = arm.generate(None, to=["s2-l2a", "dem"], model=nano, place=(12.5, 41.9), date="2021-06-01", **FAST)
    assert out["s2-l2a"].shape == (12, 64, 64)
    assert out["s2-l2a"].rio.crs is None
    assert out["dem"].attrs["given"] == "place, date"


def test_place_and_date_can_be_left_out_or_given(nano: CopGen, view: MakeView) -> None:
    x = view("s1-rtc")
    told = [
        arm.generate(x, to=["dem"], model=nano, **how, **FAST)["dem"].attrs["given"]
        for how in ({}, {"place": False}, {"date": False}, {"place": (0.0, 0.0), "date": "2020-01-01"})
    ]
    assert told == ["s1-rtc, place, date", "s1-rtc, date", "s1-rtc, place", "s1-rtc, place, date"]
    with pytest.raises(BadInput, match="no such place"):
        arm.generate(x, to=["dem"], model=nano, place=(0.0, 95.0))


def test_guidance_and_steps_change_what_is_made(nano: CopGen, view: MakeView) -> None:
    x = view("s2-l2a")
    plain, guided, more = (
        arm.generate(x, to=["s1-rtc"], model=nano, **how)["s1-rtc"]
        for how in ({"steps": 2}, {"steps": 2, "guidance": 3.0}, {"steps": 5})
    )
    assert float(np.abs(plain - guided).max()) > 1e-3
    assert float(np.abs(plain - more).max()) > 1e-3


def test_bad_requests_are_one_sentence(nano: CopGen, view: MakeView) -> None:
    x = view("s1-rtc")
    for ask, kind, words in (
        ({"to": ["dem"], "samples": 0}, OutOfRange, "a whole number from 1 up"),
        ({"to": ["dem"], "strength": 3}, BadInput, "does not know strength"),
        ({"to": ["dem"], "samples": True}, OutOfRange, "a whole number"),
        ({"to": ["dem"], "view_px": 30}, OutOfRange, "multiple of 4"),
        ({"to": ["dem"], "overlap_px": -4}, OutOfRange, "a whole number from 0 up"),
        ({"to": ["dem"], "overlap_px": 6}, OutOfRange, "give a multiple of 4"),
        ({"to": ["dem"], "guidance": math.nan}, OutOfRange, "give a number"),
        ({"to": ["dem"], "place": (math.nan, 46.0)}, BadInput, "longitude and latitude"),
    ):
        with pytest.raises(kind, match=words):
            arm.generate(x, model=nano, **ask)
    with pytest.raises(BadInput, match="name one of these"):
        arm.generate({"s3-olci": x}, to=["dem"], model=nano)
    with pytest.raises(BadInput, match="generate values of their own"):
        arm.generate(x, to=["dem"], model="cop-gen-beta")
    with pytest.raises(BandMismatch, match="has no band HH"):
        arm.generate({"s1-rtc": x.assign_coords(band=["HH", "HV"])}, to=["dem"], model=nano)


def test_what_is_made_of_synthetic_scenes_says_that_they_were(nano: CopGen, view: MakeView) -> None:
    made = arm.generate(view("s1-rtc"), to=["s2-l2a"], model=nano, **FAST)["s2-l2a"]
    again = arm.generate(made, to=["dem"], model=nano, **FAST)["dem"]
    assert again.attrs["given"].startswith("s2-l2a (synthetic), ")


def test_a_scene_too_coarse_to_be_divided_into_pixels_of_the_model_is_refused(nano: CopGen, view: MakeView) -> None:
    dem = view("dem", affine=(1000.0, 0.0, 500000.0, 0.0, -1000.0, 5200000.0))
    with pytest.raises(OutOfRange, match="has pixels of 1000 m, and the model works on 10 m"):
        arm.generate(dem, to=["s2-l2a"], model=nano, **FAST)


def test_an_array_of_other_dimensions_or_without_a_pixel_is_refused(nano: CopGen, view: MakeView) -> None:
    x = view("s1-rtc")
    for given in (x[0], x.expand_dims(sample=2), x.transpose("y", "x", "band"), {"s1-rtc": x.rename(y="lat")}):
        with pytest.raises(BadInput, match=r"\(band, y, x\) is needed"):
            arm.generate(given, to=["dem"], model=nano)
    with pytest.raises(EmptyScene, match="not one pixel"):
        arm.generate(x[:, :0], to=["dem"], model=nano)


def test_what_is_no_whole_number_is_refused_by_name() -> None:
    for n in (1.5, "2", None, True, 0, math.nan):
        with pytest.raises(OutOfRange, match="give a whole number from 1 up"):
            refuse_parts(samples=n)
    refuse_parts(samples=np.int64(3))
    refuse_parts(least=None, seed=-(2**70))


def test_a_style_that_is_not_finite_is_refused(thumb: CopGen, view: MakeView) -> None:
    x, like = {"s1-after": view("ombria-s1", crs=None)}, view("ombria-s2", crs=None)
    with pytest.raises(BadInput, match="was not measured in it"):
        arm.generate(x, to=["s2-after"], model=thumb, style=like.where(like.x < 30, np.inf))


def test_a_scene_that_tells_nothing_on_the_grid_is_refused(nano: CopGen, view: MakeView) -> None:
    """Their edges touch; the tags would say that elevation was given."""
    beside = view("dem", affine=(10.0, 0.0, 500640.0, 0.0, -10.0, 5200000.0))
    with pytest.raises(EmptyScene, match="dem was given and holds not one valid pixel"):
        arm.generate({"s1-rtc": view("s1-rtc"), "dem": beside}, to=["water"], model=nano)


def test_numbers_beyond_anything_known_are_an_error_and_not_an_empty_product(nano: CopGen, view: MakeView) -> None:
    x = view("s1-rtc")
    with pytest.raises(OutOfRange, match="is no number"):
        arm.generate(x.copy(data=np.full(x.shape, 1e30, np.float32)), to=["dem"], model=nano, steps=1)
    far = arm.generate(x, to=["dem"], model=nano, steps=2, guidance=1e9)["dem"]
    assert bool(np.isfinite(far).all())


def test_pixels_are_square_on_the_ground(nano: CopGen, view: MakeView) -> None:
    """A degree of longitude is half as long at 60 degrees."""
    north = view("s1-rtc", (64, 128), affine=(1e-4, 0.0, 10.0, 0.0, -1e-4, 60.0), crs="EPSG:4326")
    made = arm.generate(north, to=["dem"], model=nano, steps=1)["dem"]
    assert made.shape == (1, 71, 71)
    np.testing.assert_allclose(made.rio.bounds(), north.rio.bounds(), atol=1e-9)


def test_a_coordinate_system_without_a_place_is_refused(nano: CopGen, view: MakeView) -> None:
    with pytest.raises(PlaceUnknown, match="no place on Earth"):
        arm.generate(view("s1-rtc", crs='LOCAL_CS["site",UNIT["metre",1]]'), to=["dem"], model=nano)


def test_a_tensor_without_a_known_number_is_absent(nano: CopGen) -> None:
    radar, nothing = torch.zeros(2, 2, 64, 64), torch.full((2, 1, 32, 32), torch.nan)
    alone, beside = (
        arm.generate(x, to=["water"], model=nano, steps=1)["water"]
        for x in ({"s1-rtc": radar}, {"s1-rtc": radar, "dem": nothing})
    )
    torch.testing.assert_close(alone, beside, atol=1e-5, rtol=1e-4)


def test_tensors_are_refused_with_what_is_for_scenes_and_with_other_axes(nano: CopGen) -> None:
    x = torch.zeros(1, 2, 64, 64)
    for ask, words in (({"spread": True}, "spread is for scenes"), ({"date": "2021-06-01"}, "date is for scenes")):
        with pytest.raises(BadInput, match=words):
            arm.generate({"s1-rtc": x}, to=["dem"], model=nano, **ask)
    with pytest.raises(BadInput, match=r"give \(b c h w\)"):
        arm.generate({"s1-rtc": x[0]}, to=["dem"], model=nano)
    with pytest.raises(BadInput, match=r"s1-rtc \(1, 2, 0, 0\) holds no number at all"):
        arm.generate({"s1-rtc": x[:, :, :0, :0]}, to=["dem"], model=nano)
    with pytest.raises(
        BadInput, match=r"s1-rtc 72 x 64 pixels were given, which are no whole tokens; give multiples of"
    ):
        arm.generate({"s1-rtc": torch.zeros(1, 2, 72, 64)}, to=["dem"], model=nano, steps=1)


def test_codes_that_the_model_does_not_know_were_not_measured(nano: CopGen, view: MakeView) -> None:
    cover = view("land-cover")
    cover.values[:] = 77
    with pytest.raises(EmptyScene, match="land-cover"):
        arm.generate({"land-cover": cover}, to=["s2-l2a"], model=nano, **FAST)


def test_a_square_with_one_unknown_pixel_is_the_mean_of_the_others(nano: CopGen, view: MakeView) -> None:
    whole = view("s2-l1c")
    holed = whole.copy()
    holed.values[:, ::2, ::2] = np.nan
    apart = [arm.generate(x, to=["dem"], model=nano, steps=1)["dem"] for x in (whole, holed, whole.where(False, 0.9))]
    assert float(np.abs(apart[0] - apart[1]).mean()) < 0.2 * float(np.abs(apart[0] - apart[2]).mean())


def test_tensors_of_one_piece_of_ground_may_be_wider_than_a_tile(nano: CopGen) -> None:
    made = arm.generate({"s1-rtc": torch.zeros(1, 2, 128, 64)}, to=["dem", "s2-l2a"], model=nano, **FAST)
    assert (made["dem"].shape, made["s2-l2a-20m"].shape) == ((1, 1, 64, 32), (1, 6, 64, 32))
    with pytest.raises(BadInput, match="of one piece of ground the model sees s1-rtc 64 x 64"):
        arm.generate(
            {"s1-rtc": torch.zeros(1, 2, 128, 64), "dem": torch.zeros(1, 1, 32, 32)},
            to=["s2-l2a"], model=nano, **FAST,
        )  # fmt: skip


@pytest.mark.parametrize("value", [math.inf, 1e38])
def test_tensors_without_sense_are_refused(nano: CopGen, value: float) -> None:
    with pytest.raises((BadInput, OutOfRange), match=r"infinite numbers|is no number"):
        arm.generate({"s1-rtc": torch.full((1, 2, 64, 64), value)}, to=["dem"], model=nano, **FAST)


def test_windows_fall_into_whole_tokens(nano: CopGen, view: MakeView) -> None:
    with pytest.raises(OutOfRange, match="view_px=40 were asked for; give a multiple of"):
        arm.generate(view("s1-rtc"), to=["dem"], model=nano, view_px=40, **FAST)
