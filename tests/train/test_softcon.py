"""Scene contrast on a model of the shipped kind in the smallest size, and synthetic draws."""

import copy
import logging

import numpy as np
import pytest
import torch
from tests.train.tiny import OWN, draw_of, gradient_of
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from armillary.errors import BadInput
from armillary.models.copernicus_fm import random_model
from armillary.models.fomo_net import random_fomo
from armillary.models.fomo_sizes import FoMoConfig
from armillary.models.resnet import ResNetConfig, random_resnet
from armillary.models.vit import ViTConfig, random_vit
from armillary.sample.stream import Draw
from armillary.train.contrast import likeness
from armillary.train.labels import LabelSource, ones_of
from armillary.train.objective import Term
from armillary.train.softcon import SceneConfig, SceneContrast
from armillary.train.two_views import parts_of, two_looks
from armillary.train.views import ViewConfig

SMALL = {"hidden": 16, "projected": 8, "views": ViewConfig(share=(0.5, 1.0), tokens=3)}
LABELS = LabelSource(ones_of({f"place-{i}": ((0, 1), (0, 1), (2,), (1, 4), (3, 5))[i] for i in range(5)}))
"""Of five places; a sixth has none."""
ROWS = {"s1-rtc": (0, 1, 2, 5), "s2-l2a": (0, 2, 3, 4)}


def objective(steps: int = 10, **asked: object) -> SceneContrast:
    config = SceneConfig(**(SMALL | asked))  # type: ignore[arg-type]
    return SceneContrast(random_model(OWN).train(), config, LABELS, steps=steps)


def draw(step: int = 0) -> Draw:
    return draw_of(ROWS, 6, step=step)


def loss_of(terms: dict[str, Term]) -> torch.Tensor:
    return torch.stack([t.weight * t.sum / t.count for t in terms.values()]).sum()


@pytest.mark.parametrize("learn", ["softcon", "supcon", "info-nce", "siglip"])
def test_every_part_that_learns_gets_a_gradient(learn: str) -> None:
    made = objective(learn=learn).train()
    loss_of(dict(made(draw()))).backward()
    assert gradient_of(made.encoder) > 0
    assert gradient_of(made.embedder.project) > 0
    assert all(p.grad is not None for n, p in made.named_parameters() if p.requires_grad and "trunk" in n)


def test_without_the_soft_loss_softcon_is_moco_v3() -> None:
    made = objective(soft=0.0).eval()
    with torch.no_grad():
        terms = made(draw())
        one, two = two_looks(draw(), tuple(made.card.entries), made.config.across)
        cpu = torch.device("cpu")
        parts = list(parts_of((*one, *two), made.card, made.config.how, step=0, training=False, device=cpu))
        queries = [made.predict(z) for z in made._embed(parts, hidden=True)]  # type: ignore[misc]
        keys = made._embed(parts, hidden=False)  # the momentum encoder has not moved yet
        right = torch.arange(6)
        by_hand = [cross_entropy(likeness(queries[a], keys[1 - a]) / 0.2, right) for a in (0, 1)]
    assert set(terms) == {"contrast", "positive-rate"}
    assert_close(terms["contrast"].sum / terms["contrast"].count, torch.stack(by_hand).mean())


def test_places_without_labels_are_in_the_contrast_and_in_no_pair_of_the_soft_loss() -> None:
    terms = objective().eval()(draw())
    assert float(terms["contrast"].count) == 2 * 6
    assert float(terms["soft"].count) == 2 * 5 * 5
    assert float(terms["positive-rate"].count) == 2 * 5 * 4


def test_another_item_of_the_same_place_is_no_negative() -> None:
    radar = draw().samples["s2-l2a"]
    twice = Draw(0, ("p", "p", "q"), {"s2-l2a": radar[:3]}, {"s2-l2a": (0, 1, 2)}, (1, 2, 3))
    made = objective(soft=0.0, temperature=1e6).eval()  # everything is equally alike
    with torch.no_grad():
        assert float(made(twice)["contrast"].sum) == pytest.approx(2 * (2 * np.log(2) + np.log(3)), rel=1e-4)


def test_only_what_learns_sees_with_patches_hidden() -> None:
    made = objective().eval()
    shown: list[bool] = []
    whole = made.embedder.forward
    made.embedder.forward = lambda several: (shown.append(several[0][1] is None), whole(several))[1]  # type: ignore[method-assign, assignment]
    made(draw())
    assert shown == [False, True]
    shown.clear()
    made = objective(learn="supcon").eval()
    whole = made.embedder.forward
    made.embedder.forward = lambda several: (shown.append(several[0][1] is None), whole(several))[1]  # type: ignore[method-assign, assignment]
    made(draw())
    assert shown == [True]


def test_the_momentum_encoder_follows_once_per_step_and_never_learns() -> None:
    made = objective(momentum=0.5, steps=1000).train()
    assert made.slow is not None
    names = dict(made.slow.named_buffers())
    name = next(n for n in names if n.endswith("weight") and "trunk" in n)
    before = names[name].clone()
    with torch.no_grad():
        for p in made.embedder.parameters():
            p.add_(1.0)
    for _ in range(2):
        terms = made(draw(step=0))
    assert_close(names[name], before + 0.5)
    loss_of(dict(terms)).backward()
    assert not any(b.requires_grad for b in made.slow.buffers())
    made.eval()(draw(step=1))
    assert_close(names[name], before + 0.5)


def test_a_queue_keeps_keys_with_their_labels_and_masks_their_places() -> None:
    made = objective(queue=24, soft=1.0).train()
    assert made.queue is not None
    empty = made(draw(step=0))
    assert float(empty["soft"].count) == 2 * 5 * 5
    keys, labels, places = made.queue.kept()
    assert int((places >= 0).sum()) == 12
    assert int(torch.isfinite(labels).all(dim=1).sum()) == 10
    full = made(draw(step=1))
    assert float(full["soft"].count) == 2 * (5 * 5 + 5 * 8)  # of each of five, the two keys of its own place are masked
    assert made.queue.kept()[0].shape == keys.shape
    before = made.queue.kept()[0]
    made.eval()(draw(step=2))
    assert_close(made.queue.kept()[0], before)


def test_a_full_queue_forgets_the_oldest() -> None:
    made = objective(queue=12).train()
    assert made.queue is not None
    made(draw(step=0))
    first = made.queue.kept()[0]
    with torch.no_grad():
        made.embedder.project[-1].weight.mul_(-1)  # type: ignore[index]
    made(draw(step=1))
    assert float((made.queue.kept()[0] - first).abs().max()) > 0
    assert int(made.queue.get_buffer("at")) == 0


def test_logits_stay_in_float32_under_bfloat16() -> None:
    made = objective().eval()
    with torch.autocast("cpu", torch.bfloat16):
        terms = made(draw())
    assert {t.sum.dtype for t in terms.values()} == {torch.float32}
    plain = objective().eval()(draw())
    assert_close(terms["contrast"].sum, plain["contrast"].sum, rtol=0.05, atol=0.05)


def test_what_is_random_about_an_item_does_not_depend_on_where_it_stands() -> None:
    made = objective(learn="info-nce", across=0.5).eval()
    whole = two_looks(draw(), ("s1-rtc", "s2-l2a"), 0.5)
    (_, second) = draw().split(2)
    part = two_looks(second, ("s1-rtc", "s2-l2a"), 0.5)
    assert [look.seed for look in whole[0]][3:] == [look.seed for look in part[0]]
    assert [look.sample.sensor.name for look in whole[1]][3:] == [look.sample.sensor.name for look in part[1]]
    assert set(made(draw())) == {"info-nce"}


def test_repeated_items_are_the_two_views_of_a_place() -> None:
    d = draw_of({"s2-l2a": (0, 1, 2, 3)}, 4)
    pairs = Draw(0, ("a", "a", "b", "b"), d.samples, d.rows, d.seeds, repeats=2)
    first, second = two_looks(pairs, ("s2-l2a",), 0.5)
    assert [look.item for look in first] == [0, 2]
    assert [look.item for look in second] == [1, 3]


def test_labels_that_hardly_tell_places_apart_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    made = objective(learn="supcon", rule="any").train()
    made.labels = LabelSource(ones_of({f"place-{i}": (0, i) for i in range(1, 6)}))
    with caplog.at_level(logging.WARNING):
        terms = made(draw())
        made(draw())
    assert float(terms["positive-rate"].sum / terms["positive-rate"].count) == 1
    assert len(caplog.records) == 1
    assert "100 % of the pairs" in caplog.text


@pytest.mark.parametrize("rule", ["all", "any", "mulsup", "jaccard", "cosine"])
def test_every_rule_trains(rule: str) -> None:
    made = objective(learn="supcon", rule=rule).train()
    loss = loss_of(dict(made(draw())))
    loss.backward()
    assert torch.isfinite(loss)


def test_labels_are_needed_where_they_teach() -> None:
    for learn in ("softcon", "supcon"):
        with pytest.raises(BadInput, match=r"no place has any; .* objective\.learn=info-nce"):
            SceneContrast(random_model(OWN), SceneConfig(learn=learn), steps=1)  # type: ignore[arg-type]
    SceneContrast(random_model(OWN), SceneConfig(learn="info-nce"), steps=1)
    SceneContrast(random_model(OWN), SceneConfig(soft=0.0), steps=1)


def test_a_vit_learns_with_its_own_tokens_dropped() -> None:
    config = ViTConfig("softcon-s2", width=32, depth=2, heads=2, taps=(0, 0, 1, 1), channels=13, grid_side=4)
    made = SceneContrast(random_vit(config).train(), SceneConfig(**SMALL), LABELS, steps=5).train()  # type: ignore[arg-type]
    terms = made(draw())
    loss_of(dict(terms)).backward()
    assert float(terms["contrast"].count) == 2 * 4  # radar alone is not read
    assert gradient_of(made.encoder) > 0


def test_a_convolutional_net_learns_and_its_momentum_encoder_has_moments_of_its_own() -> None:
    config = ResNetConfig("softcon-s2-32", 13, depths=(1, 1, 1, 1), base=4)
    made = SceneContrast(random_resnet(config).train(), SceneConfig(**SMALL), LABELS, steps=5).train()  # type: ignore[arg-type]
    loss_of(dict(made(draw()))).backward()
    assert gradient_of(made.encoder) > 0
    own, slow = dict(made.encoder.named_buffers()), dict(made.slow.named_buffers())  # type: ignore[union-attr]
    name = "first_norm.running_mean"
    assert float(own[name].abs().max()) > 0
    assert float((own[name] - slow[f"encoder/{name.replace('.', '/')}"]).abs().max()) > 0


def test_a_net_of_single_bands_learns_with_a_patch_hidden_of_all_bands() -> None:
    config = FoMoConfig(width=16, depth=1, heads=2, hidden=16, taps=(0, 0, 0, 0))
    made = SceneContrast(random_fomo(config).train(), SceneConfig(**SMALL), LABELS, steps=5).train()  # type: ignore[arg-type]
    seen: list[int] = []
    made.encoder.trunk.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))  # type: ignore[union-attr, operator]
    loss_of(dict(made.eval()(draw()))).backward()
    assert gradient_of(made.encoder) > 0
    assert seen == [2 * 4, 12 * 4, 2 * 9, 12 * 9]


def test_a_copy_is_independent() -> None:
    made = objective().train()
    twin = copy.deepcopy(made)
    made(draw(step=0))
    assert int(twin.slow.followed) == -1  # type: ignore[union-attr]
