import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.train.ground import RADAR, optical, radar, three_places
from torch.nn.functional import smooth_l1_loss
from torch.testing import assert_close

from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM, CopernicusFMConfig, random_model
from armillary.models.intake import TRUE_COLOUR
from armillary.models.vit import ViT, ViTConfig, random_vit
from armillary.models.weights import official_state
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw
from armillary.train import distill
from armillary.train.distill import (
    AS_UPSTREAM,
    Distillation,
    Lesson,
    UpstreamMistakes,
    Whitening,
    as_upstream,
    cosine_distance,
    huber,
    look,
)
from armillary.train.objective import Objective, Term
from armillary.train.teachers import INDEX_MAPS, DescriptorTeacher, ModelTeacher

TINY = CopernicusFMConfig(width=32, depth=2, heads=2, taps=(0, 0, 1, 1), grid_side=2)
VIT = ViTConfig("dinov2", width=16, depth=2, heads=2, taps=(0, 0, 1, 1), grid_side=3)
MEANS = DescriptorTeacher("means", 13, ("s2-l1c",), lambda x, _: x.mean(dim=(2, 3)))


@pytest.fixture
def student() -> CopernicusFM:
    return random_model(TINY, seed=3)


@pytest.fixture
def vit() -> ViT:
    return random_vit(VIT, seed=1)


def _dino(vit: ViT) -> ModelTeacher:
    return ModelTeacher("dino", vit, 16, side_px=28)


def _mean(term: Term) -> float:
    return float(term.sum.detach() / term.count)


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_cosine_distance_is_0_along_1_across_and_2_against_whatever_the_length() -> None:
    along, across = torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[0.0, 0.1]]])
    for target, distance in ((along, 0.0), (across, 1.0), (-5 * along, 2.0)):
        loss, counted = cosine_distance(along, target)
        assert_close(loss, torch.tensor([[distance]]))
        assert counted.tolist() == [[1.0]]


def test_a_target_that_is_not_whole_has_no_direction_and_does_not_count() -> None:
    predicted = _noise(2, 1, 3).requires_grad_()
    loss, counted = cosine_distance(predicted, torch.tensor([[[1.0, math.nan, 0.0]], [[1.0, 0.0, 0.0]]]))
    assert counted.tolist() == [[0.0], [1.0]]
    (loss * counted).sum().backward()
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()
    assert float(predicted.grad[0].abs().sum()) == 0


def test_hubers_loss_is_a_mean_over_the_components_that_are_known() -> None:
    predicted, target = _noise(1, 1, 3), 3 * _noise(1, 1, 3, seed=1)
    holed = target.clone()
    holed[0, 0, 1] = torch.nan
    loss, counted = huber(predicted, holed)
    assert_close(loss[0, 0], smooth_l1_loss(predicted[0, 0, [0, 2]], target[0, 0, [0, 2]]))
    assert counted.tolist() == [[1.0]]
    assert huber(predicted, torch.full_like(target, torch.nan))[1].tolist() == [[0.0]]


def test_whitened_examples_have_mean_0_and_the_identity_as_covariance() -> None:
    mixed = _noise(500, 6) @ _noise(6, 6, seed=1) * torch.logspace(-3, 3, 6) + 7
    white = Whitening.of(mixed, floor=1e-9)(mixed)
    assert_close(white.mean(dim=0), torch.zeros(6), atol=1e-3, rtol=0)
    assert_close(torch.cov(white.T), torch.eye(6), atol=1e-2, rtol=0)


def test_whitening_does_not_blow_up_what_never_varied_nor_what_examples_are_too_few_for() -> None:
    few = torch.cat((_noise(5, 8), torch.full((5, 1), 4.0)), dim=1)
    whitening = Whitening.of(few)
    assert torch.isfinite(whitening.matrix).all()
    assert float(whitening(few).abs().max()) < 10
    with pytest.raises(BadInput, match="no covariance"):
        Whitening.of(torch.full((9, 3), torch.nan))


def test_it_is_an_objective_with_one_term_per_lesson_and_sensor(student: CopernicusFM, vit: ViT) -> None:
    lessons = (
        Lesson(_dino(vit), {"s2-l1c": 0.1, "s1-grd": 0.05}, looks_at={"s1-grd": "s2-l1c"}),
        Lesson(INDEX_MAPS, {"s2-l1c": 0.3}, loss="smooth-l1"),
    )
    objective = Distillation(student, lessons)
    assert isinstance(objective, Objective)
    terms = objective(three_places())
    assert {k: (t.weight, float(t.count)) for k, t in terms.items()} == {
        "distill/dino/s2-l1c": (0.1, 3.0),
        "distill/dino/s1-grd": (0.05, 2.0),
        "distill/indices/s2-l1c": (0.3, 3.0 * 2 * 2),
    }
    assert all(math.isfinite(_mean(t)) for t in terms.values())


def test_a_term_is_its_formula(student: CopernicusFM, vit: ViT) -> None:
    teacher, draw = _dino(vit), three_places()
    objective = Distillation(student, (Lesson(teacher, {"s2-l1c": 1.0}),))
    with torch.no_grad():
        said = objective.heads[0](student(student.card.collate(draw.samples["s2-l1c"])).pooled)
    right = teacher(draw.samples["s2-l1c"])
    cosine = (said * right).sum(dim=1) / said.norm(dim=1) / right.norm(dim=1)
    assert_close(objective(draw)["distill/dino/s2-l1c"].sum.detach(), (1 - cosine).sum())


def test_a_sensor_learns_from_the_sample_of_another_at_its_own_place(student: CopernicusFM) -> None:
    seen: list[float] = []

    def remember(x: torch.Tensor, sample: Sample) -> torch.Tensor:
        seen.extend(x.mean(dim=(1, 2, 3)).tolist())
        return x.mean(dim=(2, 3))

    teacher = DescriptorTeacher("means", 13, ("s2-l1c",), remember)
    draw = three_places()
    Distillation(student, (Lesson(teacher, {"s1-grd": 1.0}, looks_at={"s1-grd": "s2-l1c"}),))(draw)
    at_0_and_2 = [float(draw.samples["s2-l1c"][i].pixels.mean()) for i in (0, 2)]
    assert_close(torch.tensor(seen), torch.tensor(at_0_and_2))


def test_an_absent_sensor_has_no_term(student: CopernicusFM) -> None:
    draw = Draw(0, ("a",), {"s1-grd": (radar(0),)}, {"s1-grd": (0,)}, (1,))
    assert Distillation(student, (Lesson(MEANS, {"s2-l1c": 1.0}),))(draw) == {}


def test_the_sum_of_the_parts_of_a_draw_is_the_whole(student: CopernicusFM, vit: ViT) -> None:
    objective, draw = Distillation(student, (Lesson(_dino(vit), {"s2-l1c": 0.1}),), drop=0.5), three_places()
    whole = objective(draw)["distill/dino/s2-l1c"]
    parts = [objective(part)["distill/dino/s2-l1c"] for part in draw.split(3)]
    assert_close(torch.stack([p.sum for p in parts]).sum(), whole.sum, atol=1e-5, rtol=1e-5)
    assert sum(float(p.count) for p in parts) == float(whole.count)


def test_samples_of_two_sizes_are_two_batches_of_one_term(student: CopernicusFM, vit: ViT) -> None:
    objective = Distillation(student, (Lesson(_dino(vit), {"s2-l1c": 1.0}),))
    large, small = optical(0), optical(1, side_px=16)
    both = objective(Draw(0, ("a", "b"), {"s2-l1c": (large, small)}, {"s2-l1c": (0, 1)}, (1, 2)))
    alone = [
        objective(Draw(0, ("a",), {"s2-l1c": (s,)}, {"s2-l1c": (0,)}, (seed,))) for s, seed in ((large, 1), (small, 2))
    ]
    expected = torch.stack([terms["distill/dino/s2-l1c"].sum for terms in alone]).sum()
    assert_close(both["distill/dino/s2-l1c"].sum, expected, atol=1e-5, rtol=1e-5)


def test_what_a_teacher_cannot_say_does_not_count(student: CopernicusFM) -> None:
    samples = (optical(0), optical(1))
    samples[1].pixels[3] = np.nan
    draw = Draw(0, ("a", "b"), {"s2-l1c": samples}, {"s2-l1c": (0, 1)}, (1, 2))
    term = Distillation(student, (Lesson(MEANS, {"s2-l1c": 1.0}),))(draw)["distill/means/s2-l1c"]
    assert float(term.count) == 1
    assert math.isfinite(float(term.sum.detach()))


@pytest.mark.parametrize("kind", ["model", "function", "maps"])
def test_a_student_comes_nearer_to_each_kind_of_teacher(student: CopernicusFM, vit: ViT, kind: str) -> None:
    draw = three_places()
    white = Whitening.of(torch.cat([MEANS([optical(i)]) for i in range(40)]))
    lesson = {
        "model": lambda: Lesson(_dino(vit), {"s2-l1c": 1.0}),
        "function": lambda: Lesson(MEANS, {"s2-l1c": 1.0}, loss="smooth-l1", hidden=24, whitening=white),
        "maps": lambda: Lesson(INDEX_MAPS, {"s2-l1c": 1.0}, loss="smooth-l1"),
    }[kind]()
    objective = Distillation(student, (lesson,))
    optimiser = torch.optim.AdamW(objective.parameters(), lr=5e-3)
    before = {k: v.clone() for k, v in official_state(vit).items()}
    losses = []
    for _ in range(12):
        term = next(iter(objective(draw).values()))
        losses.append(_mean(term))
        optimiser.zero_grad()
        (term.sum / term.count).backward()
        optimiser.step()
    assert losses[-1] < 0.6 * losses[0]
    assert all(torch.equal(before[k], v) for k, v in official_state(vit).items())


def test_a_teacher_is_in_no_optimiser_no_checkpoint_and_no_copy(student: CopernicusFM, vit: ViT) -> None:
    objective = Distillation(student, (Lesson(_dino(vit), {"s2-l1c": 0.1}),))
    theirs = {id(p) for p in vit.parameters()}
    assert not theirs & {id(p) for p in objective.parameters()}
    assert {k.split(".")[0] for k in objective.state_dict()} == {"student", "heads"}
    twin = copy.deepcopy(objective)
    assert twin.lessons[0].teacher is objective.lessons[0].teacher


def test_upstream_registers_the_teacher_in_optimiser_and_checkpoint(student: CopernicusFM, vit: ViT) -> None:
    objective = Distillation(student, (as_upstream(vit),), mistakes=UpstreamMistakes(teacher_registered=True))
    theirs = {id(p) for p in vit.parameters()}
    optimiser = torch.optim.AdamW(objective.parameters())
    assert theirs <= {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert any(k.startswith("teachers.0.") for k in objective.state_dict())
    assert not any(p.requires_grad for p in vit.parameters())


def test_upstream_feeds_the_teacher_z_scores_and_the_default_imagenets_numbers(vit: ViT) -> None:
    wrong, right = as_upstream(vit).teacher, ModelTeacher("dinov2", vit, 16, side_px=224)
    assert isinstance(wrong, ModelTeacher)
    sample = optical(0, side_px=224)
    statistics = sample.sensor.select(TRUE_COLOUR).statistic("copernicus-pretrain")
    mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.mean, statistics.std))
    rgb = torch.from_numpy(sample.pixels[[3, 2, 1]])
    with torch.no_grad():
        fed = replace(vit.collate([sample]), pixels=((rgb * 1e4 - mean) / std)[None])
        assert_close(wrong([sample]), vit(fed).pooled, atol=1e-5, rtol=1e-5)
        assert_close(right([sample]), vit(vit.collate([sample])).pooled)
    assert float((wrong([sample]) - right([sample])).abs().max()) > 0.1


def test_upstream_pools_the_extra_token_with_the_patches_before_the_norm(student: CopernicusFM) -> None:
    batch = student.card.collate([optical(0), optical(1)])
    with torch.no_grad():
        x, _ = student.enter(batch)
        last = student.trunk(x, ())[-1]
        wrong, right = look(student, batch, AS_UPSTREAM), look(student, batch)
    assert_close(wrong.vector, last.mean(dim=1))
    assert_close(right.vector, student(batch).pooled.detach())
    assert_close(right.vector.mean(dim=1), torch.zeros(2), atol=1e-5, rtol=0)
    assert_close(wrong.grid, right.grid.detach())


def test_upstream_shows_the_student_three_bands(
    student: CopernicusFM, vit: ViT, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    original = distill.look
    monkeypatch.setattr(distill, "look", lambda s, batch, m: shown.append(batch.bands) or original(s, batch, m))
    draw = Draw(0, ("a",), {"s2-l1c": (optical(0),)}, {"s2-l1c": (0,)}, (1,))
    Distillation(student, (as_upstream(vit),))(draw)
    assert shown == [optical(0).sensor.select(TRUE_COLOUR).bands]


def test_facts_are_unknown_with_p_and_upstreams_with_twice_the_chance_less_the_overlap(
    student: CopernicusFM, monkeypatch: pytest.MonkeyPatch
) -> None:
    p, n, shares = 0.3, 1500, {}
    bare = replace(optical(0, side_px=16), window=Window.of((16, 16), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), None))
    draw = Draw(0, tuple(map(str, range(n))), {"s2-l1c": (bare,) * n}, {"s2-l1c": tuple(range(n))}, tuple(range(n)))

    class Told(Exception):
        pass

    for mistakes in (UpstreamMistakes(), UpstreamMistakes(facts_dropped_twice=True)):

        def tell(_: object, batch: object, m: UpstreamMistakes) -> None:
            shares[m.facts_dropped_twice] = float(torch.isnan(batch.token_km2).float().mean())  # type: ignore[attr-defined]
            raise Told

        monkeypatch.setattr(distill, "look", tell)
        with pytest.raises(Told):
            Distillation(student, (Lesson(MEANS, {"s2-l1c": 1.0}),), drop=p, mistakes=mistakes)(draw)
    spread = 4 * math.sqrt(p * (1 - p) / n)
    assert abs(shares[False] - p) < spread
    assert abs(shares[True] - (1 - (1 - p) ** 2)) < spread


def test_a_lesson_through_a_sensor_that_the_teacher_does_not_read_is_refused() -> None:
    with pytest.raises(BadInput, match=r"means reads s2-l1c, not s1-grd; .*looks_at="):
        Lesson(MEANS, {"s1-grd": 1.0})
    with pytest.raises(BadInput, match="maps, which have no direction"):
        Lesson(INDEX_MAPS, {"s2-l1c": 1.0})


def test_two_lessons_by_one_name_are_refused(student: CopernicusFM) -> None:
    lesson = Lesson(MEANS, {"s2-l1c": 1.0})
    with pytest.raises(BadInput, match="means, means cannot be told apart"):
        Distillation(student, (lesson, lesson))


def test_our_own_model_can_teach(student: CopernicusFM) -> None:
    teacher = ModelTeacher("own", random_model(TINY, seed=9), 32)
    objective = Distillation(student, (Lesson(teacher, {"s1-grd": 1.0}),))
    draw = Draw(0, ("a",), {"s1-grd": (radar(0),)}, {"s1-grd": (0,)}, (1,))
    assert RADAR.name in teacher.sensors
    assert math.isfinite(_mean(objective(draw)["distill/own/s1-grd"]))
