from dataclasses import replace
from itertools import islice

import pytest
import torch
from tests.sample.places import Invented
from tests.train.linear import Reconstruction
from torch.testing import assert_close

from armillary.errors import BadInput, Diverged
from armillary.sample.stream import Draw, Stream
from armillary.train.config import TrainConfig
from armillary.train.loop import Step, Training, train
from armillary.train.objective import Term
from armillary.train.optim import OptimConfig

CONFIG = TrainConfig(
    steps=8, batch_size=6, optim=OptimConfig(lr=1e-2, warmup_steps=2), ema_decay=0.9, accelerator="cpu"
)


def stream(**changes: object) -> Stream:
    return Stream(Invented(), 6, **changes)  # type: ignore[arg-type]


def state(objective: Reconstruction) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in objective.named_parameters()}


def run(config: TrainConfig, dropout: float = 0.0) -> tuple[list[Step], Training]:
    training = Training(Reconstruction(dropout=dropout), config)
    return list(train(training.objective, stream(), config, training=training)), training


def test_the_loss_falls() -> None:
    steps, _ = run(replace(CONFIG, steps=40))
    assert sum(s.loss for s in steps[-5:]) < 0.7 * sum(s.loss for s in steps[:5])


def test_the_loss_is_the_weighted_sum_of_the_means_of_its_terms() -> None:
    step = run(CONFIG)[0][0]
    assert step.loss == pytest.approx(step.terms["s2-l2a"] + 0.5 * step.terms["s1-rtc"], rel=1e-6)


def test_equal_runs_are_equal_to_the_bit() -> None:
    (one, a), (two, b) = run(CONFIG, dropout=0.3), run(CONFIG, dropout=0.3)
    assert one == two
    assert all(torch.equal(x, y) for x, y in zip(state(a.module).values(), state(b.module).values(), strict=True))


def test_accumulated_parts_are_the_whole_batch() -> None:
    whole, one = run(CONFIG)
    parts, two = run(replace(CONFIG, accumulate=3))
    for a, b in zip(whole, parts, strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-5)
        assert a.grad_norm == pytest.approx(b.grad_norm, rel=1e-4)
    assert_close(state(one.module), state(two.module), atol=2e-5, rtol=1e-4)


def test_an_objective_that_knows_its_counts_needs_no_second_pass() -> None:
    class Known(Reconstruction):
        passes = 0

        def forward(self, draw: Draw):  # type: ignore[no-untyped-def]
            self.passes += 1
            return super().forward(draw)

        def counts(self, draw: Draw) -> dict[str, float]:
            with torch.no_grad():
                return {k: float(t.count) for k, t in super().forward(draw).items()}

    config = replace(CONFIG, accumulate=2, steps=2)
    known, plain = Known(), Reconstruction()
    assert list(train(known, stream(), config)) == list(train(plain, stream(), config))
    assert known.passes == 4


@pytest.mark.parametrize("stop", [1, 5])
def test_resumed_at_a_step_is_uninterrupted(stop: int) -> None:
    whole, uninterrupted = run(CONFIG, dropout=0.3)
    first = Training(Reconstruction(dropout=0.3), CONFIG)
    before = list(islice(train(first.objective, stream(), CONFIG, training=first), stop))
    second = Training(Reconstruction(dropout=0.3, seed=9), CONFIG)
    second.restore(first.tensors(), step=first.step)
    after = list(train(second.objective, stream(), CONFIG, training=second))
    assert before + after == whole
    for kind, tensors in uninterrupted.tensors().items():
        assert all(torch.equal(t, second.tensors()[kind][n]) for n, t in tensors.items())


def test_what_is_frozen_is_neither_moved_nor_kept() -> None:
    _, training = run(CONFIG)
    assert torch.equal(training.module.frozen, torch.ones(3, 3))
    assert "frozen" not in training.tensors()["model"]


def test_a_sensor_that_no_place_has_is_no_term() -> None:
    objective = Reconstruction()
    before = state(objective)
    steps = list(train(objective, Stream(Invented(radar_every=1), 6), CONFIG))
    assert all(set(s.terms) == {"s2-l2a"} for s in steps)
    assert torch.equal(objective.layers["s1-rtc"].weight, before["layers.s1-rtc.weight"])


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_parameters() -> None:
    class Broken(Reconstruction):
        def forward(self, draw: Draw):  # type: ignore[no-untyped-def]
            scale = float("nan") if draw.step == 2 else 1.0
            return {k: replace(t, sum=t.sum * scale) for k, t in super().forward(draw).items()}

    training = Training(Broken(), CONFIG)
    steps = train(training.objective, stream(), CONFIG, training=training)
    list(islice(steps, 2))
    before = state(training.module)
    with pytest.raises(Diverged, match=r"at step 2 the loss is no finite number .*; begin again in a new -o with"):
        next(steps)
    assert all(torch.equal(x, y) for x, y in zip(before.values(), state(training.module).values(), strict=True))


def test_held_out_loss_is_of_the_averages_and_changes_nothing() -> None:
    _, training = run(CONFIG)
    before = state(training.module)
    draws = list(islice(stream(seed=5), 2))
    one, two = training.held_out(draws), training.held_out(draws)
    assert one == two
    assert all(torch.equal(x, y) for x, y in zip(before.values(), state(training.module).values(), strict=True))
    training.ema = None
    assert training.held_out(draws) != one


def test_training_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    run(replace(CONFIG, steps=2), dropout=0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_smaller_than_its_parts_is_refused() -> None:
    with pytest.raises(BadInput, match="accumulate=7"):
        Training(Reconstruction(), replace(CONFIG, accumulate=7))


def test_bfloat16_products_keep_float32_parameters() -> None:
    steps, training = run(replace(CONFIG, precision="bf16-mixed"))
    assert all(p.dtype == torch.float32 for p in training.module.parameters())
    assert steps[0].loss == pytest.approx(run(CONFIG)[0][0].loss, rel=0.02)


def test_a_batch_of_which_nothing_was_measured_is_refused() -> None:
    class Empty(Reconstruction):
        def forward(self, draw: Draw):  # type: ignore[no-untyped-def]
            return {k: Term(t.sum * 0, t.count * 0) for k, t in super().forward(draw).items()}

    training = Training(Empty(), CONFIG)
    with pytest.raises(
        BadInput, match=r"at step 0 none of the .* places of the batch holds anything that was measured"
    ):
        training.take(next(iter(stream())))
