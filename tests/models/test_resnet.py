"""ResNets through the public door, on synthetic files of the published keys and shapes."""

from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import torch
import xarray as xr
from torch import Tensor
from torch.testing import assert_close

import armillary as arm
from armillary.bench.encoders.encoder import Look
from armillary.bench.encoders.zoo import ZooEncoder
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, WeightsMismatch
from armillary.models import zoo
from armillary.models.adapt import adapted, adapted_kernel
from armillary.models.precision import cast, precision_of
from armillary.models.resnet import RESNETS, ResNet, ResNetConfig, random_resnet, resnet_of
from armillary.models.vit import VITS
from armillary.models.weights import official_name, resnet_names
from armillary.sample.sample import Sample

TINY = ResNetConfig("softcon-s2-32", 13, depths=(1, 1, 1, 1), base=4)
DEPTHS, WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)


def torchvision_shapes(channels: int, *, classes: int | None = None) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of torchvision's resnet50, written down from its definition."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, channels, 7, 7)}

    def norm(name: str, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("bn1", 64)
    width_in = 64
    for i, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        for j in range(depth):
            block = f"layer{i + 1}.{j}"
            for k, shape in enumerate(((width, width_in, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))):
                shapes[f"{block}.conv{k + 1}.weight"] = shape
                norm(f"{block}.bn{k + 1}", shape[0])
            if j == 0:
                shapes[f"{block}.downsample.0.weight"] = (4 * width, width_in, 1, 1)
                norm(f"{block}.downsample.1", 4 * width)
            width_in = 4 * width
    if classes is not None:
        shapes |= {"fc.weight": (classes, 2048), "fc.bias": (classes,)}
    return shapes


def weightless(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {k: torch.zeros(()).expand(shape) for k, shape in shapes.items()}


def tiny_state(seed: int = 0, *, config: ResNetConfig = TINY) -> dict[str, Tensor]:
    return {official_name(k): v for k, v in random_resnet(config, seed=seed).state_dict().items()}


@pytest.mark.parametrize("name", RESNETS)
def test_every_resnet_loads_by_name_from_a_file_of_the_published_layout(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = torchvision_shapes(RESNETS[name].channels)
    monkeypatch.setattr(zoo, "locate", lambda href: href)
    monkeypatch.setattr(zoo, "read_tensors", lambda href: weightless(shapes))
    model = arm.load_model(name, weights="file.pth")
    assert isinstance(model, ResNet)
    assert model.config.width == 2048
    without_counters = [s for k, s in shapes.items() if not k.endswith("num_batches_tracked")]
    assert sum(t.numel() for t in model.state_dict().values()) == sum(int(np.prod(s)) for s in without_counters)
    assert {len(e.bands) for e in model.card.entries.values()} == {model.config.channels}
    assert model.card.patch_px == 32


def test_it_has_as_many_parameters_as_the_publication_of_the_network() -> None:
    """25.557 million with three channels and a classifier of 1000 (torchvision's documentation)."""
    shapes = torchvision_shapes(3, classes=1000)
    learned = [s for k, s in shapes.items() if not k.endswith(("num_batches_tracked", "running_mean", "running_var"))]
    assert sum(int(np.prod(s)) for s in learned) == 25_557_032
    model = ResNet(RESNETS["softcon-resnet50-s2"])
    assert sum(p.numel() for p in model.parameters()) == 25_557_032 - 2_049_000 + 10 * 64 * 49


@pytest.mark.parametrize(
    ("before", "beside"),
    [
        ("", {}),
        ("module.", {}),
        ("module.encoder_q.", {"module.encoder_k.conv1.weight": torch.ones(1), "module.queue": torch.ones(128, 8)}),
        ("module.base_encoder.", {"module.momentum_encoder.conv1.weight": torch.ones(1)}),
        ("backbone.", {"head.mlp.0.weight": torch.ones(1)}),
    ],
)
def test_what_stands_before_the_names_in_checkpoints_of_training_is_taken_off(
    before: str, beside: dict[str, Tensor]
) -> None:
    state = tiny_state()
    file = {before + k: v for k, v in state.items()} | beside
    file |= {f"{before}fc.weight": torch.ones(9, 128), f"{before}bn1.num_batches_tracked": torch.tensor(3)}
    assert resnet_names(file).keys() == state.keys()
    model = resnet_of(TINY, file, source="synthetic")
    assert torch.equal(model.first.weight, state["conv1.weight"])


def test_a_whole_checkpoint_on_disk_is_read_with_its_optimiser_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "ZOO", {"tiny": TINY})
    state = {f"module.encoder_q.{k}": v for k, v in tiny_state().items()}
    torch.save({"epoch": 99, "arch": "resnet50", "state_dict": state, "optimizer": {"lr": 0.1}}, tmp_path / "moco.pth")
    torch.save({"student": {}, "teacher": {f"backbone.{k}": v for k, v in tiny_state().items()}}, tmp_path / "dino.pth")
    for name in ("moco.pth", "dino.pth"):
        model = arm.load_model("tiny", weights=tmp_path / name)
        assert isinstance(model, ResNet)
        assert torch.equal(model.first.weight, tiny_state()["conv1.weight"])


def test_a_file_for_other_channels_is_refused_with_the_models_it_may_be_of() -> None:
    with pytest.raises(
        WeightsMismatch, match=r"it has 2 channels, as softcon-resnet50-s1, .* conv1.weight .64, 2, 7, 7"
    ):
        resnet_of(RESNETS["softcon-resnet50-s2"], weightless(torchvision_shapes(2)), source="x.pth")
    with pytest.raises(WeightsMismatch, match=r"holds conv1\.weight, this one does not"):
        resnet_of(TINY, {"a": torch.zeros(1)}, source="x.pth")


def test_vectors_are_the_mean_of_the_last_map_and_items_do_not_see_each_other() -> None:
    model = random_resnet(TINY)
    pixels = torch.rand((3, 13, 64, 96), generator=torch.Generator().manual_seed(0)) * 0.3
    batch = model.batch(pixels, "s2-l1c")
    with torch.inference_mode():
        tokens, alone = model(batch), model(batch[1:2])
    assert tokens.grid.shape == (3, 128, 2, 3)
    assert [tuple(t.shape[1:]) for t in tokens.taps] == [(16, 16, 24), (32, 8, 12), (64, 4, 6), (128, 2, 3)]
    assert_close(tokens.pooled, tokens.grid.mean(dim=(2, 3)))
    assert_close(tokens.pooled[1:2], alone.pooled)


def test_it_is_the_formula_in_double_precision() -> None:
    model = random_resnet(TINY, seed=3).double()
    pixels = torch.rand((1, 13, 32, 32), generator=torch.Generator().manual_seed(0)).double()
    batch = arm.Batch(pixels=pixels, bands=arm.sensors["s2-l1c"].bands, patch_px=32)
    cut = torch.nn.functional.unfold(pixels, 7, padding=3, stride=2).view(1, -1, 16, 16)
    y = torch.einsum("bchw,dc->bdhw", cut, model.first.weight.flatten(1)) / (1 + 1e-5) ** 0.5
    y = torch.nn.functional.max_pool2d(y.clamp(min=0), 3, stride=2, padding=1)
    with torch.inference_mode():
        assert_close(model(batch).grid, model.trunk(y)[-1])


def test_two_normalisations_of_the_same_weights_are_two_models() -> None:
    pixels = np.random.default_rng(0).uniform(0, 0.3, (1, 13, 32, 32)).astype(np.float32)
    names = ("softcon-resnet50-s2", "softcon-resnet50-s2-zscores", "moco-resnet50-s2")
    clip, z, tenk = (ResNet(RESNETS[n]).batch(pixels, "s2-l1c").pixels for n in names)
    assert 0 <= float(clip.min()) <= float(clip.max()) <= 1
    assert float(z.min()) < -1
    assert_close(tenk, torch.from_numpy(pixels))
    l2a = ResNet(RESNETS["resnet50-s2-l2a"]).batch(pixels[:, :12], "s2-l2a").pixels
    assert_close(l2a, torch.from_numpy(pixels[:, :12]))


def test_a_scene_is_embedded_with_one_vector_for_32_pixels() -> None:
    model = random_resnet(TINY)
    names = list(arm.sensors["s2-l1c"].band_names)
    values = np.random.default_rng(0).uniform(0.01, 0.3, size=(13, 70, 130)).astype(np.float32)
    y, x = 5200000.0 - 10 * np.arange(70) - 5, 500000.0 + 10 * np.arange(130) + 5
    array = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": names, "y": y, "x": x})
    array.attrs |= {"sensor": "s2-l1c", "time": None, "unit": "reflectance", "href": "synthetic"}
    grid = arm.embed(array.rio.write_crs("EPSG:32632"), model=model, output="grid")
    assert grid.shape == (128, 3, 5)
    assert grid.rio.transform().a == 320.0


def test_a_benchmark_sees_vectors_and_maps_of_it() -> None:
    sensor = arm.sensors["s2-l1c"]
    window = Window.of((40, 40), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32632")
    samples = [Sample(np.full((13, 40, 40), 0.1 * (i + 1), np.float32), sensor, window) for i in range(2)]
    encoder = ZooEncoder.of("tiny", random_resnet(TINY))
    sight = encoder.see(samples, Look(maps=True))
    assert encoder.told == ()
    assert sight.vectors.shape == (2, 128)
    assert [m.shape[1] for m in sight.maps] == [16, 32, 64, 128]


def test_in_bfloat16_it_is_near_and_says_so() -> None:
    model = random_resnet(TINY)
    fast = cast(model, "bfloat16")
    batch = model.batch(np.random.default_rng(0).uniform(0, 0.3, (1, 13, 64, 64)).astype(np.float32), "s2-l1c")
    with torch.inference_mode():
        exact, rounded = model(batch).pooled, fast(batch).pooled
    assert (precision_of(model), precision_of(fast)) == ("float32", "bfloat16")
    assert 0 < float((exact - rounded).abs().max() / exact.abs().max()) < 0.05


def test_a_batch_of_other_channels_is_refused() -> None:
    with pytest.raises(BandMismatch, match="reads 13 channels, the batch holds 2"):
        random_resnet(TINY)(arm.Batch(torch.zeros(1, 2, 32, 32), arm.sensors["s1-grd"].bands, patch_px=32))


KERNEL = torch.randn((5, 3, 7, 7), generator=torch.Generator().manual_seed(0))
S2, S1 = arm.sensors["s2-l1c"].band_names, arm.sensors["s1-grd"].band_names


def _convolved(pixels: Tensor, kernel: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(pixels, kernel)


@pytest.mark.parametrize("bands", [S2, S1])
def test_repeated_kernels_give_grey_what_they_gave(bands: tuple[str, ...]) -> None:
    grey = torch.randn((1, 1, 9, 9), generator=torch.Generator().manual_seed(1))
    new = adapted_kernel(KERNEL, bands, "repeat")
    wanted = _convolved(grey.expand(-1, 3, -1, -1), KERNEL)
    assert_close(_convolved(grey.expand(-1, len(bands), -1, -1), new), wanted, atol=1e-5, rtol=1e-5)


def test_copied_kernels_see_true_colour_as_before() -> None:
    colours = torch.randn((1, 3, 9, 9), generator=torch.Generator().manual_seed(1))
    new = adapted_kernel(KERNEL, S2, "rgb_copy")
    pixels = torch.zeros(1, 13, 9, 9)
    pixels[:, [S2.index(b) for b in ("B04", "B03", "B02")]] = colours
    assert_close(_convolved(pixels, new), _convolved(colours, KERNEL), atol=1e-5, rtol=1e-5)
    assert_close(new[:, 0], KERNEL.mean(dim=1))
    with pytest.raises(BadInput, match="adapt by repeat or random"):
        adapted_kernel(KERNEL, S1, "rgb_copy")


@pytest.mark.parametrize("shape", [(), (64,), (64, 3, 7), (64, 3, 7, 7, 1)])
def test_a_file_whose_first_layer_is_no_kernel_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsMismatch, match="no kernel"):
        adapted("softcon-resnet50-s2", {"conv1.weight": torch.zeros(shape)}, "repeat")


def test_no_place_at_all_gives_no_vector() -> None:
    model = random_resnet(TINY)
    assert model(model.batch(torch.zeros(0, 13, 64, 64), "s2-l1c")).pooled.shape == (0, TINY.width)


def test_random_kernels_are_of_a_seed_and_keep_the_size_of_what_leaves() -> None:
    one, same, other = (adapted_kernel(KERNEL, S2, "random", seed=s) for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    noise = torch.randn((8, 13, 20, 20), generator=torch.Generator().manual_seed(1))
    was = _convolved(noise[:, :3], KERNEL).std()
    assert float(_convolved(noise, one).std() / was) == pytest.approx(1.0, rel=0.1)


def test_a_model_of_three_colours_becomes_one_of_all_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dict(RESNETS), "x", TINY)
    monkeypatch.setattr("armillary.models.adapt.RESNETS", {"tiny": TINY})
    state = tiny_state(config=ResNetConfig("softcon-s2-32", 3, depths=(1, 1, 1, 1), base=4))
    model = adapted("tiny", {f"backbone.{k}": v for k, v in state.items()}, "repeat")
    assert isinstance(model, ResNet)
    assert_close(model.first.weight, state["conv1.weight"].mean(dim=1, keepdim=True).expand(-1, 13, -1, -1) * 3 / 13)
    assert torch.equal(model.trunk.stages[0][0].conv1.weight, state["layer1.0.conv1.weight"])
    with pytest.raises(BadInput, match="has no first layer to adapt"):
        adapted("copernicus-fm-nano", state, "repeat")
    with pytest.raises(WeightsMismatch, match=r"holds no patch_embed\.proj\.weight or conv1\.weight"):
        adapted("tiny", {"a": torch.zeros(1)}, "repeat")
    assert "softcon-small-s2" in VITS
