from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from tests.train.tiny import draw_of
from torch.testing import assert_close

import armillary as arm
from armillary.errors import BadInput
from armillary.models.fomo_mae import FoMoAutoencoder, FoMoDecoderConfig, targets_of
from armillary.models.fomo_net import random_fomo
from armillary.models.fomo_sizes import FoMoConfig
from armillary.tokens.mask import mask_random
from armillary.train.fomo import FoMoPretrainConfig, FoMoPretraining, stacks_of

TINY = FoMoConfig(width=32, depth=1, heads=2, hidden=48, taps=(0, 0, 0, 0), image_px=48)
SMALL = FoMoDecoderConfig(width=24, depth=1, heads=2)


def _mae(**change: bool) -> FoMoAutoencoder:
    return FoMoAutoencoder(random_fomo(replace(TINY, **change)).train(), SMALL)


PLAIN = FoMoPretrainConfig()


def _objective(config: FoMoPretrainConfig = PLAIN, **change: bool) -> FoMoPretraining:
    return FoMoPretraining(_mae(**change), config)


def _batch(c: int = 12, items: int = 2) -> arm.Batch:
    z = torch.randn((items, c, 48, 48), generator=torch.Generator().manual_seed(0))
    return arm.Batch(z, arm.sensors["s2-l2a"].bands[:c])


def test_targets_are_normalised_pixels_of_each_band_on_its_own() -> None:
    batch = _batch(2)
    batch.pixels[0, 1, 0, 0] = torch.nan
    target, asked = targets_of(batch, 16)
    assert target.shape == (2, 2 * 9, 256)
    assert_close(target[1, 9 + 4].view(16, 16), batch.pixels[1, 1, 16:32, 16:32])
    assert (float(target[0, 9, 0]), float(asked[0, 9, 0]), float(asked.sum())) == (0.0, 0.0, asked.numel() - 1)


@pytest.mark.parametrize("change", [{}, {"shared": False}, {"grouped": True}])
def test_three_quarters_of_all_tokens_of_all_bands_are_hidden_together(change: dict[str, bool]) -> None:
    mae = _mae(**change)
    batch = _batch()
    units = 4 if change.get("grouped") else 12
    assert mae.tokens_of(batch) == units * 9
    at = mask_random(units * 9, 0.75, (1, 2))
    made = mae(batch, at)
    assert made.pixels.shape == (2, 12 * 9, 256)
    per_band = made.hidden.view(2, 12, 9).sum(dim=2)
    assert at.shape[1] == units * 9 // 4
    assert per_band[0].unique().numel() > 1  # not the same number in every band
    if not change.get("grouped"):
        assert int(made.hidden[0].sum()) == 81


def test_hidden_pixels_do_not_reach_the_answer() -> None:
    for change in ({}, {"shared": False}, {"grouped": True}):
        mae = _mae(**change).eval()
        batch = _batch()
        at = mask_random(mae.tokens_of(batch), 0.75, (1, 2))
        with torch.inference_mode():
            made = mae(batch, at)
            hidden = made.hidden.view(2, 12, 3, 3).repeat_interleave(16, 2).repeat_interleave(16, 3)
            other = mae(replace(batch, pixels=torch.where(hidden, 9.0, batch.pixels)), at)
        assert_close(other.pixels, made.pixels)


def test_the_loss_is_the_plain_mean_over_hidden_patches() -> None:
    objective = _objective(FoMoPretrainConfig(drop_bands=False, joint=False)).eval()
    draw = draw_of({"s2-l2a": (0, 1)}, items=2)
    (stack,) = stacks_of(draw, objective.mae.encoder.card, joint=False)
    with torch.inference_mode():
        term = objective(draw)["reconstruct"]
        at = mask_random(12 * 9, 0.75, stack.seeds)
        made = objective.mae(stack.batch, at)
    target, _ = targets_of(stack.batch, 16)
    wanted = (made.pixels - target)[made.hidden].square().mean()
    assert_close(term.sum / term.count, wanted, atol=1e-5, rtol=1e-5)


def test_sensors_of_one_size_share_a_sequence_and_no_id_comes_twice() -> None:
    card = random_fomo(TINY).card
    rows = {"s1-grd": (0, 1), "s2-l1c": (0,), "s2-l2a": (0, 1), "s3-olci": (0, 1)}
    together = {s.sensors: s for s in stacks_of(draw_of(rows, items=2), card, joint=True)}
    assert set(together) == {("s1-grd", "s2-l1c"), ("s2-l2a",), ("s1-grd", "s2-l2a")}
    assert len(together["s1-grd", "s2-l2a"].batch.bands) == 14
    assert together["s1-grd", "s2-l2a"].seeds == (101,)
    alone = [s.sensors for s in stacks_of(draw_of(rows, items=2), card, joint=False)]
    assert sorted(alone) == [("s1-grd",), ("s2-l1c",), ("s2-l2a",)]


def test_bands_are_left_out_while_training_and_only_then() -> None:
    objective = _objective(FoMoPretrainConfig(band_subsets=1))
    draw = draw_of({"s2-l2a": (0, 1)}, items=2)
    seen = set()
    for step in range(12):
        (part,) = objective._parts(replace(draw, step=step))
        seen.add(len(part[0].bands))
        assert len(set(part[0].bands)) == len(part[0].bands)
    assert min(seen) < 5
    assert max(seen) > 8
    (part,) = objective.eval()._parts(draw)
    assert part[0].bands == arm.sensors["s2-l2a"].bands


def test_the_loss_of_a_batch_is_that_of_its_parts() -> None:
    objective = _objective()
    draw = draw_of({"s1-grd": (0, 1, 2), "s2-l2a": (1, 2)}, items=3)
    whole = objective(draw)["reconstruct"]
    parts = [objective(part)["reconstruct"] for part in draw.split(3)]
    assert_close(sum(p.sum for p in parts), whole.sum, atol=1e-4, rtol=1e-4)
    assert float(sum(p.count for p in parts)) == float(whole.count)


def test_what_it_does_not_know_is_no_part_of_the_loss() -> None:
    assert _objective()(draw_of({"s3-olci": (0,)}, items=1)) == {}


@pytest.mark.parametrize("change", [{}, {"shared": False}, {"grouped": True}, {"ground_size": True}])
def test_a_few_steps_lower_the_loss(change: dict[str, bool]) -> None:
    objective = _objective(FoMoPretrainConfig(drop_bands=False), **change)
    draw = draw_of({"s1-grd": (0, 1), "dem": ()}, items=2)
    draw = replace(draw, samples={"s1-grd": draw.samples["s1-grd"]}, rows={"s1-grd": (0, 1)})
    optim = torch.optim.AdamW([p for p in objective.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(12):
        term = objective(draw)["reconstruct"]
        loss = term.sum / term.count
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_a_decoder_whose_heads_do_not_divide_it_is_refused() -> None:
    with pytest.raises(BadInput, match="multiple of the heads"):
        FoMoDecoderConfig(width=10, heads=3)


def test_hiding_nothing_is_refused_because_nothing_would_be_asked() -> None:
    with pytest.raises(ValidationError, match="mask_ratio"):
        FoMoPretrainConfig(mask_ratio=0)
