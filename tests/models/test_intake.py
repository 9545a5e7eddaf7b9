from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import armillary as arm
from armillary.earth.fleet import PRETRAIN, SSL4EO
from armillary.errors import BandMismatch, StatisticsMissing
from armillary.models.intake import CARDS, IMAGENET_MEAN, IMAGENET_STD, PATCH_PX, Intake
from armillary.models.vit import VITS
from armillary.sample.array import from_array
from armillary.sample.sample import Sample

DEMO = Path(arm.__file__).parent / "data" / "demo"


def _noise(*shape: int, low: float = 0.0, high: float = 0.25) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * (high - low) + low


def test_every_card_has_as_many_channels_as_the_models_that_name_it() -> None:
    for config in VITS.values():
        card = CARDS[config.card]
        assert {len(e.bands) for e in card.entries.values()} == {config.channels}
        assert card.patch_px == config.patch_px == PATCH_PX


def test_true_colour_is_red_green_blue_from_black_to_white_in_imagenets_numbers() -> None:
    pixels = _noise(1, 13, 14, 14)
    z = CARDS["dinov2"].batch(pixels, "s2-l1c", unit="reflectance").pixels
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    assert_close(z[0], (pixels[0, [3, 2, 1]] / 0.3 - mean) / std)


def test_display_cuts_what_is_brighter_than_white_or_darker_than_black() -> None:
    pixels = torch.tensor([0.9, -0.1]).reshape(2, 1, 1, 1).expand(2, 3, 14, 14)
    z = CARDS["dinov2"].batch(pixels, "s2-l2a", ("B04", "B03", "B02"), unit="reflectance").pixels
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    assert_close(z[:, :, 0, 0], torch.stack(((1 - mean) / std, (0 - mean) / std)))


def test_counts_and_reflectance_of_one_scene_are_one_batch() -> None:
    pixels = _noise(2, 12, 14, 14)
    one, other = (CARDS["dinov2"].batch(x, "s2-l2a").pixels for x in (pixels, pixels * 10000))
    assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_band_order_is_irrelevant_and_bands_beside_the_channels_are_left_out() -> None:
    card, pixels = CARDS["dinov2"], _noise(1, 12, 14, 14)
    names = arm.sensors["s2-l2a"].band_names
    order = list(range(12))[::-1]
    turned = card.batch(pixels[:, order], "s2-l2a", tuple(names[i] for i in order))
    assert torch.equal(turned.pixels, card.batch(pixels, "s2-l2a").pixels)
    assert turned.bands == arm.sensors["s2-l2a"].select(("B04", "B03", "B02")).bands


def test_softcons_range_is_the_z_score_over_four_plus_a_half_cut_at_0_and_1_in_8_bits() -> None:
    pixels = _noise(2, 13, 14, 14, high=1.0)
    wide = CARDS["softcon-s2"].batch(pixels, "s2-l1c", unit="reflectance").pixels
    statistics = arm.sensors["s2-l1c"].statistic(SSL4EO)
    mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.mean, statistics.std))
    z = (pixels * 10000 - mean) / std
    lost = (z / 4 + 0.5).clamp(0, 1) - wide
    assert -1e-5 < float(lost.min()) < float(lost.max()) < 1 / 255 + 1e-5
    assert_close(wide * 255, (wide * 255).round(), atol=1e-4, rtol=0)
    assert 0 < float((wide == 1).float().mean()) < 1


def test_the_card_of_z_scores_is_what_torchgeo_feeds() -> None:
    """mean (-12.59, -20.26) and std (5.26, 5.91), which are Copernicus-Pretrain's numbers and not SSL4EO-S12's own."""
    pixels, statistics = _noise(1, 2, 14, 14, low=-30, high=0), arm.sensors["s1-grd"].statistic(PRETRAIN)
    assert statistics.mean == (-12.59, -20.26)
    mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.mean, statistics.std))
    assert_close(CARDS["softcon-s1-zscores"].batch(pixels, "s1-grd").pixels[0], (pixels[0] - mean) / std)


def test_level_2a_leaves_b10_blank_and_keeps_every_other_band_at_its_place() -> None:
    pixels = _noise(1, 12, 14, 14)
    batch = CARDS["softcon-s2"].batch(pixels, "s2-l2a")
    assert batch.bands == arm.sensors["s2-l1c"].bands
    at = arm.sensors["s2-l1c"].band_names.index("B10")
    assert torch.equal(batch.pixels[:, at], torch.full((1, 14, 14), 0.5))
    statistics = arm.sensors["s2-l2a"].statistic(SSL4EO)
    mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.mean, statistics.std))
    rest = torch.cat((batch.pixels[:, :at], batch.pixels[:, at + 1 :]), dim=1)
    assert_close(rest[0], ((pixels[0] * 10000 - mean) / std / 4 + 0.5).clamp(0, 1), atol=1 / 255, rtol=0)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("scene", ["s2_l2a_serengeti.tif", "s2_l1c_virginia.tif"])
def test_real_scenes_fill_the_range_of_both_cards_and_lose_little_at_its_ends(scene: str) -> None:
    sample = from_array(arm.open(str(DEMO / scene)))
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    shown = CARDS["dinov2"].collate([sample]).pixels[0] * std + mean
    wide = CARDS["softcon-s2"].collate([sample]).pixels[0]
    for channels in (shown, wide):
        assert 0.15 < float(channels.mean()) < 0.65
        assert float(((channels <= 0) | (channels >= 1)).float().mean()) < 0.01


@pytest.mark.parametrize(("card", "blank"), [("dinov2", 0.0), ("softcon-s2", 0.5), ("softcon-s2-zscores", 0.0)])
def test_pixels_that_were_not_measured_are_blank_and_leave_the_others_alone(card: str, blank: float) -> None:
    pixels = _noise(1, 13, 14, 14)
    whole = CARDS[card].batch(pixels, "s2-l1c", unit="reflectance").pixels
    pixels[:, :, 2, 3] = torch.nan
    holed = CARDS[card].batch(pixels, "s2-l1c", unit="reflectance").pixels
    assert torch.equal(holed[0, :, 2, 3], torch.full((holed.shape[1],), blank))
    holed[:, :, 2, 3] = whole[:, :, 2, 3]
    assert torch.equal(holed, whole)


def test_a_band_that_is_needed_and_absent_is_named() -> None:
    with pytest.raises(BandMismatch, match=r"reads B04, B03, B02; B02 is not among B04, B03"):
        CARDS["dinov2"].batch(_noise(1, 2, 14, 14), "s2-l2a", ("B04", "B03"))


def test_a_sensor_it_does_not_read_is_refused_with_those_it_does() -> None:
    with pytest.raises(StatisticsMissing, match="SoftCon does not read s3-olci; it reads s1-grd, s1-rtc"):
        CARDS["softcon-s1"].batch(_noise(1, 21, 14, 14), "s3-olci")


def test_the_facts_of_a_batch_are_carried_although_the_model_does_not_read_them() -> None:
    batch = CARDS["dinov2"].batch(_noise(2, 12, 14, 14), "s2-l2a", lonlat=(10.0, 50.0), days=[1.0, 2.0])
    assert batch.lonlat is not None
    assert batch.lonlat.tolist() == [[10.0, 50.0]] * 2
    assert batch.token_km2 is not None
    assert_close(batch.token_km2, torch.full((2,), 0.14**2))


def test_samples_become_the_batch_of_their_pixels() -> None:
    sensor = arm.sensors["s2-l2a"]
    pixels = _noise(2, 12, 28, 28).numpy()
    window = arm.Window.of((28, 28), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), None)
    samples = [Sample(np.ascontiguousarray(p), sensor, window) for p in pixels]
    assert torch.equal(CARDS["dinov2"].collate(samples).pixels, CARDS["dinov2"].batch(pixels, "s2-l2a").pixels)


def test_an_intake_has_one_number_per_channel() -> None:
    with pytest.raises(BandMismatch, match="high has 1"):
        Intake(("VV", "VH"), "dB", (0.0, 0.0), (1.0,), (0.0, 0.0), (1.0, 1.0), blank=0.0, cut=False)


def test_a_card_prints_its_size_and_each_sensors_channels() -> None:
    said = str(CARDS["softcon-s2"])
    assert "224 px in 16 x 16 patches of 14 px" in said
    assert "B10 is blank" in said
