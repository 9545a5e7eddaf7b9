"""Copernicus-FM against numbers that the published code gives with weights anyone can draw (the file's `recipe`)."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import armillary as arm
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.precision import cast
from armillary.models.sizes import SIZES
from armillary.models.weights import official_state, save
from armillary.nn.fourier import expand

GOLDEN = json.loads((Path(__file__).parent / "copernicus_fm.json").read_text())
RECIPES = GOLDEN["recipe"]["modalities"]
TOLERANCE = {"atol": 1e-5, "rtol": 0.0}
META = torch.tensor([[11.5, 48.25, 18500.0], [-60.125, -3.0, 19000.0]])
LANGUAGE = tuple(np.random.RandomState(8).standard_normal(2048).tolist())


def _drawn(n: int, key: str, shape: tuple[int, ...]) -> torch.Tensor:
    z = np.random.RandomState(1000 + n).standard_normal(shape)
    if len(shape) == 1:
        z = 1 + 0.1 * z if key.endswith("weight") else 0.05 * z
    else:
        special = {"fclayer": 0.1, "fc_weight.weight": 0.3, "pos_embed": 0.5}
        z *= next((scale for word, scale in special.items() if word in key), 0.02)
    return torch.from_numpy(z.astype(np.float32))


@pytest.fixture(scope="session")
def golden_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The recipe's weights for the base size as a flat .pth, 558 MB; removed at the end."""
    shapes = {k: tuple(v.shape) for k, v in official_state(CopernicusFM(SIZES["copernicus-fm-base"])).items()}
    path = tmp_path_factory.mktemp("golden") / "base.pth"
    torch.save({k: _drawn(n, k, shapes[k]) for n, k in enumerate(sorted(shapes))}, path)
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def model(golden_file: Path) -> CopernicusFM:
    return arm.load_model("copernicus-fm-base", weights=golden_file)


def _batch(case: str, seed: int = 7, items: int = 2) -> arm.Batch:
    r = RECIPES[case]
    shape = (items, r["channels"], r["size"], r["size"])
    pixels = torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))
    bands: tuple[arm.Spectral | arm.Named, ...] = (arm.Named("a golden variable", LANGUAGE),)
    if r["mode"] == "spectral":
        bands = tuple(map(arm.Spectral, r["wavelengths"], r["bandwidths"]))
    return arm.Batch(pixels, bands, patch_px=r["kernel"])


def _full(case: str) -> arm.Batch:
    b = _batch(case)
    area = torch.full((2,), RECIPES[case]["token_km2"])
    return arm.Batch(b.pixels, b.bands, META[:, :2], META[:, 2], area, patch_px=b.patch_px)


@pytest.mark.parametrize("known", ["nan", "full"])
@pytest.mark.parametrize("case", RECIPES)
def test_pooled_and_cls_equal_the_published_code(model: CopernicusFM, case: str, known: str) -> None:
    want = GOLDEN[f"{case}/{known}"]
    with torch.inference_mode():
        tokens = model(_batch(case) if known == "nan" else _full(case))
    assert_close(tokens.pooled[:, :6], torch.tensor([want["pool0"], want["pool1"]]), **TOLERANCE)
    assert_close(tokens.cls[0, :6], torch.tensor(want["cls0"]), **TOLERANCE)
    assert float(tokens.pooled.abs().mean()) == pytest.approx(want["pool_mean_abs"], abs=1e-5)
    assert float(tokens.cls.abs().mean()) == pytest.approx(want["cls_mean_abs"], abs=1e-5)


@pytest.mark.parametrize("case", ["s2_toa", "s3_olci", "s5p"])
def test_taps_are_the_raw_maps_of_the_published_code(model: CopernicusFM, case: str) -> None:
    want = GOLDEN[f"more/taps/{case}/full"]
    with torch.inference_mode():
        taps = model(_full(case)).taps
    for tap, values in zip(taps, want["values"], strict=True):
        assert list(tap.shape) == want["shape"]
        # values of up to 16: their own float32 pseudo-inverse makes the published numbers uncertain by 2e-6 of that
        assert_close(tap[0, 0:768:96, 2, 3], torch.tensor(values), atol=1e-5, rtol=2e-6)


@pytest.mark.parametrize("case", ["s2_toa", "s3_olci", "s5p"])
def test_an_item_in_a_mixed_batch_equals_itself_alone_in_the_published_code(model: CopernicusFM, case: str) -> None:
    want = GOLDEN[f"more/mixed_missing/{case}"]
    meta = torch.tensor([[torch.nan if v is None else v for v in row] for row in want["meta"]])
    b = _batch(case, seed=17, items=5)
    mixed = arm.Batch(b.pixels, b.bands, meta[:, :2], meta[:, 2], meta[:, 3], patch_px=b.patch_px)
    with torch.inference_mode():
        pooled = model(mixed).pooled
    assert_close(pooled[:, ::96], torch.tensor(want["pooled_every_96th"]), **TOLERANCE)


def test_the_grid_is_the_last_tap_and_pools_to_pooled(model: CopernicusFM) -> None:
    with torch.inference_mode():
        tokens = model(_full("s5p"))
    assert tokens.grid.data_ptr() == tokens.taps[-1].data_ptr()
    mean = tokens.grid.mean(dim=(2, 3))
    assert_close(tokens.pooled, torch.nn.functional.layer_norm(mean, (768,), eps=1e-6))


def test_the_expansion_of_a_wavelength_and_of_a_longitude_equal_the_published_code() -> None:
    wave = expand(torch.tensor(490.0), shortest=100.0, longest=1e9, width=128)
    want = GOLDEN["fourier_100_1e9_490_d128"]
    assert_close(wave[:4], torch.tensor(want["sin0..3"]), atol=1e-6, rtol=0)
    assert_close(wave[64:68], torch.tensor(want["cos0..3"]), atol=1e-6, rtol=0)
    place = expand(torch.tensor(191.5), shortest=1e-4, longest=720.0, width=384)
    want = GOLDEN["coord_191.5_d384"]
    assert_close(place[:4], torch.tensor(want["sin0..3"]), atol=1e-6, rtol=0)
    assert_close(place[188:192], torch.tensor(want["sin188..191"]), atol=1e-6, rtol=0)


def test_the_generated_kernel_and_bias_equal_the_published_code(model: CopernicusFM) -> None:
    kernel, bias = model.kernel(_batch("s2_toa").bands, 16)
    want_kernel = torch.tensor(GOLDEN["s2 kernel [band2,row3,col5,d0..5] before x0.01"])
    want_bias = torch.tensor(GOLDEN["s2 bias d0..5 before x0.01"])
    assert_close(kernel[:6, 2, 3, 5] * 100, want_kernel, atol=1e-5, rtol=1e-5)
    assert_close(bias[:6] * 100, want_bias, **TOLERANCE)


def test_safetensors_of_the_same_weights_give_the_same_numbers(model: CopernicusFM, tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    save(model, path)
    again = arm.load_model("copernicus-fm-base", weights=path)
    path.unlink()
    with torch.inference_mode():
        assert_close(again(_full("s5p")).pooled, model(_full("s5p")).pooled, atol=0, rtol=0)


def test_official_weights_hold_exactly_the_published_parameters(model: CopernicusFM) -> None:
    assert len(official_state(model)) == 201
    assert sum(p.numel() for p in model.parameters()) == 139_451_008


def test_permuted_bands_give_the_same_embedding(model: CopernicusFM) -> None:
    b = _full("s2_toa")
    order = torch.randperm(13, generator=torch.Generator().manual_seed(0))
    bands = tuple(b.bands[i] for i in order.tolist())
    permuted = arm.Batch(b.pixels[:, order], bands, b.lonlat, b.days, b.token_km2)
    with torch.inference_mode():
        assert_close(model(permuted).pooled, model(b).pooled, **TOLERANCE)


def test_both_radar_polarisations_get_the_same_kernel(model: CopernicusFM) -> None:
    kernel, _ = model.kernel(_batch("s1_grd").bands, 16)
    assert torch.equal(kernel[:, 0], kernel[:, 1])


@pytest.mark.parametrize("case", RECIPES)
def test_bfloat16_stays_close_to_the_published_code(model: CopernicusFM, case: str) -> None:
    with torch.inference_mode():
        fast, exact = cast(model, "bfloat16")(_full(case)), model(_full(case))
    assert float(torch.cosine_similarity(fast.pooled, exact.pooled).min()) > 0.999
    assert float(torch.cosine_similarity(fast.cls, exact.cls).min()) > 0.999


@pytest.mark.parametrize("case", RECIPES)
def test_packed_float32_equals_the_published_code(model: CopernicusFM, case: str) -> None:
    want = GOLDEN[f"{case}/full"]
    with torch.inference_mode():
        tokens = cast(model, "float32")(_full(case))
    assert_close(tokens.pooled[:, :6], torch.tensor([want["pool0"], want["pool1"]]), **TOLERANCE)
