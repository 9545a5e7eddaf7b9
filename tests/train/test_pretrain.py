from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from tests.train.tiny import FINE, draw_of, gradient_of, sample_of, tiny_mae
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.errors import BadInput
from armillary.models.copernicus_fm import random_model
from armillary.models.mae import DecoderConfig, MaskedAutoencoder
from armillary.models.sizes import SIZES
from armillary.models.whitened import Whitened, fit
from armillary.sample.stream import Draw
from armillary.train.kin import kin_of
from armillary.train.objective import Objective, Term
from armillary.train.pretrain import PretrainConfig, Pretraining, Weights
from armillary.train.reconstruct import Targets, reconstruction

ROWS = {"s1-grd": (0, 1, 3), "s2-l2a": (0, 1, 2, 3)}
ALL = Weights(reconstruct=1.0, together=0.5, describe=1.0, contrast=1.0)
PLAIN = PretrainConfig(targets=Targets(scale="values"))


@pytest.fixture
def mae() -> MaskedAutoencoder:
    return tiny_mae()


@cache
def teachers() -> tuple[Whitened, ...]:
    return (fit([sample_of("s2-l2a", i) for i in range(40)], width=8, patches=4, seed=0),)


def loss_of(terms: dict[str, Term]) -> torch.Tensor:
    return torch.stack([t.weight * t.sum / t.count for t in terms.values()]).sum()


def twice(draw: Draw) -> Draw:
    """Every place comes twice, so that each view has company of its own place."""
    return replace(draw, keys=tuple(f"place-{i // 2}" for i in range(len(draw))))


def test_it_is_an_objective(mae: MaskedAutoencoder) -> None:
    assert isinstance(Pretraining(mae, PLAIN), Objective)


def test_each_weight_brings_its_term(mae: MaskedAutoencoder) -> None:
    draw = draw_of(ROWS, 4)
    objective = Pretraining(mae, replace(PLAIN, weights=ALL), teachers())
    assert set(objective(draw)) == {
        "reconstruct", "reconstruct/s1-grd", "reconstruct/s2-l2a", "together", "describe", "contrast",
    }  # fmt: skip
    assert set(Pretraining(mae, PLAIN)(draw)) == {"reconstruct", "reconstruct/s1-grd", "reconstruct/s2-l2a"}


def test_a_sensor_that_is_absent_has_no_term_and_an_empty_draw_none_at_all(mae: MaskedAutoencoder) -> None:
    objective = Pretraining(mae, replace(PLAIN, weights=ALL), teachers())
    assert set(objective(draw_of({"s1-grd": (0, 1)}, 2))) == {"reconstruct", "reconstruct/s1-grd", "contrast"}
    assert objective(draw_of({}, 2)) == {}


def test_without_dropping_reconstruction_is_a_loop_over_items(mae: MaskedAutoencoder) -> None:
    objective = Pretraining(mae, PLAIN).eval()
    draw, total, count = draw_of(ROWS, 4), 0.0, 0.0
    for kin in kin_of(draw):
        for sample, seed in zip(kin.samples, kin.seeds, strict=True):
            batch = mae.encoder.card.collate([sample])
            rebuilt = mae(batch, objective.mask(batch, [seed]))
            sums, counts = reconstruction(rebuilt.pixels, PLAIN.targets.of(batch), rebuilt.hidden)
            total, count = total + float(sums.detach().sum()), count + float(counts.sum())
    found = objective(draw)["reconstruct"]
    assert float(found.sum) == pytest.approx(total, rel=1e-5)
    assert float(found.count) == count


@pytest.mark.parametrize("training", [True, False])
def test_reconstruction_and_description_do_not_depend_on_how_a_draw_is_split(
    mae: MaskedAutoencoder, training: bool
) -> None:
    objective = Pretraining(mae, replace(PLAIN, weights=replace(ALL, contrast=0.0)), teachers()).train(training)
    draw = draw_of(ROWS, 4)
    whole, parts = objective(draw), [objective(part) for part in draw.split(2)]
    assert set(whole) == set(parts[0]) == set(parts[1])
    for name, t in whole.items():
        assert_close(sum(p[name].sum for p in parts), t.sum, rtol=1e-4, atol=1e-4)
        assert_close(sum(p[name].count for p in parts), t.count)


def test_a_step_draws_other_bands_than_the_next_and_the_same_when_asked_again(mae: MaskedAutoencoder) -> None:
    objective = Pretraining(mae, PLAIN)
    draw = draw_of(ROWS, 4)
    same, again, later = (float(objective(d)["reconstruct"].sum) for d in (draw, draw, replace(draw, step=1)))
    assert same == again
    assert same != later


def test_weights_of_sensors_weigh_items(mae: MaskedAutoencoder) -> None:
    draw = draw_of(ROWS, 4)
    terms = Pretraining(mae, replace(PLAIN, sensors={"s1-grd": 3.0}))(draw)
    s1, s2 = terms["reconstruct/s1-grd"], terms["reconstruct/s2-l2a"]
    assert_close(terms["reconstruct"].sum, 3 * s1.sum + s2.sum)
    assert_close(terms["reconstruct"].count, 3 * s1.count + s2.count)
    assert (s1.weight, s2.weight) == (0.0, 0.0)


def test_upstream_takes_the_mean_over_sensors_and_the_default_over_items(mae: MaskedAutoencoder) -> None:
    """Spec section 15: a sensor that one place has weighs as much as one that all have."""
    draw = draw_of({"s5p-no2": (0,), "s2-l2a": (0, 1, 2, 3)}, 4)
    theirs = Pretraining(mae, replace(PLAIN, per_sensor=True))(draw)
    means = [t.sum / t.count for t in theirs.values()]
    assert_close(loss_of(theirs), torch.stack(means).mean())
    own = Pretraining(mae, PLAIN)(draw)["reconstruct"]
    sums = torch.stack([t.sum for t in theirs.values()]).sum()
    assert_close(own.sum / own.count, sums / torch.stack([t.count for t in theirs.values()]).sum())


def test_views_of_one_place_are_positives_whatever_their_sensor(mae: MaskedAutoencoder) -> None:
    objective = Pretraining(mae, replace(PLAIN, weights=Weights(reconstruct=0.0, contrast=1.0)))
    term = objective(twice(draw_of(ROWS, 4)))["contrast"]
    assert float(term.count) == 2 * 7
    assert term.sum.requires_grad


def test_the_gradient_reaches_every_head_and_the_whole_encoder(mae: MaskedAutoencoder) -> None:
    objective = Pretraining(mae, replace(PLAIN, weights=ALL), teachers())
    draw = draw_of(ROWS | {"s5p-no2": (0, 2)}, 4)
    loss_of(objective(draw)).backward()
    assert objective.project is not None
    for part in (objective.tell, objective.project, mae.decoder, mae.encoder.trunk, mae.encoder.stem):
        assert gradient_of(part) > 0
    lost = [n for n, p in objective.named_parameters() if p.requires_grad and p.grad is None]
    assert lost == []


def test_learned_absences_learn_where_facts_are_dropped_and_not_in_upstream(mae: MaskedAutoencoder) -> None:
    """Spec section 13: with the released default, nothing is dropped and the tokens of unknown facts stay as made."""
    for dropped, learns in ((0.7, True), (0.0, False)):
        mae.zero_grad()
        loss_of(Pretraining(mae, replace(PLAIN, facts_dropped=dropped))(draw_of(ROWS, 4))).backward()
        tokens = [mae.encoder.where.place.unknown, mae.encoder.where.area.unknown, mae.decoder.where.place.unknown]
        assert all((float(t.grad.abs().max()) > 0) == learns for t in tokens if t.grad is not None)


def test_nothing_is_dropped_while_evaluating(mae: MaskedAutoencoder) -> None:
    draw = draw_of(ROWS, 4)
    harder = replace(PLAIN, facts_dropped=1.0, bands_at_least=0.1)
    one, two = (Pretraining(mae, c).eval()(draw)["reconstruct"].sum for c in (PLAIN, harder))
    assert_close(one, two, rtol=0, atol=0)


def test_crops_are_cut_again_while_training_and_left_as_they_are_while_evaluating(mae: MaskedAutoencoder) -> None:
    """Views of 2 x 2 patches of crops of 3 x 3: of 4 patches 3 are hidden, of 9 seven."""
    config = replace(PLAIN, recrop=True, views=replace(PLAIN.views, tokens=2))
    draw = draw_of({"s2-l2a": (0, 1)}, 2)
    objective = Pretraining(mae, config)
    assert float(objective.train()(draw)["reconstruct"].count) == 2 * 3
    assert float(objective.eval()(draw)["reconstruct"].count) == 2 * 7


def test_the_objective_leaves_the_global_random_state_alone(mae: MaskedAutoencoder) -> None:
    before = torch.get_rng_state()
    Pretraining(mae, replace(PLAIN, weights=ALL), teachers())(draw_of(ROWS, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_every_sensor_of_the_fleet_is_rebuilt_and_learned_from(mae: MaskedAutoencoder) -> None:
    draw = draw_of(dict.fromkeys(sensors, (0,)), 1, tokens=2)
    terms = Pretraining(mae, PLAIN)(draw)
    assert {n.partition("/")[2] for n in terms if "/" in n} == set(sensors)
    assert bool(torch.isfinite(terms["reconstruct"].sum))


@pytest.mark.parametrize("name", SIZES)
def test_every_size_in_the_zoo_takes_a_step_of_training(name: str) -> None:
    """Law 17, in a small width: every switch of the size, on light and on names, and what is learned is finite."""
    config = replace(SIZES[name], width=32, depth=2, heads=2, taps=(0, 0, 1, 1), sentence_route=True)
    decoder = FINE if config.fine_width else DecoderConfig(width=16, depth=1, heads=2, hidden=32)
    objective = Pretraining(MaskedAutoencoder(random_model(config).train(), decoder), PLAIN)
    optimiser = torch.optim.SGD(objective.parameters(), lr=1e-2)
    draw = draw_of({"s1-grd": (0,), "s2-l1c": (0, 1), "s5p-no2": (1,)}, 2, tokens=2)
    before = loss_of(objective(draw))
    before.backward()
    optimiser.step()
    after = loss_of(objective(draw))
    assert bool(torch.isfinite(before) & torch.isfinite(after))
    assert float(after) != float(before)


def test_what_stands_where_nothing_was_measured_is_no_part_of_the_loss(mae: MaskedAutoencoder) -> None:
    """A region without values costs the same as the rest of its patches does, whatever the decoder says of it."""
    draw = draw_of({"s2-l2a": (0, 1)}, 2)
    pixels = [s.pixels.copy() for s in draw.samples["s2-l2a"]]
    for p in pixels:
        p[:, : p.shape[1] // 2] = np.nan
    samples = tuple(replace(s, pixels=p) for s, p in zip(draw.samples["s2-l2a"], pixels, strict=True))
    half = replace(draw, samples={"s2-l2a": samples})
    own, theirs = (
        Pretraining(mae, replace(PLAIN, targets=replace(PLAIN.targets, holes=h))).eval() for h in (False, True)
    )
    count = {name: float(objective(half)["reconstruct"].count) for name, objective in (("o", own), ("t", theirs))}
    assert 0 < count["o"] < count["t"] == float(own(draw)["reconstruct"].count)


def test_classes_are_asked_for_where_they_shall_be_learned(mae: MaskedAutoencoder) -> None:
    with pytest.raises(BadInput, match="classify was asked with weight 1 and no place has a class; give classes"):
        Pretraining(mae, replace(PLAIN, weights=Weights(classify=1.0)))
