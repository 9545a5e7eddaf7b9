"""ViTs through the public door: by name, from a file, in another precision, over a scene. Weights are synthetic."""

from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import torch
import xarray as xr
from safetensors.torch import save_file
from tests.models.layouts import as_timm, noisy, published, weightless
from torch.testing import assert_close

import armillary as arm
from armillary.errors import BadInput, WeightsMismatch, WeightsMissing
from armillary.models import vit, zoo
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.fomo_net import FoMoNet
from armillary.models.fomo_sizes import FoMoConfig
from armillary.models.precision import cast, precision_of
from armillary.models.resnet import ResNet, ResNetConfig
from armillary.models.sizes import CopernicusFMConfig
from armillary.models.vit import ViT, ViTConfig
from armillary.models.zoo import OFFICIAL_FILES, ZOO

SMALL = ViTConfig("dinov2", width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=5)


@pytest.fixture
def small_zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "ZOO", {"small": SMALL})


@pytest.fixture
def scene() -> xr.DataArray:
    """Reflectance without meaning, 70 x 84 px."""
    names = ("B02", "B03", "B04", "B08")
    values = np.random.default_rng(0).uniform(0.01, 0.3, size=(4, 70, 84)).astype(np.float32)
    y, x = 5200000.0 - 10 * np.arange(70) - 5, 500000.0 + 10 * np.arange(84) + 5
    array = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": list(names), "y": y, "x": x})
    array.attrs |= {"sensor": "s2-l2a", "time": None, "unit": "reflectance", "href": "synthetic"}
    return array.rio.write_crs("EPSG:32632")


@pytest.mark.parametrize("name", ZOO)
def test_every_entry_builds_and_knows_its_card(name: str) -> None:
    config = ZOO[name]
    kinds = {CopernicusFMConfig: CopernicusFM, ViTConfig: ViT, ResNetConfig: ResNet, FoMoConfig: FoMoNet}
    model = kinds[type(config)](config)
    assert model.card.entries
    assert sum(p.numel() for p in model.parameters()) > 1e6


@pytest.mark.parametrize("name", [n for n, c in ZOO.items() if isinstance(c, ViTConfig)])
def test_every_vit_loads_by_name_from_a_file_of_the_published_layout(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ZOO[name]
    assert isinstance(config, ViTConfig)
    shapes = published(
        config.width, config.depth, channels=config.channels, side=config.grid_side, registers=config.registers
    )
    monkeypatch.setattr(zoo, "locate", lambda href: href)
    monkeypatch.setattr(zoo, "read_tensors", lambda href: weightless(shapes))
    model = arm.load_model(name, weights="file.pth")
    assert isinstance(model, ViT)
    assert (model.config.width, model.config.channels) == (config.width, config.channels)
    assert OFFICIAL_FILES[name].endswith(".pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_on_disk_gives_the_model_it_holds(small_zoo: None, tmp_path: Path, suffix: str) -> None:
    state, path = noisy(published(32, 4, side=5)), tmp_path / f"w.{suffix}"
    torch.save(state, path) if suffix == "pth" else save_file(as_timm(state), path)
    model = arm.load_model("small", weights=path)
    assert isinstance(model, ViT)
    assert torch.equal(model.patch.kernel, state["patch_embed.proj.weight"])
    batch = model.batch(np.full((1, 12, 28, 28), 0.1, np.float32), "s2-l2a")
    with torch.inference_mode():
        assert tuple(model(batch).pooled.shape) == (1, 32)


def test_the_default_weights_are_said_to_be_where_their_authors_publish_them() -> None:
    with pytest.raises(WeightsMissing, match=r"publish https://.*dinov2_vits14_pretrain.pth.*weights=None for random"):
        arm.load_model("dinov2-small")
    with pytest.raises(WeightsMissing, match=r"publish hf://wangyi111/softcon/B2_vitb14_softcon.pth"):
        arm.load_model("softcon-base-s1")


def test_what_only_copernicus_fm_takes_is_refused(small_zoo: None) -> None:
    with pytest.raises(BadInput, match="small takes no vectors=, sentence_route= or quirks="):
        arm.load_model("small", weights=None, sentence_route=True)


def test_a_file_of_copernicus_fm_is_no_vit(small_zoo: None, tmp_path: Path) -> None:
    save_file({"cls_token": torch.zeros(1, 1, 32), "pos_embed": torch.zeros(1, 17, 32)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatch, match=r"holds patch_embed.proj.weight, this one does not"):
        arm.load_model("small", weights=tmp_path / "w.safetensors")


def test_a_vit_takes_another_precision_and_says_so(small_zoo: None) -> None:
    model = vit.vit_of(SMALL, noisy(published(32, 4, side=5)), source="synthetic")
    fast = cast(model, "bfloat16")
    batch = model.batch(np.random.default_rng(0).uniform(0, 0.3, (2, 12, 56, 42)).astype(np.float32), "s2-l2a")
    with torch.inference_mode():
        exact, rounded = model(batch).pooled, fast(batch).pooled
    assert (precision_of(model), precision_of(fast)) == ("float32", "bfloat16")
    assert rounded.dtype == torch.float32
    assert 0 < float((exact - rounded).abs().max()) < 0.1
    assert fast.patch.kernel is model.patch.kernel


def test_a_scene_is_embedded_in_the_models_own_patches_without_being_told(small_zoo: None, scene: xr.DataArray) -> None:
    model = arm.load_model("small", weights=None)
    grid, pooled = (arm.embed(scene, model=model, output=output) for output in ("grid", "pooled"))
    assert grid.shape == (32, 5, 6)
    assert pooled.shape == (32,)
    assert grid.rio.transform().a == 140.0
    assert_close(torch.from_numpy(pooled.values), _alone(model, scene), atol=1e-4, rtol=1e-4)


def _alone(model: ViT, scene: xr.DataArray) -> torch.Tensor:
    names = [str(b) for b in scene["band"].values]
    with torch.inference_mode():
        return model(model.batch(scene.values[None], "s2-l2a", names)).pooled[0]
