"""Health of embeddings on vectors whose numbers are known."""

import math
from pathlib import Path

import pytest
import torch
from tests.train.tiny import OWN, draw_of
from torch.testing import assert_close

from armillary.models.copernicus_fm import random_model
from armillary.train.health import (
    Embedded,
    alignment,
    effective_rank,
    embed_draw,
    gathered,
    health_of,
    sensor_gap,
    uniformity,
)
from armillary.train.pictures import draw_health


def pairs(n: int) -> torch.Tensor:
    return torch.ones(n, n, dtype=torch.bool).triu(1)


def test_equal_vectors_are_aligned_and_opposite_ones_are_a_squared_distance_of_four_apart() -> None:
    one = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    assert float(alignment(one, pairs(2))) == 0
    assert float(alignment(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]), pairs(2))) == 4


@pytest.mark.parametrize("degrees", [10.0, 60.0, 90.0])
def test_vectors_at_an_angle_are_two_minus_two_cosines_apart(degrees: float) -> None:
    a = math.radians(degrees)
    z = torch.tensor([[1.0, 0.0], [math.cos(a), math.sin(a)]], dtype=torch.float64)
    assert float(alignment(z, pairs(2))) == pytest.approx(2 - 2 * math.cos(a))
    assert float(uniformity(z, pairs(2))) == pytest.approx(-2 * (2 - 2 * math.cos(a)))


def test_a_point_has_uniformity_0_and_a_cross_its_closed_form() -> None:
    assert float(uniformity(torch.ones(5, 3), pairs(5))) == pytest.approx(0, abs=1e-6)
    cross = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert float(uniformity(cross, pairs(4))) == pytest.approx(math.log((4 * math.exp(-4) + 2 * math.exp(-8)) / 6))


def test_random_directions_are_as_uniform_as_theory_says() -> None:
    z = torch.randn(1500, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # E exp(-4 (1 - u.v)) = exp(-4) 0F1(; d / 2; 4) on the sphere of d dimensions
    terms = [4.0**k / math.factorial(k) / math.prod(8 + i for i in range(k)) for k in range(40)]
    assert float(uniformity(z, pairs(1500))) == pytest.approx(-4 + math.log(sum(terms)), abs=0.01)


def test_effective_rank_counts_directions_that_are_used_alike() -> None:
    assert effective_rank(torch.eye(6)) == pytest.approx(6)
    assert effective_rank(torch.ones(6, 4)) == pytest.approx(1)
    assert effective_rank(torch.zeros(6, 4)) == 0
    p = torch.tensor([0.75, 0.25])
    assert effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(math.exp(-float((p * p.log()).sum())))


def test_effective_rank_does_not_change_with_a_rotation_or_a_scale() -> None:
    z = torch.randn(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turn = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]
    assert effective_rank(7 * z @ turn) == pytest.approx(effective_rank(z))


def test_the_gap_of_a_set_with_itself_is_0_and_of_opposite_points_2() -> None:
    z = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    assert float(sensor_gap(z, z)) == 0
    assert float(sensor_gap(torch.tensor([[1.0, 0.0]]), torch.tensor([[-5.0, 0.0]]))) == 2


def test_health_asks_pairs_of_one_place_to_agree_and_of_others_to_differ() -> None:
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    found = health_of(Embedded(z, ("a", "a", "b", "b"), ("s1", "s2", "s1", "s2")))
    assert found["health/alignment"] == pytest.approx(2)
    assert found["health/uniformity"] == pytest.approx(math.log((2 + 2 * math.exp(-4)) / 4))
    assert found["health/effective-rank"] == pytest.approx(2)
    assert found["health/sensor-gap"] == pytest.approx(math.sqrt(2))


def test_what_cannot_be_told_is_left_out() -> None:
    alone = Embedded(torch.eye(3), ("a", "b", "c"), ("s1", "s1", "s2"))
    assert health_of(alone).keys() == {"health/effective-rank", "health/uniformity"}
    assert health_of(gathered([])) == {}


def test_the_gap_is_that_of_places_that_both_sensors_saw() -> None:
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert health_of(Embedded(z, ("a", "a", "b"), ("s1", "s2", "s2")))["health/sensor-gap"] == 0


def test_every_sample_of_a_draw_is_embedded_with_its_place_and_sensor() -> None:
    model = random_model(OWN)
    found = embed_draw(model, draw_of({"s1-rtc": (0, 1), "s2-l2a": (1,)}, 2))
    assert found.places == ("place-0", "place-1", "place-1")
    assert found.sensors == ("s1-rtc", "s1-rtc", "s2-l2a")
    assert_close(gathered([found, found]).z, torch.cat([found.z, found.z]))
    assert not found.z.requires_grad


def test_the_picture_of_health_is_drawn_where_there_is_some(tmp_path: Path) -> None:
    draw_health(tmp_path / "none.png", {0: {"loss": 1.0}})
    draw_health(tmp_path / "some.png", {-1: {"health/alignment": 1.0}, 9: {"health/alignment": 0.5}})
    assert [p.name for p in tmp_path.iterdir()] == ["some.png"]


def test_what_is_no_number_tells_nothing_and_what_is_nothing_is_one_point() -> None:
    places, sensors = ("a", "b"), ("s", "s")
    assert health_of(Embedded(torch.full((2, 3), float("nan")), places, sensors)) == {}
    assert health_of(Embedded(torch.zeros(2, 3), places, sensors))["health/uniformity"] == 0
