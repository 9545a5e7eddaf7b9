"""Objectives summed, and distillation through the loop that trains everything else."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.sample.places import Invented
from tests.train.ground import optical, three_places
from tests.train.linear import Reconstruction
from torch.testing import assert_close

from armillary.errors import BadInput
from armillary.models.copernicus_fm import random_model
from armillary.models.sizes import CopernicusFMConfig
from armillary.models.vit import ViTConfig, random_vit
from armillary.sample.fixed import FixedDraws
from armillary.sample.sample import Sample
from armillary.sample.stream import Stream
from armillary.train.cache import fill, open_cache
from armillary.train.config import TrainConfig
from armillary.train.distill import Distillation, Lesson
from armillary.train.loop import Training, train
from armillary.train.optim import OptimConfig
from armillary.train.sum import Sum
from armillary.train.teachers import DescriptorTeacher, ModelTeacher

TINY = CopernicusFMConfig(width=32, depth=1, heads=2, taps=(0, 0, 0, 0), grid_side=2)
VIT = ViTConfig("dinov2", width=16, depth=1, heads=2, taps=(0, 0, 0, 0), grid_side=3)
CONFIG = TrainConfig(steps=4, batch_size=4, optim=OptimConfig(lr=3e-3, warmup_steps=1), accelerator="cpu")


class Ground(Invented):
    """Optical samples with all bands, 16 px."""

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        return {"s2-l1c": optical(place * 100 + int(rng.integers(3)), side_px=16)}


def _dino() -> ModelTeacher:
    return ModelTeacher("dino", random_vit(VIT, seed=1), 16, side_px=28)


def _means(name: str) -> DescriptorTeacher:
    return DescriptorTeacher(name, 13, ("s2-l1c",), lambda x, _: x.mean(dim=(2, 3)))


def test_the_terms_of_a_sum_are_those_of_its_parts_and_their_model_is_one() -> None:
    student, draw = random_model(TINY, seed=3), three_places()
    parts = [Distillation(student, (Lesson(_means(name), {"s2-l1c": 0.1}),)) for name in ("a", "b")]
    whole = Sum(parts)
    apart = {k: t for part in parts for k, t in part(draw).items()}
    terms = whole(draw)
    assert terms.keys() == apart.keys() == {"distill/a/s2-l1c", "distill/b/s2-l1c"}
    assert all(torch.equal(terms[k].sum, apart[k].sum) for k in terms)
    heads = sum(p.numel() for part in parts for p in part.heads.parameters())
    assert sum(p.numel() for p in whole.parameters()) == heads + sum(p.numel() for p in student.parameters())


def test_two_terms_of_one_name_are_refused() -> None:
    student = random_model(TINY, seed=3)
    same = [Distillation(student, (Lesson(_means("a"), {"s2-l1c": 0.1}),)) for _ in range(2)]
    with pytest.raises(BadInput, match="a term called distill/a/s2-l1c"):
        Sum(same)(three_places())


def test_it_sums_any_objective() -> None:
    draw = next(iter(Stream(Invented(), 4)))
    assert Sum([Reconstruction()])(draw).keys() == Reconstruction()(draw).keys()


def _trained(config: TrainConfig) -> tuple[list[float], Training]:
    objective = Distillation(random_model(TINY, seed=3).train(), (Lesson(_dino(), {"s2-l1c": 1.0}),), drop=0.5)
    training = Training(objective, config)
    steps = train(training.objective, Stream(Ground(places=4), 4), config, training=training)
    return [s.loss for s in steps], training


def test_the_loop_distils_and_saves_nothing_of_the_teacher() -> None:
    losses, training = _trained(CONFIG)
    assert losses[-1] < losses[0]
    kept = training.tensors()["model"]
    assert {k.split(".")[0] for k in kept} == {"student", "heads"}


def test_accumulated_parts_distil_as_the_whole_batch() -> None:
    whole, parts = (_trained(TrainConfig(**{**vars(CONFIG), "accumulate": n}))[0] for n in (1, 2))
    assert_close(torch.tensor(whole), torch.tensor(parts), atol=1e-5, rtol=1e-4)


def test_a_filled_cache_answers_every_question_of_a_stream_over_fixed_draws(tmp_path: Path) -> None:
    fixed = FixedDraws(Ground(places=3), 2, seed=5)
    cached = open_cache(_dino(), tmp_path, source=fixed.checksum())
    assert 3 <= fill(cached, fixed.all()) <= 6
    learned = open_cache(_dino(), tmp_path, source=fixed.checksum())
    student = random_model(TINY, seed=3)
    bare, kept = (Distillation(student, (Lesson(t, {"s2-l1c": 1.0}),)) for t in (_dino(), learned))
    for draw in islice(Stream(fixed, 3), 4):
        (one,), (other,) = bare(draw).values(), kept(draw).values()
        assert_close(one.sum, other.sum, atol=1e-5, rtol=1e-5)
    assert (learned.hits, learned.misses) == (12, 0)
