from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from armillary.bench.encoders.encoder import Encoder, Look
from armillary.bench.encoders.foreign import NetEncoder
from armillary.bench.encoders.shown import as_published, standardised
from armillary.bench.encoders.zoo import FEWEST_TOKENS, ZooEncoder, open_encoder
from armillary.bench.task import Official
from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, MissingExtra, StatisticsMissing
from armillary.models.copernicus_fm import CopernicusFMConfig, random_model
from armillary.models.vit import ViTConfig, random_vit
from armillary.sample.sample import Sample

S1, S3 = sensors["s1-grd"], sensors["s3-olci"]
FACTS = ("place", "time", "area")


@pytest.fixture(scope="module")
def tiny() -> ZooEncoder:
    config = CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4)
    return ZooEncoder.of("tiny", random_model(config, seed=3))


def _radar(*values: float, side: int = 64) -> list[Sample]:
    window = Window.of((side, side), (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), "EPSG:32632")
    return [Sample(np.full((2, side, side), v, dtype=np.float32), S1, window) for v in values]


def _official(**change: object) -> Official:
    base = Official(32, (-12.5, -20.2), (5.0, 6.0), "dB", 0.0256, 0.1, 64)
    return replace(base, **change)


def test_the_published_view_is_the_z_score_resized_with_a_constant_area() -> None:
    batch = as_published(_radar(-12.5, -7.5), _official(), FACTS)
    assert batch.pixels.shape == (2, 2, 32, 32)
    torch.testing.assert_close(batch.pixels[:, 0, 0, 0], torch.tensor([0.0, 1.0]))
    assert batch.token_km2.tolist() == pytest.approx([0.0256, 0.0256])
    assert batch.days.isnan().all()


def test_what_is_not_told_stays_unknown_in_the_published_view() -> None:
    batch = as_published(_radar(-12.5), _official())
    assert batch.lonlat.isnan().all()
    assert batch.token_km2.isnan().all()


def test_linear_backscatter_is_clamped_and_what_is_missing_becomes_the_fill() -> None:
    samples = _radar(-10.0, 10.0)
    samples[0].pixels[0, 0, 0] = np.nan
    x = standardised(samples, _official(mean=(), std=(), unit="linear", clamp=(0.0, 0.15), fill=0.15))
    assert x[0, 0, 1, 1] == pytest.approx(0.1)
    assert x[0, 0, 0, 0] == pytest.approx(0.15)
    assert x[1].max() == pytest.approx(0.15)


def test_samples_of_an_item_take_their_own_statistics_in_turn() -> None:
    x = standardised(_radar(1.0, 1.0, 2.0, 2.0), _official(mean=(0.0, 0.0, 1.0, 1.0), std=(1.0, 1.0, 0.5, 0.5)))
    assert x[:, 0, 0, 0].tolist() == [1.0, 0.0, 2.0, 2.0]


def test_statistics_of_another_number_of_bands_are_refused() -> None:
    with pytest.raises(BandMismatch, match="3 means"):
        standardised(_radar(1.0), _official(mean=(0.0, 0.0, 0.0)))


def test_small_chips_are_enlarged_and_their_tokens_shrink_with_them(tiny: ZooEncoder) -> None:
    small, large = (tiny.batch(_radar(-12.0, side=s), Look(FACTS)) for s in (32, 64))
    assert small.pixels.shape[-1] == FEWEST_TOKENS * 16
    assert large.pixels.shape[-1] == 64
    torch.testing.assert_close(small.token_km2 * 4, large.token_km2)


def test_maps_come_only_where_they_are_wanted(tiny: ZooEncoder) -> None:
    assert tiny.see(_radar(-12.0), Look()).maps == ()
    assert [m.shape for m in tiny.see(_radar(-12.0), Look(maps=True)).maps] == [(1, 32, 4, 4)] * 4


def test_a_model_of_fixed_patches_reads_the_nearest_size_and_is_told_nothing() -> None:
    config = ViTConfig("softcon-s1", width=24, depth=4, heads=2, taps=(0, 1, 2, 3), channels=2, grid_side=4)
    vit = ZooEncoder.of("vit", random_vit(config))
    assert vit.told == ()
    assert vit.see(_radar(-12.0), Look(maps=True)).maps[0].shape == (1, 24, 5, 5)
    window = Window.of((16, 16), (300.0, 0.0, 0.0, 0.0, -300.0, 0.0), None)
    radiance = Sample(np.ones((21, 16, 16), dtype=np.float32), S3, window)
    with pytest.raises(StatisticsMissing, match="s3-olci"):
        vit.see([radiance], Look())


def test_other_weights_have_another_digest() -> None:
    config = CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4)
    one, other = (ZooEncoder.of("x", random_model(config, seed=s)).digest for s in (0, 1))
    assert one != other
    assert one == ZooEncoder.of("y", random_model(config, seed=0)).digest


def test_an_unknown_model_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadInput, match="copernicus-fm-nano"):
        open_encoder("copernicus-fm-nanno")


def test_an_adapter_whose_package_is_absent_says_so_in_one_line() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'armillary\[torchgeo\]'"):
        open_encoder("torchgeo:resnet50@ResNet50_Weights.SENTINEL2_ALL_MOCO")


class Stack(nn.Module):
    """A convolution whose output is a map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 5, 8, stride=8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


def _prepare(samples: list[Sample]) -> Tensor:
    return torch.from_numpy(np.stack([s.pixels for s in samples]))


def test_any_network_is_an_encoder() -> None:
    encoder = NetEncoder.of("conv", Stack(), _prepare)
    assert isinstance(encoder, Encoder)
    sight = encoder.see(_radar(-12.0, -11.0), Look(maps=True))
    assert sight.vectors.shape == (2, 5)
    assert [m.shape for m in sight.maps] == [(2, 5, 8, 8)] * 4
    torch.testing.assert_close(sight.vectors, sight.maps[3].mean(dim=(2, 3)))


def test_tokens_of_a_network_become_a_map_without_those_that_stand_first() -> None:
    tokens = torch.arange(2 * 17 * 3.0).reshape(2, 17, 3)
    encoder = NetEncoder("tokens", lambda x: tokens, _prepare, "v1")
    sight = encoder.see(_radar(-12.0, -11.0), Look(maps=True))
    torch.testing.assert_close(sight.maps[0][:, :, 0, 0], tokens[:, 1])


def test_a_network_without_maps_refuses_dense_tasks() -> None:
    encoder = NetEncoder("vector", lambda x: x.mean(dim=(2, 3)), _prepare, "v1")
    with pytest.raises(BadInput, match="no map"):
        encoder.see(_radar(-12.0), Look(maps=True))


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match="tpu"):
        open_encoder("copernicus-fm-nano", device="tpu")
