from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import torch
import xarray as xr
from tests.models.fomo_layout import forward, noisy, published
from torch.testing import assert_close

import armillary as arm
from armillary.bench.encoders.encoder import Look
from armillary.bench.encoders.zoo import ZooEncoder
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, OutOfRange, StatisticsMissing, WeightsMismatch
from armillary.models import zoo
from armillary.models.fomo_net import SHARED, FoMoNet, fomo_of, random_fomo
from armillary.models.fomo_sizes import BANDS, FOMO_NETS, GROUPS, IDS, FoMoConfig, grouped_ids, ids_of
from armillary.models.precision import cast, precision_of
from armillary.models.weights import official_state, read_tensors, save
from armillary.sample.sample import Sample

TINY = FoMoConfig(width=128, depth=2, heads=2, hidden=96, taps=(0, 0, 1, 1))
SHAPES = published(128, 2, heads=2, hidden=96)
S1, S2 = arm.sensors["s1-grd"], arm.sensors["s2-l2a"]


def _batch(model: FoMoNet, sensor: str = "s2-l2a", items: int = 2, side: int = 64, seed: int = 0) -> arm.Batch:
    z = torch.randn((items, len(arm.sensors[sensor].bands), side, side), generator=torch.Generator().manual_seed(seed))
    return arm.Batch(z, arm.sensors[sensor].bands, token_km2=torch.full((items,), 0.0256), patch_px=16)


def test_ids_are_upstreams() -> None:
    assert len(BANDS) == 37
    assert ids_of(S1.bands) == (4, 5)
    assert ids_of(arm.sensors["s2-l1c"].bands) == tuple(range(6, 19))
    assert ids_of(S2.bands) == (*range(6, 16), 17, 18)
    assert ids_of(arm.sensors["dem"].bands) == (32,)
    assert ids_of([arm.Named("landsat-nir"), arm.Named("gaofen2-nir")]) == (22, 36)
    assert [BANDS[IDS[b]] for b in S2.select(("B8A", "B11")).bands] == ["sentinel-2-b8a", "sentinel-2-b11"]


def test_bands_without_an_id_or_given_twice_are_refused_in_one_sentence() -> None:
    with pytest.raises(BandMismatch, match=r"FoMo-Net knows no band .* leave the band out"):
        ids_of(arm.sensors["s3-olci"].bands)
    with pytest.raises(BandMismatch, match="sentinel-2-b1 was given twice"):
        ids_of((*S2.bands, S2.bands[0]))
    model = random_fomo(TINY)
    with pytest.raises(StatisticsMissing, match="FoMo-Net has no statistics for s3-olci"):
        model.batch(np.ones((1, 21, 64, 64), np.float32), "s3-olci")


def test_the_released_file_fits_the_released_model(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = published()
    state = {k: torch.zeros(()).expand(shape) for k, shape in shapes.items()}
    monkeypatch.setattr(zoo, "locate", lambda href: href)
    monkeypatch.setattr(zoo, "read_tensors", lambda href: state)
    model = arm.load_model("fomo-net-1", weights="fomo_single_embedding_layer_weights.pt")
    assert isinstance(model, FoMoNet)
    ours = {k: tuple(v.shape) for k, v in official_state(model).items()}
    assert ours == {k: v for k, v in shapes.items() if not k.startswith("mlp_head.")}
    assert "dropbox" in zoo.OFFICIAL_FILES["fomo-net-1"]


@pytest.mark.parametrize("before", ["", "encoder.", "module.encoder."])
def test_it_computes_what_the_published_code_computes(before: str) -> None:
    state = noisy(SHAPES)
    file = {before + k: v for k, v in state.items()} | ({"module.mask_token": torch.ones(9)} if before else {})
    model = fomo_of(TINY, {k: v for k, v in file.items() if "mask_token" not in k}, source="synthetic").double()
    ids = (9, 4, 32)
    bands = (S2.band("B04"), S1.band("VV"), arm.sensors["dem"].bands[0])
    pixels = torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tokens = forward(state, pixels, ids, heads=2)
    with torch.inference_mode():
        made = model(arm.Batch(pixels, bands))
        last = model.trunk.norm(model.trunk(model.enter(arm.Batch(pixels, bands))[0])[-1])
    assert_close(last, tokens, atol=1e-4, rtol=1e-4)
    assert_close(made.pooled, tokens.mean(dim=1).float(), atol=1e-4, rtol=1e-4)


def test_band_order_is_irrelevant() -> None:
    model = random_fomo(TINY)
    batch = _batch(model)
    turned = replace(batch, pixels=batch.pixels.flip(1), bands=batch.bands[::-1])
    with torch.inference_mode():
        assert_close(model(turned).pooled, model(batch).pooled, atol=1e-5, rtol=1e-5)
        assert_close(model(turned).grid, model(batch).grid, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("change", [{}, {"shared": False}, {"grouped": True}, {"ground_size": True}])
def test_every_kind_gives_vectors_maps_and_items_on_their_own(change: dict[str, bool]) -> None:
    model = random_fomo(replace(TINY, **change))
    batch = _batch(model, items=3, side=80)
    with torch.inference_mode():
        tokens, alone = model(batch), model(batch[1:2])
    assert tokens.grid.shape == (3, 128, 5, 5)
    assert [t.shape[1:] for t in tokens.taps] == [(128, 5, 5)] * 2  # two different blocks are named
    assert_close(tokens.pooled[1:2], alone.pooled)


def test_every_patch_layer_of_the_many_is_registered_learns_and_is_saved(tmp_path: Path) -> None:
    """Upstream keeps them in plain dicts: never optimised, never saved."""
    model = random_fomo(replace(TINY, shared=False))
    assert len([n for n, _ in model.named_parameters() if n.endswith("linear.weight")]) == 37
    model(_batch(model)).pooled.sum().backward()
    learned = {int(n.split(".")[1]) for n, p in model.named_parameters() if n.startswith("cut.") and p.grad is not None}
    assert learned == set(ids_of(S2.bands))
    save(model, tmp_path / "m.safetensors")
    kept = read_tensors(tmp_path / "m.safetensors")
    assert kept["to_patch_embedding.36.2.weight"].shape == (128, 256)
    again = fomo_of(model.config, kept, source="m.safetensors")
    with torch.inference_mode():
        assert torch.equal(again(_batch(model)).pooled, model(_batch(model)).pooled)


def test_many_equal_patch_layers_are_one() -> None:
    one, many = random_fomo(TINY), random_fomo(replace(TINY, shared=False))
    values = one.state_dict()
    for i in range(37):
        values |= {k.replace(SHARED, str(i)): v for k, v in one.state_dict().items() if k.startswith("cut.")}
    many.load_state_dict({k: v for k, v in values.items() if SHARED not in k})
    with torch.inference_mode():
        assert_close(many(_batch(one)).pooled, one(_batch(one)).pooled)


def test_an_unknown_ground_size_and_a_new_layer_for_it_add_nothing() -> None:
    plain, sized = random_fomo(TINY), fomo_of(replace(TINY, ground_size=True), noisy(SHAPES), source="released")
    released = fomo_of(TINY, noisy(SHAPES), source="released")
    batch = _batch(plain)
    with torch.inference_mode():
        assert_close(sized(batch).pooled, released(batch).pooled)
    assert sized.ground_size is not None
    torch.nn.init.normal_(sized.ground_size.weight, generator=torch.Generator().manual_seed(0))
    blind = replace(batch, token_km2=None)
    half = replace(batch, token_km2=torch.tensor([0.0256, float("nan")]))
    with torch.inference_mode():
        assert_close(sized(blind).pooled, released(batch).pooled)
        assert not torch.allclose(sized(batch).pooled, released(batch).pooled)
        assert_close(sized(half).pooled, torch.stack((sized(batch).pooled[0], sized(blind).pooled[1])))
    told = ZooEncoder.of("x", sized).told
    assert told == ("area",)


def test_groups_hold_every_id_once_and_bands_of_one_sensor() -> None:
    assert sorted(i for g in GROUPS for i in g) == list(range(37))
    assert all(len({BANDS[i].split("-")[0] for i in g}) == 1 for g in GROUPS)
    assert grouped_ids(ids_of(S2.bands)) == ((1, 2, 3, 7), (4, 5, 6, 8), (0, 9), (10, 11))


def test_a_group_of_one_band_bound_by_ones_is_that_band() -> None:
    plain, grouped = random_fomo(TINY), random_fomo(replace(TINY, grouped=True))
    grouped.load_state_dict({**plain.state_dict(), "bound": torch.ones(37, 128)})
    bands = S2.select(("B04", "B05", "B11", "B09"))  # each of another group
    batch = arm.Batch(torch.randn((2, 4, 64, 64), generator=torch.Generator().manual_seed(0)), bands.bands)
    with torch.inference_mode():
        assert_close(grouped(batch).pooled, plain(batch).pooled)


def test_a_group_tells_which_of_its_bands_held_what() -> None:
    """A plain sum of tokens would be the same when two bands change places."""
    model = random_fomo(replace(TINY, grouped=True))
    bands = S2.select(("B02", "B03")).bands
    batch = arm.Batch(torch.randn((1, 2, 64, 64), generator=torch.Generator().manual_seed(0)), bands)
    with torch.inference_mode():
        turned = model(replace(batch, pixels=batch.pixels.flip(1))).pooled
        assert float((turned - model(batch).pooled).abs().max()) > 1e-3


def test_a_grouped_model_has_as_many_tokens_as_groups() -> None:
    plain, grouped = random_fomo(TINY), random_fomo(replace(TINY, grouped=True))
    assert plain.enter(_batch(plain))[0].shape[1] == 12 * 16
    assert grouped.enter(_batch(plain))[0].shape[1] == 4 * 16


def test_several_sensors_together_are_one_sequence() -> None:
    model = random_fomo(TINY)
    views = {"s1-grd": _batch(model, "s1-grd"), "s2-l2a": _batch(model)}
    whole = arm.Batch(torch.cat([v.pixels for v in views.values()], dim=1), (*S1.bands, *S2.bands))
    with torch.inference_mode():
        joint = model.together(views)
        assert_close(joint.pooled, model(whole).pooled, atol=1e-5, rtol=1e-5)
    assert {k: v.shape for k, v in joint.grids.items()} == dict.fromkeys(views, (2, 128, 4, 4))
    with pytest.raises(BadInput, match="pair them first"):
        model.together({**views, "dem": _batch(model, "dem", items=1)})


def test_patches_are_16_px_whatever_the_sensor_is_used_to() -> None:
    model = random_fomo(TINY)
    sensor = arm.sensors["dem"]
    window = Window.of((64, 64), (30.0, 0.0, 0.0, 0.0, -30.0, 0.0), "EPSG:32632")
    sample = Sample(np.full((1, 64, 64), 661.94061, np.float32), sensor, window)
    for batch in (model.collate([sample]), model.batch(sample.pixels[None], "dem")):
        assert batch.patch_px == 16
        assert float(batch.pixels.abs().max()) < 1e-5
    with pytest.raises(OutOfRange, match="this model cuts patches of 16 px"):
        model(arm.Batch(torch.zeros(1, 1, 64, 64), sensor.bands, patch_px=64))


def test_a_file_of_another_width_is_refused_with_the_models_it_may_be_of() -> None:
    state = {k: torch.zeros(()).expand(shape) for k, shape in published().items()}
    with pytest.raises(WeightsMismatch, match=r"its width is 768, as fomo-net-1, fomo-net-m"):
        fomo_of(TINY, state, source="x.pt")
    with pytest.raises(WeightsMismatch, match="holds spectral_embedding, this one does not"):
        fomo_of(TINY, {"a": torch.zeros(1)}, source="x.pt")
    with pytest.raises(WeightsMismatch, match=r"its spectral_embedding is \(\), that of FoMo-Net \(1, \d+, width\)"):
        fomo_of(TINY, {"spectral_embedding": torch.zeros(())}, source="x.pt")
    with pytest.raises(BadInput, match="multiple of the heads"):
        FoMoConfig(width=100, depth=1, heads=3, hidden=8, taps=(0, 0, 0, 0))


def test_a_scene_is_embedded_and_a_benchmark_sees_it() -> None:
    model = random_fomo(TINY)
    values = np.random.default_rng(0).normal(-12, 3, size=(2, 70, 100)).astype(np.float32)
    y, x = 5200000.0 - 10 * np.arange(70) - 5, 500000.0 + 10 * np.arange(100) + 5
    array = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": ["VV", "VH"], "y": y, "x": x})
    array.attrs |= {"sensor": "s1-grd", "time": None, "unit": "dB", "href": "synthetic"}
    grid = arm.embed(array.rio.write_crs("EPSG:32632"), model=model, output="grid")
    assert grid.shape[0] == 128
    assert grid.rio.transform().a == 160.0
    window = Window.of((40, 40), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32632")
    sight = ZooEncoder.of("tiny", model).see([Sample(values[:, :40, :40], S1, window)], Look(maps=True))
    assert sight.vectors.shape == (1, 128)
    assert [m.shape for m in sight.maps] == [(1, 128, 4, 4)] * 2


def test_in_bfloat16_it_is_near_and_says_so() -> None:
    model = random_fomo(TINY)
    fast = cast(model, "bfloat16")
    with torch.inference_mode():
        exact, rounded = model(_batch(model)).pooled, fast(_batch(model)).pooled
    assert (precision_of(model), precision_of(fast)) == ("float32", "bfloat16")
    assert 0 < float((exact - rounded).abs().max()) < 0.1


def test_the_zoo_names_the_released_sizes() -> None:
    released = FOMO_NETS["fomo-net-1"]
    assert (released.width, released.depth, released.heads, released.hidden, released.grid_side) == (
        768,
        12,
        12,
        2048,
        4,
    )
    paper = FOMO_NETS["fomo-net-1-paper"]
    assert (paper.width, paper.heads, paper.grid_side) == (1024, 16, 8)
